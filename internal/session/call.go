package session

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"time"

	"github.com/magpie-bridge/magpie/internal/hub"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// openCall is a call that a handler has in hand. The shard holds those of its sessions.
type openCall struct {
	session   *Session
	requestID string
	method    string
	next      *openCall // of the same session
	ended     bool      // it was answered, or nobody waits for an answer
	stop      func() bool
	cancel    context.CancelFunc
	credit    credit
}

// call answers a call of one of the gateway's own methods at once, and hands any other to its handler.
func (s *Session) call(requestID string, b *wire.Call) {
	if strings.TrimSpace(requestID) == "" {
		s.fail("", wire.Errorf(wire.CodeInvalidArgument, "call needs a requestId: without one its reply could not be told from others"))
		return
	}
	payload, handler, err := s.shard.settings.Hub.Call(s.principal, b)
	switch {
	case err != nil:
		s.fail(requestID, err)
	case handler != nil:
		s.invoke(requestID, b, handler)
	default:
		s.send(&wire.Frame{RequestID: requestID, Body: &wire.Reply{Payload: payload}})
	}
}

// invoke has a handler run on a worker. Its result comes back to the loop.
func (s *Session) invoke(requestID string, b *wire.Call, handler hub.Handler) {
	if s.calling(requestID) != nil {
		s.fail(requestID, wire.Errorf(wire.CodeAlreadyExists, "a call with this requestId is under way: give each its own"))
		return
	}
	h := s.shard.settings.Hub
	c := &openCall{session: s, requestID: strings.Clone(requestID), method: strings.Clone(b.Method), credit: credit{n: initialCredit}}
	in := &hub.Incoming{
		Method:   c.method,
		Caller:   s.principal,
		Session:  s.ID(),
		Meta:     b.Meta.Clone(),
		Payload:  wire.Payload{Kind: b.Payload.Kind, Bytes: bytes.Clone(b.Payload.Bytes)},
		Progress: c.progress,
	}
	ctx, cancel, err := h.Submit(b, func(ctx context.Context) {
		payload, err := h.Invoke(ctx, handler, in)
		s.shard.loop.Post(func() {
			if c.ended {
				s.shard.Metrics.Late.Add(1)
			}
			c.finish(payload, err)
		})
	})
	if err != nil {
		h.Answered(err)
		s.fail(requestID, err)
		return
	}
	c.cancel = cancel
	c.stop = context.AfterFunc(ctx, func() {
		s.shard.loop.Post(func() { c.finish(wire.Payload{}, h.Expired(ctx, c.method)) })
	})
	s.inFlight++
	c.next = s.shard.calls[s.slot]
	s.shard.calls[s.slot] = c
}

// calling returns the call of that requestId which is under way, or nil.
func (s *Session) calling(requestID string) *openCall {
	for c := s.shard.calls[s.slot]; c != nil; c = c.next {
		if c.requestID == requestID {
			return c
		}
	}
	return nil
}

// finish answers the call, unless that was done before.
func (c *openCall) finish(payload wire.Payload, err error) {
	s := c.session
	if c.ended {
		return
	}
	c.end()
	s.shard.settings.Hub.Answered(err)
	if err != nil {
		s.fail(c.requestID, err)
	} else {
		s.send(&wire.Frame{RequestID: c.requestID, Body: &wire.Reply{Payload: payload}})
	}
	s.Flush()
}

// end takes the call from those under way; its handler is told that nobody waits.
func (c *openCall) end() {
	s := c.session
	calls := s.shard.calls
	if first := calls[s.slot]; first == c {
		if c.next == nil {
			delete(calls, s.slot)
		} else {
			calls[s.slot] = c.next
		}
	} else {
		for first.next != c {
			first = first.next
		}
		first.next = c.next
	}
	s.inFlight--
	c.ended = true
	c.stop()
	c.cancel()
}

// canceled ends a call that its caller has given up.
func (s *Session) canceled(requestID string) {
	c := s.calling(requestID)
	if c == nil {
		return // answered meanwhile, or at once
	}
	c.end()
	err := wire.Errorf(wire.CodeCanceled, "the call of %q was canceled", c.method)
	s.shard.settings.Hub.Answered(err)
	s.fail(requestID, err)
}

// dropCalls ends every call, because their caller goes.
func (s *Session) dropCalls() {
	for c := s.shard.calls[s.slot]; c != nil; c = s.shard.calls[s.slot] {
		c.end()
		s.shard.settings.Hub.Answered(context.Canceled)
	}
}

// progress sends a part of the result; it is called by the handler.
func (c *openCall) progress(ctx context.Context, part wire.Payload) error {
	if err := c.credit.take(ctx); err != nil {
		return err
	}
	for {
		taken := make(chan bool, 1)
		if !c.session.shard.loop.Post(func() { taken <- c.sendProgress(part) }) {
			return wire.Errorf(wire.CodeUnavailable, "the gateway is shut down")
		}
		select {
		case ok := <-taken:
			if ok {
				return ctx.Err()
			}
		case <-ctx.Done():
			return ctx.Err()
		}
		select {
		case <-time.After(fullPause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// fullPause is how long a handler waits before it looks again whether its caller, who has not read what there is, has room.
const fullPause = 10 * time.Millisecond

// sendProgress reports false when the session has no room for it.
func (c *openCall) sendProgress(part wire.Payload) bool {
	s := c.session
	if c.ended {
		return true
	}
	if s.waiting() >= s.maxOutbox() {
		return false
	}
	s.send(&wire.Frame{RequestID: c.requestID, Body: &wire.Progress{Payload: part}})
	s.Flush()
	return true
}

// initialCredit is how many progress frames a callee may send before it is given more.
const initialCredit = 16

// maxCredit bounds what a caller can give, so that it cannot overflow.
const maxCredit = 1 << 30

// credit counts the progress frames that a caller still takes. Safe for concurrent use.
type credit struct {
	mu   sync.Mutex // guards the fields below
	n    int
	more chan struct{} // closed when n has grown; nil while nobody waits
}

// take waits for a credit and takes it.
func (c *credit) take(ctx context.Context) error {
	for {
		c.mu.Lock()
		if c.n > 0 {
			c.n--
			c.mu.Unlock()
			return nil
		}
		if c.more == nil {
			c.more = make(chan struct{})
		}
		more := c.more
		c.mu.Unlock()
		select {
		case <-more:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (c *credit) add(count int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n = int(min(int64(c.n)+min(max(count, 0), maxCredit), maxCredit))
	if c.more != nil {
		close(c.more)
		c.more = nil
	}
}
