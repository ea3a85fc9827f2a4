package hub

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// Ask is a call of somebody who may block: the embedding program, or a backend. parts, if it is not nil, takes the parts
// of the result that come before it, in order; while it has not returned, the callee is not given credit for more. When ctx
// ends, the callee is told.
func (h *Hub) Ask(ctx context.Context, by *auth.Principal, c *wire.Call, parts func(wire.Payload)) (*wire.Reply, error) {
	if deadline, ok := ctx.Deadline(); ok && c.TimeoutMs == 0 {
		c.TimeoutMs = max(time.Until(deadline).Milliseconds(), 1)
	}
	if n, limit := len(c.Payload.Bytes), h.opts.MaxMessage; n > limit {
		return nil, wire.Errorf(wire.CodeInvalidArgument, "the argument of %q has %d bytes: this gateway takes at most %d", c.Method, n, limit)
	}
	payload, answered, err := h.CallNow(by, c)
	if answered {
		return &wire.Reply{Payload: payload}, err
	}
	reply, err := h.ask(ctx, by, c, parts)
	h.Answered(err)
	return reply, err
}

func (h *Hub) ask(ctx context.Context, by *auth.Principal, c *wire.Call, parts func(wire.Payload)) (*wire.Reply, error) {
	x, err := h.NewExchange(by, c)
	if err != nil {
		return nil, err
	}
	a := &asking{parts: make(chan wire.Payload, InitialCredit), done: make(chan struct{})}
	x.Back = a
	h.Metrics.CallsOpen.Add(1)
	defer h.Metrics.CallsOpen.Add(-1)
	h.Dispatch(x)
	over, cancel := context.WithDeadline(ctx, x.Deadline)
	defer cancel()
	taken := int64(0)
	for {
		select {
		case part := <-a.parts:
			pass(parts, part)
			if taken++; taken == InitialCredit/2 {
				x.Credit(nil, taken)
				taken = 0
			}
		case <-a.done:
			for len(a.parts) > 0 {
				pass(parts, <-a.parts)
			}
			return a.reply, a.err
		case <-over.Done():
			if !errors.Is(ctx.Err(), context.Canceled) && x.Expire(nil) {
				<-a.done
				return a.reply, a.err
			}
			x.Cancel(nil)
			if errors.Is(ctx.Err(), context.Canceled) {
				return nil, wire.Errorf(wire.CodeCanceled, "the call of %q was canceled", c.Method)
			}
			return nil, ended(over, c.Method)
		}
	}
}

func pass(parts func(wire.Payload), part wire.Payload) {
	if parts != nil {
		parts(part)
	}
}

// asking waits for what comes of a call (Back).
type asking struct {
	parts chan wire.Payload // has room for all that a callee has credit for
	once  sync.Once         // closes done
	done  chan struct{}     // closed when the fields below are set
	reply *wire.Reply
	err   error
}

// Part passes a part on. One for which there was no credit ends the call: the callee breaks the protocol.
func (a *asking) Part(from Home, x *Exchange, part wire.Payload) {
	select {
	case a.parts <- part.Clone():
	default:
		x.Cancel(from)
		a.Answer(from, x, nil, ErrFlood)
	}
}

func (a *asking) Answer(_ Home, _ *Exchange, reply *wire.Reply, err error) {
	a.once.Do(func() {
		if err == nil {
			a.reply = reply.Clone()
		}
		a.err = err
		close(a.done)
	})
}

// ErrFlood is what becomes of a call whose callee sends more parts than it has credit for.
var ErrFlood = wire.Errorf(wire.CodeResourceExhausted, "the callee sent more progress than it had credit for")
