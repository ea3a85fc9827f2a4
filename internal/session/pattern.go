package session

import (
	"bytes"
	"slices"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// expansion is what a session has of patterns, and of the channels that these stand for. Few sessions have any, so the shard
// holds it. A channel has one cursor, however many patterns and subscriptions of its own hold it:
//
//	a cursor is there  <=>  the client has subscribed the channel by its name, or one of the patterns in holders holds it
type expansion struct {
	session  *Session
	patterns map[wire.ChannelName]*pattern // by their texts
	joined   map[wire.ChannelName]*holding // the channels that patterns hold
	queue    []*joining                    // what is to be joined, in this order
	asked    int                           // the first so many of these have been prepared
	listings []listing                     // the first is under way
	busy     bool                          // the first of the queue is being looked up
	paused   bool                          // until the line has room
}

// pattern is one that a session has subscribed.
type pattern struct {
	of        *expansion
	text      wire.ChannelName
	words     auth.Pattern
	frame     wire.Subscribe // how its channels are subscribed
	positions map[wire.ChannelName]wire.Start
	ended     bool
}

// holding is who holds a channel.
type holding struct {
	own bool // the client has subscribed it by its name as well
	by  []*pattern
}

// expansionOf returns what the session has of patterns, which is made when it is needed.
func (sh *Shard) expansionOf(s *Session) *expansion {
	x := sh.expansions[s.slot]
	if x == nil {
		x = &expansion{
			session:  s,
			patterns: make(map[wire.ChannelName]*pattern),
			joined:   make(map[wire.ChannelName]*holding),
		}
		sh.expansions[s.slot] = x
	}
	return x
}

// subscribePattern subscribes the channels that a pattern stands for: those that there are, and those that appear. Nothing is
// read from the session until it is known which there are, so that what it asks for next still comes after.
func (s *Session) subscribePattern(requestID string, b *wire.Subscribe) {
	words, err := auth.ParsePattern(string(b.Channel))
	if err != nil {
		s.fail(requestID, wire.Errorf(wire.CodeInvalidArgument, "channel: %v", err))
		return
	}
	if err := s.checkFilter(b.Filter); err != nil {
		s.fail(requestID, err)
		return
	}
	if err := checkChoice(b); err != nil {
		s.fail(requestID, err)
		return
	}
	x := s.shard.expansionOf(s)
	p := x.patterns[b.Channel]
	known := p != nil
	if !known {
		if p, err = x.hold(b.Channel, words); err != nil {
			x.tidy()
			s.fail(requestID, err)
			return
		}
	}
	before := *p
	p.begin(b)
	s.inFlight += maxInFlight
	x.list(words.Expands, func(names []wire.ChannelName, err error) {
		s.resumeReading(func() {
			switch {
			case p.ended: // because what has appeared could not be found out
				s.fail(requestID, wire.Errorf(wire.CodeUnavailable, "pattern %s has ended meanwhile: subscribe it again", p.text))
				return
			case err != nil && known:
				p.frame, p.positions = before.frame, before.positions
				s.fail(requestID, err)
				return
			case err != nil:
				x.end(p)
				s.fail(requestID, err)
				return
			}
			s.changed()
			s.send(&wire.Frame{RequestID: requestID, Body: &wire.Subscribed{Channel: p.text}})
			x.listed(p, names)
		})
	})
}

// hold has the session told of the channels that appear and that a pattern stands for.
func (x *expansion) hold(text wire.ChannelName, words auth.Pattern) (*pattern, error) {
	sh := x.session.shard
	if limit := sh.settings.MaxSubscriptions; len(x.patterns) >= limit {
		return nil, wire.Errorf(wire.CodeResourceExhausted, "this session has %d patterns, which is its limit: unsubscribe from another first", limit)
	}
	if err := sh.settings.Hub.Follow(text, sh); err != nil {
		return nil, err
	}
	p := &pattern{of: x, text: text, words: words}
	x.patterns[text] = p
	sh.patterns.Add(text, p)
	return p, nil
}

// begin notes where the channels of the pattern begin.
func (p *pattern) begin(b *wire.Subscribe) {
	p.frame, p.frame.Positions = *b, nil
	p.frame.Info = bytes.Clone(b.Info)
	p.positions = make(map[wire.ChannelName]wire.Start, len(b.Positions))
	for _, at := range b.Positions {
		p.positions[at.Channel] = wire.Start{Kind: wire.StartPosition, Epoch: at.Position.Epoch, Offset: at.Position.Offset}
	}
}

// unsubscribePattern ends a pattern. The channels that nothing else holds end with it, and nothing is said of them.
func (s *Session) unsubscribePattern(requestID string, b *wire.Unsubscribe) {
	x := s.shard.expansions[s.slot]
	if x == nil || x.patterns[b.Channel] == nil {
		s.fail(requestID, wire.Errorf(wire.CodeNotFound, "this session has no subscription to the pattern %q", b.Channel))
		return
	}
	x.end(x.patterns[b.Channel])
	s.changed()
	s.send(&wire.Frame{RequestID: requestID, Body: &wire.Unsubscribed{Channel: b.Channel}})
}

// end takes a pattern from the session.
func (x *expansion) end(p *pattern) {
	if p.ended {
		return
	}
	x.forget(p)
	for name, h := range x.joined {
		i := slices.Index(h.by, p)
		if i < 0 {
			continue
		}
		switch h.by = slices.Delete(h.by, i, i+1); {
		case len(h.by) > 0:
			x.refilter(name, h)
		case h.own:
			delete(x.joined, name)
		default:
			delete(x.joined, name)
			x.session.drop(x.session.find(name))
		}
	}
	x.tidy()
}

// tidy forgets an expansion that is empty.
func (x *expansion) tidy() {
	if sh := x.session.shard; len(x.patterns) == 0 && len(x.listings) == 0 && sh.expansions[x.session.slot] == x {
		delete(sh.expansions, x.session.slot)
	}
}

// forget has nothing more told of a pattern.
func (x *expansion) forget(p *pattern) {
	sh := x.session.shard
	p.ended = true
	delete(x.patterns, p.text)
	sh.patterns.Remove(p.text, p)
	sh.settings.Hub.Unfollow(p.text, sh)
}

// dropPatterns takes all patterns from a session that ends. Its cursors are dropped besides.
func (s *Session) dropPatterns() {
	x := s.shard.expansions[s.slot]
	if x == nil {
		return
	}
	delete(s.shard.expansions, s.slot)
	for _, p := range x.patterns {
		x.forget(p)
	}
	x.queue = nil
}

// claim notes that the client has subscribed a channel by its name.
func (s *Session) claim(name wire.ChannelName) {
	if x := s.shard.expansions[s.slot]; x != nil && x.joined[name] != nil {
		x.joined[name].own = true
	}
}

// yield ends the client's own hold of a channel, and reports whether that is all: patterns hold it on.
func (s *Session) yield(requestID string, name wire.ChannelName) bool {
	x := s.shard.expansions[s.slot]
	if x == nil || x.joined[name] == nil {
		return false
	}
	h := x.joined[name]
	if !h.own {
		s.fail(requestID, wire.Errorf(wire.CodeNotFound, "this session has channel %q by the pattern %q alone: unsubscribe from that", name, h.by[0].text))
		return true
	}
	h.own = false
	s.changed()
	s.send(&wire.Frame{RequestID: requestID, Body: &wire.Unsubscribed{Channel: name}})
	x.refilter(name, h)
	return true
}

// left notes that the session has a channel no longer, whoever held it.
func (s *Session) left(name wire.ChannelName) {
	if x := s.shard.expansions[s.slot]; x != nil {
		delete(x.joined, name)
	}
}
