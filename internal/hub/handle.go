package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync/atomic"
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

// Handle has calls of a method served by a handler.
func (h *Hub) Handle(method string, handler Handler) error {
	if err := wire.CheckMethod(method); err != nil {
		return err
	}
	if strings.HasPrefix(method, wire.OwnMethods) {
		return wire.Errorf(wire.CodeInvalidArgument, "methods %s* are the gateway's own: %q needs another name", wire.OwnMethods, method)
	}
	if _, taken := h.handlers.LoadOrStore(method, handler); taken {
		return wire.Errorf(wire.CodeAlreadyExists, "the method %q has a handler already", method)
	}
	return nil
}

// handling is a call that a handler has in hand (Callee).
type handling struct {
	hub      *Hub
	x        *Exchange
	cancel   context.CancelFunc
	credit   credit
	job      job
	answered atomic.Bool
}

// run has a handler answer the call on a worker.
func (h *Hub) run(x *Exchange, handler Handler) error {
	x.Keep()
	ctx, cancel := context.WithDeadline(h.ctx, x.Deadline)
	c := &handling{hub: h, x: x, cancel: cancel, credit: credit{n: InitialCredit}}
	if given, ok := x.Taken(c); !ok {
		cancel()
		return nil
	} else if given > 0 {
		c.credit.add(given)
	}
	in := &Incoming{Method: x.Method, Caller: x.Caller, Session: x.Session, Meta: x.Meta, Payload: x.Payload, Progress: c.progress}
	c.job = job{size: len(x.Payload.Bytes), run: func() {
		defer cancel()
		payload, err := h.invoke(ctx, handler, in)
		c.answer(payload, err)
	}}
	if err := h.calls.put(&c.job); err != nil {
		cancel()
		return err
	}
	context.AfterFunc(ctx, func() { c.expired(ctx) })
	return nil
}

// answer passes on what the handler made of the call, unless that comes too late.
func (c *handling) answer(payload wire.Payload, err error) {
	if c.answered.Swap(true) {
		c.hub.Metrics.Late.Add(1)
		return
	}
	c.x.Back.Answer(nil, c.x, &wire.Reply{Payload: payload}, err)
}

// expired answers in place of a handler that goes on though its context has ended, or that has not begun.
func (c *handling) expired(ctx context.Context) {
	if !c.answered.Swap(true) {
		c.hub.calls.withdraw(&c.job)
		c.x.Back.Answer(nil, c.x, nil, ended(ctx, c.x.Method))
	}
}

// progress sends a part of the result; it is called by the handler.
func (c *handling) progress(ctx context.Context, part wire.Payload) error {
	if err := c.hub.checkResult(c.x.Method, part); err != nil {
		return err
	}
	if err := c.credit.take(ctx); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	c.x.Back.Part(nil, c.x, part)
	return nil
}

// Cancel ends the handler's context.
func (c *handling) Cancel(Home) { c.cancel() }

// Credit lets the handler send more.
func (c *handling) Credit(_ Home, count int64) { c.credit.add(count) }

// invoke runs a handler, and makes of whatever it does an answer: an error that is no *wire.Error, or a panic, is logged
// and becomes one that says nothing of it.
func (h *Hub) invoke(ctx context.Context, handler Handler, in *Incoming) (payload wire.Payload, err error) {
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
		return h.fit(in, failure.Known())
	}
	h.log.Error("a handler failed", slog.String("method", in.Method), slog.Any("error", err))
	return wire.Errorf(wire.CodeInternal, "the handler of %q failed", in.Method)
}

// fit leaves out of a handler's error what must not reach a client.
func (h *Hub) fit(in *Incoming, e *wire.Error) error {
	if len(e.Details) == 0 || len(e.Details) <= h.opts.MaxMessage && json.Valid(e.Details) {
		return e
	}
	h.log.Error("the details of a handler's error are no JSON, or too large, and are left out", "method", in.Method, "bytes", len(e.Details))
	bare := *e
	bare.Details = nil
	return &bare
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
