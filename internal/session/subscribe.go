package session

import (
	"bytes"
	"cmp"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// subscribe opens a cursor, or moves the one that the session has in this channel. The answer is in the outbox before
// the cursor can deliver anything.
func (s *Session) subscribe(requestID string, b *wire.Subscribe) {
	if b.Channel.IsPattern() {
		s.subscribePattern(requestID, b)
		return
	}
	if !s.screenSubscribe(requestID, b) {
		s.follow(requestID, b)
	}
}

// follow subscribes whoever was not refused.
func (s *Session) follow(requestID string, b *wire.Subscribe) {
	at := s.find(b.Channel)
	if err := cmp.Or(checkChoice(b), s.mayOpen(b.Channel)); err != nil {
		s.fail(requestID, err)
		return
	}
	if s.shard.topics[b.Channel] == nil && s.waits(requestID, b) {
		return
	}
	t, err := s.topicOf(b)
	if err != nil {
		s.fail(requestID, err)
		return
	}
	if err := t.mayConflate(b); err != nil {
		s.fail(requestID, err)
		if len(t.cursors) == 0 {
			s.shard.release(t)
		}
		return
	}
	if at >= 0 && b.From.Kind == wire.StartNow && s.subs[at].differs(t, b) { // something else, from the same place on
		old := s.subs[at]
		s.open(requestID, t, t.log.GoOn(old.topic.cursors[old.index].next), b.Info)
		s.choose(t, b)
		return
	}
	later := new(wire.Subscribe)
	opening, known := s.shard.locate(t, b.From, func(opening func() channel.Opening) { s.located(requestID, t, later, opening) })
	if !known {
		*later = *ownSubscribe(b)
		s.inFlight += maxInFlight // nothing is read meanwhile, as with a channel that is not there yet
		return
	}
	s.open(requestID, t, opening, b.Info)
	s.choose(t, b)
}

// located subscribes, now that it is known where that begins.
func (s *Session) located(requestID string, t *topic, b *wire.Subscribe, opening func() channel.Opening) {
	sh := s.shard
	current := sh.holds(t)
	s.resumeReading(func() {
		if !current || s.mayOpen(t.log.Name()) != nil { // the last of its subscribers has left meanwhile, or a right was lost
			s.follow(requestID, b)
			return
		}
		s.open(requestID, t, opening(), b.Info)
		s.choose(t, b)
	})
	if current && len(t.cursors) == 0 {
		sh.release(t)
	}
}

// open puts a cursor where a subscription begins that the client has asked for by its name, and says so. info is what the
// session says of itself to the members.
func (s *Session) open(requestID string, t *topic, opening channel.Opening, info []byte) {
	s.claim(t.log.Name())
	s.start(requestID, "", t, opening, info)
}

// start puts a cursor where a subscription begins, and says so. pattern is by what the channel has joined.
func (s *Session) start(requestID string, pattern wire.ChannelName, t *topic, opening channel.Opening, info []byte) {
	at := s.find(t.log.Name())
	if at >= 0 && s.subs[at].topic != t {
		s.drop(at) // another filter takes its place
		at = -1
	}
	if at < 0 {
		if s.subs == nil {
			s.subs = s.only[:0]
		}
		if s.subs = append(s.subs, subscription{topic: t}); len(s.subs) > len(s.only) {
			s.only[0] = subscription{}
		}
		at = len(s.subs) - 1
		s.subs[at].index = t.add(cursor{slot: s.slot, sub: uint32(at)})
		s.shard.Metrics.Subscriptions.Add(1)
		s.changed()
	}
	t.cursors[s.subs[at].index].next = opening.Next
	if t.slow != nil {
		s.subs[at].skipping = false
		t.slow.begin(s.slot, opening.Next, opening.Tail, s.shard.now())
	}
	s.send(&wire.Frame{RequestID: requestID, Body: &wire.Subscribed{
		Channel:   t.log.Name(),
		Position:  opening.Position,
		Tail:      opening.Tail,
		Recovered: opening.Recovered,
		Pattern:   pattern,
	}})
	s.joinMembers(t, info)
	if opening.Gap != nil {
		s.gap(opening.Gap)
	}
	if opening.Next <= t.log.Tail() {
		s.shard.pumpLater(s)
	}
}

// waits reports whether the channel has to be fetched first, and subscribes when it is there. Nothing is read from the
// session meanwhile, so that what it asks for next still comes after.
func (s *Session) waits(requestID string, b *wire.Subscribe) bool {
	later := ownSubscribe(b)
	ready := s.shard.settings.Hub.Prepare(s.principal, later.Channel, func() {
		s.shard.loop.Post(func() { s.fetched(requestID, later) })
	})
	if !ready {
		s.inFlight += maxInFlight // as if it had published all that it may
	}
	return !ready
}

// ownSubscribe copies what belongs to the decoder.
func ownSubscribe(b *wire.Subscribe) *wire.Subscribe {
	own := *b
	own.Info, own.Positions = bytes.Clone(b.Info), nil
	return &own
}

// mayOpen tells what stands against a subscription to a channel, or nil.
func (s *Session) mayOpen(name wire.ChannelName) error {
	if limit := s.shard.settings.MaxSubscriptions; s.find(name) < 0 && len(s.subs) >= limit {
		return wire.Errorf(wire.CodeResourceExhausted, "this session has %d subscriptions, which is its limit: unsubscribe from another channel first", limit)
	}
	return s.shard.settings.Hub.MaySubscribe(s.principal, name)
}

func (s *Session) fetched(requestID string, b *wire.Subscribe) {
	s.resumeReading(func() { s.follow(requestID, b) })
}

// resumeReading ends a wait during which nothing was read, and does what it was for.
func (s *Session) resumeReading(do func()) {
	if s.state == stateClosed {
		return
	}
	s.inFlight -= maxInFlight
	if s.state == stateOpen {
		do()
	}
	s.Flush()
}

// unsubscribe closes a cursor; nothing of the channel follows the answer.
func (s *Session) unsubscribe(requestID string, b *wire.Unsubscribe) {
	if b.Channel.IsPattern() {
		s.unsubscribePattern(requestID, b)
		return
	}
	at := s.find(b.Channel)
	if at < 0 {
		if err := b.Channel.Check(); err != nil {
			s.fail(requestID, err)
			return
		}
		s.fail(requestID, wire.Errorf(wire.CodeNotFound, "this session has no subscription to channel %q", b.Channel))
		return
	}
	name := s.subs[at].topic.log.Name()
	if s.yield(requestID, name) {
		return
	}
	s.drop(at)
	s.changed()
	s.send(&wire.Frame{RequestID: requestID, Body: &wire.Unsubscribed{Channel: name}})
}

// find returns the place of the channel's subscription in subs, or -1.
func (s *Session) find(name wire.ChannelName) int {
	sh := s.shard
	t := sh.topics[name]
	if t == nil && len(sh.sifted) == 0 {
		return -1
	}
	for i := range s.subs {
		if of := s.subs[i].topic; of == t || of.sifted != nil && of.log.Name() == name {
			return i
		}
	}
	return -1
}

// drop removes the subscription at a place of subs, and its cursor.
func (s *Session) drop(at int) {
	sh := s.shard
	sub := s.subs[at]
	last := len(s.subs) - 1
	if at != last {
		s.subs[at] = s.subs[last]
		moved := s.subs[at]
		moved.topic.cursors[moved.index].sub = uint32(at)
	}
	s.subs[last] = subscription{}
	s.subs = s.subs[:last]
	if sub.exclude {
		sub.topic.choosy--
	}
	sub.topic.remove(sub.index, func(c cursor, index uint32) {
		sh.sessions[c.slot].subs[c.sub].index = index
	})
	if sub.topic.slow != nil {
		sub.topic.slow.forget(s.slot)
	}
	s.leaveMembers(sub.topic)
	sh.Metrics.Subscriptions.Add(-1)
	if len(sub.topic.cursors) == 0 {
		sh.release(sub.topic)
	}
}

// dropAll removes every subscription.
func (s *Session) dropAll() {
	s.dropPatterns()
	for len(s.subs) > 0 {
		s.drop(len(s.subs) - 1)
	}
	s.subs = nil
}

// sendUnsubscribed tells the client that it has a channel or a pattern no more, and why.
func (s *Session) sendUnsubscribed(name wire.ChannelName, err error) {
	e := wire.AsError(err)
	s.send(&wire.Frame{Body: &wire.Unsubscribed{Channel: name, Code: e.Code, Reason: e.Message}})
}
