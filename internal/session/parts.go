package session

import (
	"github.com/magpie-bridge/magpie/internal/hub"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// partsAhead is how many parts of a call's result a callee may have credit for, or be held here, however many its caller
// would take: they are what a caller that does not read can cost.
const partsAhead = 64

// parts are the parts of a result on their way to the caller. out + len(held) <= partsAhead.
type parts struct {
	granted int64          // credit of the caller that the callee was not given yet
	out     int64          // credit that the callee has
	held    []wire.Payload // that came while the caller's session was full
	charged int            // to the budget, for held
}

// Part takes a part of the result.
func (c *openCall) Part(from hub.Home, _ *hub.Exchange, part wire.Payload) {
	sh := c.session.shard
	if from == hub.Home(sh) {
		c.part(part)
		return
	}
	part = part.Clone()
	sh.loop.Post(func() { c.part(part) })
}

func (c *openCall) part(part wire.Payload) {
	s := c.session
	if c.ended {
		return
	}
	p := &c.parts
	if p.out--; p.out < 0 {
		c.fail(hub.ErrFlood)
		return
	}
	if len(p.held) == 0 && s.waiting() <= s.maxOutbox() {
		s.send(&wire.Frame{RequestID: c.requestID, Body: &wire.Progress{Payload: part}})
		c.topUp()
		s.shard.pumpLater(s)
		return
	}
	budget := s.shard.settings.Budget
	if budget.Spent() {
		c.fail(wire.Errorf(wire.CodeResourceExhausted, "the caller does not read the progress of the call of %q, and the gateway's memory is spent", c.exchange.Method))
		return
	}
	p.held = append(p.held, part.Clone())
	p.charged += len(part.Bytes)
	budget.Charge(len(part.Bytes))
}

// fail ends the call at both ends.
func (c *openCall) fail(err error) {
	c.exchange.Cancel(c.session.shard)
	c.dropParts()
	c.finish(nil, err)
}

// credited takes what the caller allows.
func (c *openCall) credited(count int64) {
	c.parts.granted = min(c.parts.granted+min(max(count, 0), hub.MaxCredit), hub.MaxCredit)
	c.topUp()
}

// topUp passes credit on, as much as may be ahead: not for each part anew.
func (c *openCall) topUp() {
	p := &c.parts
	ahead := p.out + int64(len(p.held))
	if ahead > partsAhead/2 {
		return
	}
	if n := min(p.granted, partsAhead-ahead); n > 0 {
		p.granted -= n
		p.out += n
		c.exchange.Credit(c.session.shard, n)
	}
}

// sendParts sends the first n of the parts that are held.
func (c *openCall) sendParts(n int) {
	p := &c.parts
	for _, part := range p.held[:n] {
		c.session.send(&wire.Frame{RequestID: c.requestID, Body: &wire.Progress{Payload: part}})
		p.charged -= len(part.Bytes)
		c.session.shard.settings.Budget.Charge(-len(part.Bytes))
	}
	if p.held = p.held[n:]; len(p.held) == 0 {
		p.held = nil
	}
}

// dropParts forgets the parts that are held.
func (c *openCall) dropParts() {
	c.session.shard.settings.Budget.Charge(-c.parts.charged)
	c.parts.held, c.parts.charged = nil, 0
}

// releaseParts sends what was held while the session was full, as far as there is room now.
func (s *Session) releaseParts() {
	for c := s.shard.calls[s.slot]; c != nil; c = c.next {
		for len(c.parts.held) > 0 {
			if s.waiting() > s.maxOutbox() {
				return
			}
			c.sendParts(1)
			s.shard.pumpLater(s)
		}
		c.topUp()
	}
}
