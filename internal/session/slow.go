package session

import (
	"fmt"
	"time"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// SlowAction is what becomes of a subscription that has fallen too far behind.
type SlowAction uint8

// The actions. The zero value is the default.
const (
	SlowLag        SlowAction = iota // nothing: it lags, until the retention tells it of a gap
	SlowLatest                       // it is given the newest message of each key only, until it has caught up
	SlowDisconnect                   // its session is ended
)

// SlowPolicy is how a channel treats subscriptions that fall behind.
type SlowPolicy struct {
	Action SlowAction
	MaxLag uint64 // the messages from which on it acts
}

// slowGrace is how long a subscription may stay too far behind before its session is ended for it: a burst that its client
// takes in a moment is no slowness.
const slowGrace = time.Second

// slowness applies a policy to the cursors of a topic. Only cursors that are too far behind cost memory.
type slowness struct {
	SlowPolicy
	late map[uint32]lateness // by the session's slot; of SlowDisconnect
}

// lateness is how a cursor stands that is, or was a moment ago, more than MaxLag behind.
type lateness struct {
	since moment
	seen  wire.Offset // the tail when it was looked at last
	begun uint64      // how far behind it began: so much more it may be
}

// newSlowness returns nil for a policy that does nothing.
func newSlowness(p SlowPolicy) *slowness {
	switch p.Action {
	case SlowLag:
		return nil
	case SlowLatest:
		return &slowness{SlowPolicy: p}
	case SlowDisconnect:
		return &slowness{SlowPolicy: p, late: make(map[uint32]lateness)}
	}
	return nil
}

// lag is how many messages a cursor at next has before it.
func lag(next, tail wire.Offset) uint64 { return uint64(max(tail+1, next) - next) }

// begin takes note of a cursor that begins at next.
func (p *slowness) begin(slot uint32, next, tail wire.Offset, now moment) {
	delete(p.late, slot)
	if behind := lag(next, tail); p.Action == SlowDisconnect && behind > p.MaxLag {
		p.late[slot] = lateness{since: now, seen: tail, begun: behind}
	}
}

// forget ends what begin has begun.
func (p *slowness) forget(slot uint32) { delete(p.late, slot) }

// exhausted reports whether a cursor has been too far behind for too long. It is asked whenever the tail has moved and the
// cursor cannot follow. One that has meanwhile passed the tail that there was last time had caught up in between.
func (p *slowness) exhausted(slot uint32, next, tail wire.Offset, now moment) bool {
	behind := lag(next, tail)
	if p.Action != SlowDisconnect || behind <= p.MaxLag {
		delete(p.late, slot)
		return false
	}
	l, known := p.late[slot]
	if !known || next > l.seen {
		l = lateness{since: now}
	}
	l.seen = tail
	p.late[slot] = l
	return behind > p.MaxLag+l.begun && now >= l.since.add(slowGrace)
}

// tooSlow ends the session of a cursor that has been too far behind for too long.
func (s *Session) tooSlow(t *topic, c *cursor) bool {
	next, tail := c.next, t.log.Tail()
	if !t.slow.exhausted(s.slot, next, tail, s.shard.now()) {
		return false
	}
	s.shard.Metrics.SlowDisconnects.Add(1)
	s.Goodbye(wire.CloseSlow, fmt.Sprintf("channel %s: %d messages behind, more than %d for too long", t.log.Name(), lag(next, tail), t.slow.MaxLag), 0)
	return true
}

// anyTooSlow does the same for all cursors of a session that cannot be written to, also where no tail moves.
func (s *Session) anyTooSlow() bool {
	for i := range s.subs {
		if t := s.subs[i].topic; t.slow != nil && s.tooSlow(t, &t.cursors[s.subs[i].index]) {
			return true
		}
	}
	return false
}

// sparse reports whether a cursor is to skip anything: what a filter does not let through, or what is not the newest of its
// key.
func (s *Session) sparse(t *topic, c *cursor) bool {
	return t.sifted != nil || t.choosy > 0 && s.subs[c.sub].exclude || t.slow != nil && s.conflates(t, c)
}

// conflates decides it: from the moment a cursor is too far behind, where the log knows what is the newest, until it has
// caught up.
func (s *Session) conflates(t *topic, c *cursor) bool {
	if t.slow.Action != SlowLatest {
		return false
	}
	sub := &s.subs[c.sub]
	if sub.conflate {
		return t.log.Indexed(c.next)
	}
	if !sub.skipping && lag(c.next, t.log.Tail()) > t.slow.MaxLag {
		sub.skipping = t.log.Indexed(c.next)
	}
	return sub.skipping && t.log.Indexed(c.next)
}

// skipped takes note of what a cursor passes over that moves to next, and how many that is.
func (s *Session) skipped(c *cursor, batch *channel.Batch, next wire.Offset) int64 {
	n := batch.Skipped(next)
	sub := &s.subs[c.sub]
	if sub.topic.sifted != nil || sub.exclude {
		return n
	}
	s.shard.Metrics.Conflated.Add(n)
	if next > sub.topic.log.Tail() {
		sub.skipping = false
	}
	return n
}

// sparseBudget is what is laid down at a time for one cursor alone. Others wait meanwhile, so it is less than what is written
// of frames that lie there finished.
const sparseBudget = 16 << 10

// conflate adds what a cursor that skips owes to a write, and reports whether more is left. What was skipped is never left
// untold: the next message says where the client stood before it; and where that would not do, a position comes first.
func (s *Session) conflate(w *writing, sub *subscription) (more bool) {
	t := sub.topic
	c := &t.cursors[sub.index]
	if c.next < t.log.Head() {
		s.tellLost(t, c)
	}
	at, ok := t.log.NextNewest(c.next)
	if !ok {
		return !t.log.Indexed(c.next) // or it is being appended, and the tail has not moved yet
	}
	if at-c.next >= channel.PositionEvery || c.next == 1 { // a prev of 0 would be none
		s.skipTo(t, c, at)
	}
	batch, ok := t.log.SparseFrames(s.format, c.next, sparseBudget, &w.sparse)
	if !ok {
		return true // lost meanwhile: it is told next time
	}
	if !w.lay(c, &batch) && batch.Cold {
		return s.without(sub, &batch, at)
	}
	return batch.After <= t.log.Tail()
}

// lay adds a sparse batch to the write; false when there is nothing in it.
func (w *writing) lay(c *cursor, batch *channel.Batch) bool {
	if len(batch.Bytes) == 0 {
		return false
	}
	w.batches = append(w.batches, delivery{c, *batch})
	w.size += len(batch.Bytes)
	return true
}

// without goes on where there are no frames for the entry at first, which is the next for a cursor: it is fetched, or it was
// lost meanwhile, which is told next time. It reports whether there is more to do now.
func (s *Session) without(sub *subscription, batch *channel.Batch, first wire.Offset) (more bool) {
	if !batch.Cold {
		return true
	}
	s.skipTo(sub.topic, &sub.topic.cursors[sub.index], first) // the disk may take its time
	s.fetch(sub, first)
	return false
}

// tellLost moves a cursor to the head, and tells what it has lost.
func (s *Session) tellLost(t *topic, c *cursor) {
	var gap *wire.Gap
	gap, c.next = t.log.Lost(c.next)
	s.gap(gap)
}

// skipTo moves a cursor over entries that are not for it, and its client with it.
func (s *Session) skipTo(t *topic, c *cursor, at wire.Offset) {
	if at <= c.next {
		return
	}
	if t.sifted == nil {
		s.shard.Metrics.Conflated.Add(int64(at - c.next))
	}
	c.next = at
	s.send(&wire.Frame{Body: &wire.PositionUpdate{
		Channel:  t.log.Name(),
		Position: wire.Position{Epoch: t.log.Epoch(), Offset: at - 1},
	}})
}
