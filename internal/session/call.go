package session

import (
	"context"
	"strings"
	"time"

	"github.com/magpie-bridge/magpie/internal/hub"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// openCall is a call of this session that is under way: the caller's side of an exchange (hub.Back). The shard holds those
// of its sessions.
type openCall struct {
	session   *Session
	exchange  *hub.Exchange
	requestID string
	next      *openCall // of the same session
	ended     bool      // it was answered, or nobody waits for an answer
	timer     *time.Timer
	parts     parts
}

// call answers a call of one of the gateway's own methods at once, and sends any other on.
func (s *Session) call(requestID string, b *wire.Call) {
	if strings.TrimSpace(requestID) == "" {
		s.fail("", wire.Errorf(wire.CodeInvalidArgument, "call needs a requestId: without one its reply could not be told from others"))
		return
	}
	payload, answered, err := s.shard.settings.Hub.CallNow(s.principal, b)
	switch {
	case err != nil:
		s.fail(requestID, err)
	case answered:
		s.send(&wire.Frame{RequestID: requestID, Body: &wire.Reply{Payload: payload}})
	default:
		s.dispatchCall(requestID, b)
	}
}

// dispatchCall sends a call on. Its result comes back to the loop.
func (s *Session) dispatchCall(requestID string, b *wire.Call) {
	h := s.shard.settings.Hub
	if err := s.mayCall(requestID); err != nil {
		s.fail(requestID, err)
		return
	}
	x, err := h.NewExchange(s.principal, b)
	if err != nil {
		h.Answered(err)
		s.fail(requestID, err)
		return
	}
	c := &openCall{session: s, exchange: x, requestID: requestID, parts: parts{out: hub.InitialCredit}}
	x.Session, x.Back, x.From = s.ID(), c, s.shard
	c.timer = time.AfterFunc(time.Until(x.Deadline), c.expired)
	c.next = s.shard.calls[s.slot]
	s.shard.calls[s.slot] = c
	h.Metrics.CallsOpen.Add(1)
	h.Dispatch(x)
}

// mayCall refuses a call whose name is taken, or that is one too many. It must not wait instead, and what comes behind it
// with it: a service's calls may be answered only after the calls that it makes to answer others.
func (s *Session) mayCall(requestID string) error {
	open := 0
	for c := s.shard.calls[s.slot]; c != nil; c = c.next {
		if c.requestID == requestID {
			return wire.Errorf(wire.CodeAlreadyExists, "a call with this requestId is under way: give each its own")
		}
		open++
	}
	if open >= maxCalls {
		return wire.Errorf(wire.CodeResourceExhausted, "%d calls of this session are open: wait until some of them are answered", open)
	}
	return nil
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

// Answer takes the end of the call.
func (c *openCall) Answer(from hub.Home, _ *hub.Exchange, reply *wire.Reply, err error) {
	sh := c.session.shard
	if from == hub.Home(sh) {
		c.finish(reply, err)
		return
	}
	if err == nil {
		reply = reply.Clone()
	}
	sh.loop.Post(func() { c.finish(reply, err) })
}

// expired tells that the time of the call is over. It is called by the timer.
func (c *openCall) expired() {
	sh := c.session.shard
	sh.loop.Post(func() {
		if !c.ended && !c.exchange.Expire(sh) {
			c.finish(nil, wire.Errorf(wire.CodeDeadlineExceeded, "the call of %q took longer than it may", c.exchange.Method))
		}
	})
}

// finish answers the call, unless that was done before.
func (c *openCall) finish(reply *wire.Reply, err error) {
	s := c.session
	if c.ended {
		return
	}
	if err == nil && s.waiting() > s.maxOutbox() && s.shard.settings.Budget.Spent() {
		err = errUnread(c.exchange.Method)
		c.dropParts()
	}
	c.sendParts(len(c.parts.held)) // they come before the reply, whether there is room or not
	c.end()
	s.shard.settings.Hub.Answered(err)
	if err != nil {
		s.fail(c.requestID, err)
	} else {
		s.send(&wire.Frame{RequestID: c.requestID, Body: reply})
	}
	s.shard.pumpLater(s)
}

// errUnread is the answer to a caller that could not be given the result.
func errUnread(method string) error {
	err := wire.Errorf(wire.CodeResourceExhausted, "the call of %q was carried out, and its result is lost: its caller does not read, and the gateway's memory is spent", method)
	err.Retryable = false
	return err
}

// end takes the call from those under way.
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
	c.ended = true
	c.timer.Stop()
	c.dropParts()
	s.shard.settings.Hub.Metrics.CallsOpen.Add(-1)
}

// canceled ends a call that its caller has given up.
func (s *Session) canceled(requestID string) {
	c := s.calling(requestID)
	if c == nil {
		return // answered meanwhile, or at once
	}
	c.exchange.Cancel(s.shard)
	c.finish(nil, wire.Errorf(wire.CodeCanceled, "the call of %q was canceled", c.exchange.Method))
}

// dropCalls ends every call, because their caller goes.
func (s *Session) dropCalls() {
	for c := s.shard.calls[s.slot]; c != nil; c = s.shard.calls[s.slot] {
		c.end()
		c.exchange.Cancel(s.shard)
		s.shard.settings.Hub.Answered(context.Canceled)
	}
}
