package hub

import (
	"context"
	"errors"
	"time"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// Method is a method of the gateway itself. It runs where the call came in, so it must not block. The payload of its
// reply may be that of the call.
type Method func(c *wire.Call) (wire.Payload, error)

// builtin returns the methods that every gateway answers.
func builtin() map[string]Method {
	return map[string]Method{
		// magpie.echo answers with the payload it was given: how a client tests the line, and its own code.
		"magpie.echo": func(c *wire.Call) (wire.Payload, error) { return c.Payload, nil },
	}
}

// Lines bring calls to sessions.
type Lines interface {
	// Reach brings a call to the sessions that it is directed at, or answers it when there is none.
	Reach(x *Exchange)
}

// SetLines tells where sessions are to be found. It is called once, before the first call.
func (h *Hub) SetLines(lines Lines) { h.lines = lines }

// Directory tells where the sessions of a user are.
func (h *Hub) Directory() *Directory { return h.directory }

// CallNow answers a call that needs nobody but the gateway: of one of its own methods, or one that is refused. Otherwise
// answered is false, and the call is to be sent on by [Hub.Dispatch].
func (h *Hub) CallNow(by *auth.Principal, c *wire.Call) (payload wire.Payload, answered bool, err error) {
	payload, answered, err = h.callNow(by, c)
	if answered {
		h.Answered(err)
	}
	return payload, answered, err
}

func (h *Hub) callNow(by *auth.Principal, c *wire.Call) (payload wire.Payload, answered bool, err error) {
	if err := wire.CheckMethod(c.Method); err != nil {
		return payload, true, err
	}
	if err := by.May(auth.Call, wire.ChannelName(c.Method)); err != nil {
		return payload, true, err
	}
	if method, ok := h.methods[c.Method]; ok && c.To == "" {
		payload, err = method(c)
		return payload, true, err
	}
	if h.draining.Load() {
		return payload, true, wire.Errorf(wire.CodeUnavailable, "node %s is shutting down: connect again, to another, and call there", h.opts.NodeID)
	}
	return payload, false, nil
}

// NewExchange makes the exchange of a call, of which it checks whom it is directed at. The caller sets Back, and From and
// Session where it has them. The payload is still the call's.
func (h *Hub) NewExchange(by *auth.Principal, c *wire.Call) (*Exchange, error) {
	target, err := c.Target()
	if err != nil {
		return nil, err
	}
	x := &Exchange{
		Method: c.Method, To: target, Caller: by, Deadline: time.Now().Add(h.timeout(c)), Meta: c.Meta, Payload: c.Payload,
	}
	switch target.Kind {
	case wire.TargetService:
	case wire.TargetUser:
		if target.Name != by.UserID {
			err = by.May(auth.Reach, wire.ChannelName(auth.UserChannelPrefix+target.Name))
		}
	case wire.TargetSession:
		x.OwnOnly = by.May(auth.Reach, wire.ChannelName(sessionPrefix+target.Name)) != nil
	case wire.TargetChannel:
		err = by.May(auth.Reach, wire.ChannelName(target.Name))
	}
	return x, err
}

// sessionPrefix begins the names of sessions in rights.
const sessionPrefix = "session."

// timeout is how long a call may take.
func (h *Hub) timeout(c *wire.Call) time.Duration {
	limits := &h.opts.Calls
	switch {
	case c.TimeoutMs <= 0:
		return limits.Timeout
	case c.TimeoutMs < limits.MaxTimeout.Milliseconds():
		return time.Duration(c.TimeoutMs) * time.Millisecond
	default:
		return limits.MaxTimeout
	}
}

// LongestCall is how long a call may take at most.
func (h *Hub) LongestCall() time.Duration { return h.opts.Calls.MaxTimeout }

// Dispatch brings a call to whoever is to answer it. What comes of it goes to x.Back, possibly before Dispatch returns.
func (h *Hub) Dispatch(x *Exchange) {
	var err error
	switch {
	case x.To.Kind == wire.TargetService:
		err = h.serve(x)
	case h.lines != nil:
		h.lines.Reach(x)
	default:
		err = wire.Errorf(wire.CodeNotFound, "nobody is connected here")
	}
	if err != nil {
		x.Fail(x.From, err)
	}
}

func (h *Hub) serve(x *Exchange) error {
	if handler, ok := h.handlers.Load(x.Method); ok {
		return h.run(x, handler.(Handler))
	}
	for s := h.services.find(x.Method); s != nil; s = h.services.find(x.Method) {
		if err := s.place(x); !errors.Is(err, errClosed) {
			return err
		}
	}
	return wire.Errorf(wire.CodeNotFound, "nobody serves the method %q: the gateway itself serves magpie.echo", x.Method)
}

// Serve has calls of a method brought to a session, on behalf of its principal.
func (h *Hub) Serve(by *auth.Principal, b *wire.Serve, server Server) (*Registration, error) {
	if err := wire.CheckMethod(b.Method); err != nil {
		return nil, err
	}
	if err := by.May(auth.Serve, wire.ChannelName(b.Method)); err != nil {
		return nil, err
	}
	if _, taken := h.handlers.Load(b.Method); taken {
		return nil, wire.Errorf(wire.CodeAlreadyExists, "the method %q is served by the gateway itself: choose another name", b.Method)
	}
	if h.draining.Load() {
		return nil, wire.Errorf(wire.CodeUnavailable, "node %s is shutting down: connect again, to another, and serve there", h.opts.NodeID)
	}
	return h.services.register(b.Method, server, Concurrency(b)), nil
}

// Concurrency is how many calls a server takes at a time.
func Concurrency(b *wire.Serve) int {
	if b.Concurrency == 0 {
		return wire.DefaultConcurrency
	}
	return int(b.Concurrency)
}

// Answered counts the end of a call.
func (h *Hub) Answered(err error) {
	if err != nil {
		h.Metrics.CallErrors.Add(1)
	} else {
		h.Metrics.Calls.Add(1)
	}
}

// FinishCalls waits until no call is under way any more, or ctx ends: then the contexts of the handlers that still run are
// ended. New calls are refused once the hub drains.
func (h *Hub) FinishCalls(ctx context.Context) {
	const look = 10 * time.Millisecond
	done := make(chan struct{})
	go func() {
		h.calls.wait()
		close(done)
	}()
	looking := time.NewTicker(look)
	defer looking.Stop()
	for h.Metrics.CallsOpen.Load() > 0 {
		select {
		case <-looking.C:
		case <-ctx.Done():
			h.cancel()
			return
		}
	}
	select {
	case <-done:
	case <-ctx.Done():
		h.cancel()
	}
}
