package session

import (
	"context"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// What is done to sessions from outside, and how many looks of a tour each costs: a write to the line is the most of it.
const steerCost = 32

// Disconnect ends the sessions that the target names: each client is told goodbye with the code and the reason. It returns
// how many these were.
func Disconnect(ctx context.Context, shards []*Shard, target Target, code wire.CloseCode, reason string) (int, error) {
	sum, err := target.each(ctx, shards, func(v *tour, counted *tally) {
		v.visit = func(s *Session) (int, bool) {
			if !target.matches(s) {
				return 0, false
			}
			s.Goodbye(code, reason, 0)
			counted.sessions++
			return steerCost, false
		}
	})
	return sum.sessions, err
}

// Unsubscribe ends the subscription of the sessions that the target names to a channel: each client is told the reason. It
// returns how many had it.
func Unsubscribe(ctx context.Context, shards []*Shard, target Target, name wire.ChannelName, reason string) (int, error) {
	sum, err := target.each(ctx, shards, func(v *tour, counted *tally) {
		v.visit = func(s *Session) (int, bool) {
			if !s.Open() || !target.matches(s) {
				return 0, false
			}
			at := s.find(name)
			if at < 0 {
				return len(s.subs), false
			}
			s.drop(at)
			s.left(name)
			s.changed()
			s.send(&wire.Frame{Body: &wire.Unsubscribed{Channel: name, Code: wire.CodeCanceled, Reason: reason}})
			s.Flush()
			counted.sessions++
			return steerCost, false
		}
	})
	return sum.sessions, err
}

// Subscribe opens a subscription to b.Channel, as far as they have a right to it, for the sessions that the target names.
// Those that have it already go on as they are when b says nothing of where it begins. It returns how many have it now, and
// fails when none has, because of what stands against it.
func Subscribe(ctx context.Context, shards []*Shard, target Target, b *wire.Subscribe) (int, error) {
	sum, err := target.each(ctx, shards, func(v *tour, counted *tally) {
		p := &steering{tour: v, target: &target, frame: b, counted: counted}
		v.visit = p.visit
	})
	if err == nil && sum.sessions == 0 {
		err = sum.refused
	}
	return sum.sessions, err
}

// steering subscribes the sessions of a tour, one after the other: it rests where the embedding program or a disk has to be
// waited for.
type steering struct {
	tour    *tour
	target  *Target
	frame   *wire.Subscribe
	counted *tally
	allowed *Session // by the hook of the embedding program: it is not asked again
}

func (p *steering) visit(s *Session) (cost int, rest bool) {
	if !s.Open() || !p.target.matches(s) {
		return 0, false
	}
	sh, b := s.shard, p.frame
	at := s.find(b.Channel)
	if limit := sh.settings.MaxSubscriptions; at < 0 && len(s.subs) >= limit {
		return steerCost, p.refuse(wire.Errorf(wire.CodeResourceExhausted, "session %s has %d subscriptions, which is its limit", s.ID(), limit))
	}
	if at >= 0 && b.From.Kind == wire.StartNow {
		p.counted.sessions++
		return len(s.subs), false
	}
	if ask := s.readable(b.Channel); ask != nil && p.allowed != s {
		sh.settings.Hub.Screen(ask, func(err error) { sh.loop.Post(func() { p.screened(s, err) }) })
		return 0, true
	}
	again := func() { sh.loop.Post(p.tour.goOn) }
	if sh.topics[b.Channel] == nil && !sh.settings.Hub.Prepare(s.principal, b.Channel, again) {
		return 0, true
	}
	t, err := sh.topic(s, b.Channel)
	if err != nil {
		return steerCost, p.refuse(err)
	}
	if !t.log.Seek(b.From, func(first wire.Offset) { sh.loop.Post(func() { p.found(s, t, first) }) }) {
		return 0, true
	}
	s.open("", t, t.log.Open(b.From), nil)
	s.Flush()
	p.counted.sessions++
	return steerCost, false
}

// refuse notes what stands against a subscription. The tour goes on.
func (p *steering) refuse(err error) (rest bool) {
	if p.counted.refused == nil {
		p.counted.refused = err
	}
	return false
}

// screened goes on with what the embedding program says of the session that the tour rested at.
func (p *steering) screened(s *Session, err error) {
	if err != nil {
		p.refuse(err)
		p.tour.pass()
		return
	}
	p.allowed = s
	p.tour.goOn()
}

// found goes on with the session that the tour rested at, now that it is known where its subscription begins.
func (p *steering) found(s *Session, t *topic, first wire.Offset) {
	sh := s.shard
	if sh.topics[p.frame.Channel] != t { // the last of its subscribers has left meanwhile
		p.tour.goOn()
		return
	}
	if s.Open() {
		s.open("", t, t.log.OpenAt(first), nil)
		s.Flush()
		p.counted.sessions++
	}
	if len(t.cursors) == 0 {
		sh.release(t)
	}
	p.tour.pass()
}
