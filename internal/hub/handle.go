package hub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// Handler is a method that the embedding program serves. It runs on a worker and may block; ctx ends when nobody waits for
// the result any more.
type Handler func(ctx context.Context, in *Incoming) (wire.Payload, error)

// Incoming is a call on its way to a handler, which may keep it.
type Incoming struct {
	Method  string
	Caller  *auth.Principal
	Session wire.SessionID
	Meta    wire.Pairs
	Payload wire.Payload
	// Progress sends a part of the result ahead. It waits while the caller takes no more, until ctx ends.
	Progress func(ctx context.Context, part wire.Payload) error
}

// CallLimits bound what handlers cost. Zero values are replaced by the defaults that are given with them.
type CallLimits struct {
	Workers    int           // handlers that run at once; 256
	Waiting    int           // calls that may wait for one; 1,024
	Timeout    time.Duration // of a call that says nothing of it; 30 s
	MaxTimeout time.Duration // that a call may ask for; 5 min
}

func (l CallLimits) withDefaults() CallLimits {
	if l.Workers == 0 {
		l.Workers = 256
	}
	if l.Waiting == 0 {
		l.Waiting = 1024
	}
	if l.Timeout == 0 {
		l.Timeout = 30 * time.Second
	}
	if l.MaxTimeout == 0 {
		l.MaxTimeout = 5 * time.Minute
	}
	return l
}

// ownMethods begins the names of the gateway's own methods.
const ownMethods = "magpie."

// Handle has calls of a method served by a handler.
func (h *Hub) Handle(method string, handler Handler) error {
	if err := wire.CheckMethod(method); err != nil {
		return err
	}
	if strings.HasPrefix(method, ownMethods) {
		return wire.Errorf(wire.CodeInvalidArgument, "methods %s* are the gateway's own: %q needs another name", ownMethods, method)
	}
	if _, taken := h.handlers.LoadOrStore(method, handler); taken {
		return wire.Errorf(wire.CodeAlreadyExists, "the method %q has a handler already", method)
	}
	return nil
}

// Submit has run called on a worker, with a context that ends with the time that the call allows and when the hub closes.
// The caller ends it by cancel.
func (h *Hub) Submit(c *wire.Call, run func(ctx context.Context)) (ctx context.Context, cancel context.CancelFunc, err error) {
	if h.draining.Load() {
		return nil, nil, wire.Errorf(wire.CodeUnavailable, "node %s is shutting down: connect again, to another, and call there", h.opts.NodeID)
	}
	limits := &h.opts.Calls
	timeout := limits.Timeout
	if c.TimeoutMs > 0 {
		timeout = limits.MaxTimeout
		if c.TimeoutMs < timeout.Milliseconds() {
			timeout = time.Duration(c.TimeoutMs) * time.Millisecond
		}
	}
	ctx, cancel = context.WithTimeout(h.ctx, timeout)
	if err := h.calls.do(func() { run(ctx) }); err != nil {
		cancel()
		return nil, nil, err
	}
	return ctx, cancel, nil
}

// Invoke runs a handler, and makes of whatever it does an answer: an error that is no *wire.Error, or a panic, is logged
// and becomes one that says nothing of it.
func (h *Hub) Invoke(ctx context.Context, handler Handler, in *Incoming) (payload wire.Payload, err error) {
	defer func() {
		if p := recover(); p != nil {
			h.log.Error("a handler panicked", "method", in.Method, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			payload, err = wire.Payload{}, wire.Errorf(wire.CodeInternal, "the handler of %q failed", in.Method)
		}
	}()
	if ctx.Err() != nil {
		return wire.Payload{}, ended(ctx, in.Method)
	}
	payload, err = handler(ctx, in)
	if ctx.Err() != nil { // too late, whatever it is
		return wire.Payload{}, ended(ctx, in.Method)
	}
	if err != nil {
		return wire.Payload{}, h.failure(in, err)
	}
	return payload, h.checkResult(in.Method, payload)
}

func (h *Hub) failure(in *Incoming, err error) error {
	if failure, ok := errors.AsType[*wire.Error](err); ok {
		return failure
	}
	h.log.Error("a handler failed", slog.String("method", in.Method), slog.Any("error", err))
	return wire.Errorf(wire.CodeInternal, "the handler of %q failed", in.Method)
}

// ended is the answer to a call whose context has ended before it did.
func ended(ctx context.Context, method string) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return wire.Errorf(wire.CodeDeadlineExceeded, "the call of %q took longer than it may", method)
	}
	return wire.Errorf(wire.CodeUnavailable, "the gateway was shut down before the call of %q ended", method)
}

// checkResult refuses what must not reach a client.
func (h *Hub) checkResult(method string, p wire.Payload) error {
	if limit := h.opts.MaxMessage; len(p.Bytes) > limit {
		err := wire.Errorf(wire.CodeResourceExhausted, "the result of %q has %d bytes, and the limit is %d", method, len(p.Bytes), limit)
		err.Retryable = false
		return err
	}
	if p.Kind == wire.PayloadText && !utf8.Valid(p.Bytes) {
		return wire.Errorf(wire.CodeInternal, "the result of %q is text that is no UTF-8", method)
	}
	return nil
}

// Expired is the answer to a call whose context has ended while its handler goes on.
func (h *Hub) Expired(ctx context.Context, method string) error { return ended(ctx, method) }

// Answered counts the end of a call.
func (h *Hub) Answered(err error) {
	if err != nil {
		h.Metrics.CallErrors.Add(1)
	} else {
		h.Metrics.Calls.Add(1)
	}
}

// FinishCalls waits until no handler runs any more, or ctx ends: then the contexts of those that do are ended. New calls are
// refused once the hub drains.
func (h *Hub) FinishCalls(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		h.calls.wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		h.cancel()
	}
}
