package magpieclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"
	"unicode/utf8"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// Handler answers the calls of a method. It runs on a goroutine of its own, with as many beside it as the concurrency
// allows, and may block. ctx ends with the time of the call, when nobody waits for the result any more, and with the
// line over which the call came.
//
// An [*Error] reaches the caller as it is. Of any other error, and of a panic, the caller is told only that the handler
// failed; the client's logger is told all.
type Handler func(ctx context.Context, r *Request) (Payload, error)

// Caller is who made a call, as the gateway knows it and not as the caller says.
type Caller struct{ UserID, SessionID string }

// Request is a call as its handler sees it. The handler may keep it; Progress may be called by any goroutine.
type Request struct {
	Method  string
	Caller  Caller
	Meta    map[string]string // what travels along, such as a trace context
	Payload Payload

	service *Service
	line    *line // over which it came, and has to be answered
	id      string
	ctx     context.Context //nolint:containedctx // that of this call
	cancel  context.CancelFunc

	// Guarded by Client.mu.
	ended  bool          // it was answered, or nobody waits for the answer
	credit int64         // parts of the result that the caller still takes
	more   chan struct{} // closed when credit has grown; nil while nobody waits for that
}

// maxCredit bounds what a caller can give, so that the sum cannot overflow.
const maxCredit = 1 << 30

// newRequest copies a call out of the decoder's memory. Its time runs from now on.
func newRequest(s *Service, l *line, id string, body *wire.Call) *Request {
	r := &Request{
		Method:  body.Method,
		Caller:  Caller{UserID: body.CallerID, SessionID: string(body.CallerSID)},
		Meta:    mapOf(body.Meta),
		Payload: payloadOf(body.Payload),
		service: s,
		line:    l,
		id:      id,
		credit:  progressWindow,
	}
	if body.TimeoutMs > 0 {
		r.ctx, r.cancel = context.WithTimeout(s.client.ctx, time.Duration(body.TimeoutMs)*time.Millisecond)
	} else {
		r.ctx, r.cancel = context.WithCancel(s.client.ctx)
	}
	return r
}

// Progress sends a part of the result ahead of it. Parts arrive in the order in which they were sent. While the caller
// takes no more of them it waits, until ctx ends; it fails once nobody waits for the result any more.
func (r *Request) Progress(ctx context.Context, part Payload) error {
	f := wire.Frame{RequestID: r.id, Body: &wire.Progress{Payload: part.wire()}}
	if refusal := r.unfit(&f, part); refusal != nil {
		return errorOf(refusal)
	}
	for {
		more, err := r.push(f)
		if more == nil {
			return err
		}
		select {
		case <-more:
		case <-r.ctx.Done():
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// push sends a part, or gives what to wait for when there is no credit left.
func (r *Request) push(f wire.Frame) (more <-chan struct{}, err error) {
	c := r.service.client
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case r.ended || r.ctx.Err() != nil:
		return nil, context.Cause(r.ctx)
	case r.credit > 0:
		r.credit--
		r.line.push(f)
		return nil, nil
	}
	if r.more == nil {
		r.more = make(chan struct{})
	}
	return r.more, nil
}

// credited lets the handler send more parts; Client.mu is held.
func (r *Request) credited(count int64) {
	r.credit = min(r.credit+min(max(count, 0), maxCredit), maxCredit)
	if r.more != nil {
		close(r.more)
		r.more = nil
	}
}

// end takes the call from those that somebody waits for; Client.mu is held.
func (r *Request) end() {
	r.ended = true
	delete(r.service.client.calls, r.id)
	r.cancel()
}

// run has the handler run, and answers. However the handler ends, the call is answered: also when it panics or leaves
// its goroutine.
func (r *Request) run() {
	var answer wire.Body
	defer func() {
		if answer == nil {
			r.log().Error("a handler panicked", "panic", fmt.Sprint(recover()), "stack", string(debug.Stack()))
			answer = r.failed()
		}
		r.answer(answer)
	}()
	if err := r.ctx.Err(); err != nil { // while it waited
		answer = r.outcome(Payload{}, err)
		return
	}
	answer = r.outcome(r.service.handler(r.ctx, r))
}

// outcome makes an answer of what the handler returned.
func (r *Request) outcome(payload Payload, err error) wire.Body {
	if err == nil {
		f := wire.Frame{RequestID: r.id, Body: &wire.Reply{Payload: payload.wire()}}
		if refusal := r.unfit(&f, payload); refusal != nil {
			r.log().Error("a handler's result cannot be sent", "reason", refusal.Message)
			return refusal
		}
		return f.Body
	}
	if own, ok := errors.AsType[*Error](err); ok {
		return r.failure(own)
	}
	switch ended := r.ctx.Err(); {
	case errors.Is(ended, context.DeadlineExceeded):
		return r.expired()
	case ended != nil:
		return wire.Errorf(wire.CodeUnavailable, "the peer that had the call of %q in hand leaves: it may have been carried out", r.Method)
	}
	r.log().Error("a handler failed", "error", err)
	return r.failed()
}

func (r *Request) expired() *wire.Error {
	return wire.Errorf(wire.CodeDeadlineExceeded, "the call of %q took longer than it may", r.Method)
}

func (r *Request) failed() *wire.Error {
	return wire.Errorf(wire.CodeInternal, "the handler of %q failed", r.Method)
}

// failure is the handler's own error as it crosses the line.
func (r *Request) failure(own *Error) *wire.Error {
	body := &wire.Error{
		Code:       wire.Code(own.Code),
		Message:    own.Message,
		Retryable:  own.Retryable,
		RetryAfter: own.RetryAfter,
	}
	if body.Code == "" {
		body.Code = wire.CodeUnknown
	}
	if json.Valid(own.Details) {
		body.Details = own.Details
	}
	if refusal := r.tooLarge(&wire.Frame{RequestID: r.id, Body: body}); refusal != nil {
		r.log().Error("a handler's error cannot be sent", "reason", refusal.Message)
		return refusal
	}
	return body
}

// unfit tells what keeps a part or a result from being sent: the gateway would close the line for it.
func (r *Request) unfit(f *wire.Frame, p Payload) *wire.Error {
	switch {
	case p.Kind == PayloadJSON && len(p.Bytes) > 0 && !json.Valid(p.Bytes):
		return wire.Errorf(wire.CodeInternal, "the result of %q is said to be JSON and is not", r.Method)
	case p.Kind == PayloadText && !utf8.Valid(p.Bytes):
		return wire.Errorf(wire.CodeInternal, "the result of %q is text that is no UTF-8", r.Method)
	}
	// A byte of text takes up to six in JSON.
	if int64(6*len(p.Bytes)+frameOverhead) <= r.line.hello.MaxFrameBytes {
		return nil
	}
	return r.tooLarge(f)
}

func (r *Request) tooLarge(f *wire.Frame) *wire.Error {
	limit := r.line.hello.MaxFrameBytes
	size := len(r.line.codec.Append(nil, f))
	if limit <= 0 || int64(size) <= limit {
		return nil
	}
	refusal := wire.Errorf(wire.CodeResourceExhausted, "the result of %q takes %d bytes, and the limit is %d", r.Method, size, limit)
	refusal.Retryable = false
	return refusal
}

// answer ends the call, unless nobody waits for its end.
func (r *Request) answer(body wire.Body) {
	c := r.service.client
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.ended {
		return
	}
	r.line.push(wire.Frame{RequestID: r.id, Body: body})
	r.end()
}

func (r *Request) log() *slog.Logger {
	return r.service.client.log.With("method", r.Method, "caller", r.Caller.UserID)
}
