package session

import (
	"github.com/magpie-bridge/magpie/internal/wire"
)

// borrow lets the outbox grow in the shard's scratch, so that a session that is read and answered in one go needs no
// memory of its own.
func (s *Session) borrow() {
	if s.outbox == nil && !s.shard.lent && !s.blocked {
		s.outbox = s.shard.scratch[:0]
		s.borrowed, s.shard.lent = true, true
	}
}

// settle gives the scratch back, and copies what could not be written.
func (s *Session) settle(rest []byte) {
	switch {
	case s.borrowed:
		s.shard.scratch = s.outbox[:0]
		s.borrowed, s.shard.lent = false, false
		s.outbox = append([]byte(nil), rest...)
	case len(rest) == 0:
		s.outbox = nil
	case len(rest) < len(s.outbox):
		s.outbox = append(s.outbox[:0], rest...)
	}
	if len(s.outbox) == 0 {
		s.outbox = nil
	}
	s.account()
}

// account charges the memory budget for an outbox that waits.
func (s *Session) account() {
	if held := cap(s.outbox); held != s.charged {
		s.shard.settings.Budget.Charge(held - s.charged)
		s.charged = held
	}
}

// Flush writes what the frames before have led to, as far as the kernel takes it.
func (s *Session) Flush() {
	s.hold() // also when the flush makes room at once: the transport may have left frames unread, and waits to be told
	s.flush()
	s.hold()
}

func (s *Session) flush() {
	rest := s.outbox
	if len(rest) > 0 && !s.blocked {
		rest = rest[s.write(rest):]
	}
	s.settle(rest)
	if s.state == stateClosing && len(s.outbox) == 0 && !s.blocked {
		s.line.Shutdown()
	}
}

// write passes b to the line and returns how much it took.
func (s *Session) write(b []byte) int {
	n, err := s.line.Write(b)
	s.shard.writes++
	s.shard.written++
	s.shard.Metrics.Writes.Add(1)
	s.shard.Metrics.Bytes.Add(int64(n))
	// A write is tried only when there was room, so each one is a sign of life, or the moment the waiting begins.
	s.progress = s.shard.settings.Now()
	s.blocked = n < len(b)
	if err != nil {
		s.blocked = true // nothing more can be written; Closed follows
	}
	return n
}

// hold stops the reading of a session that is full, and resumes it when half of its outbox is free again.
func (s *Session) hold() {
	switch full := s.Full(); {
	case full && !s.held:
		s.held = true
		s.line.SetReading(false)
	case s.held && !full && len(s.outbox) <= s.maxOutbox()/2:
		s.held = false
		s.heard = s.shard.settings.Now() // until now it was not listened to
		s.line.SetReading(true)
	}
}

// Writable tells that the line has room again.
func (s *Session) Writable() {
	if s.state == stateClosed {
		return
	}
	s.blocked = false
	s.pump()
}

// pump flushes the outbox, and then moves every cursor along by its budget, round robin.
func (s *Session) pump() {
	if s.state == stateClosed {
		return
	}
	s.Flush()
	more := false
	before := s.shard.written
	for range len(s.subs) {
		if s.blocked {
			break
		}
		if s.shard.written-before >= writesPerPump {
			more = true // others of the loop come first
			break
		}
		if s.turn >= len(s.subs) {
			s.turn = 0
		}
		sub := s.subs[s.turn]
		s.turn++ // before the line can be full: it will go on with the next one then
		if s.deliver(sub.topic, sub.index) {
			more = true
		}
	}
	if more && !s.blocked {
		s.shard.pumpLater(s)
	}
}

// deliver writes from a cursor on, once and at most its budget, and reports whether more is to be written.
func (s *Session) deliver(t *topic, index uint32) (more bool) {
	c := &t.cursors[index]
	batch, ok := s.shard.frames(t.log, s.format.ID(), c.next)
	if !ok {
		var gap *wire.Gap
		gap, c.next = t.log.Lost(c.next)
		s.gap(gap)
		s.flush()
		return !s.blocked
	}
	if len(batch.Bytes) == 0 {
		return false
	}
	n := s.write(batch.Bytes)
	if n == len(batch.Bytes) {
		s.shard.Metrics.Delivered.Add(int64(batch.After - c.next))
		c.next = batch.After
		return c.next <= t.log.Tail()
	}
	next, rest := batch.Cut(n)
	s.shard.Metrics.Delivered.Add(int64(next - c.next))
	c.next = next
	if len(rest) > 0 {
		// Only the rest of the cut frame is copied: nothing of the log is held for a client that does not read.
		s.outbox = append(s.outbox, rest...)
		s.account()
	}
	return false
}

// gap tells the client what its cursor has lost.
func (s *Session) gap(g *wire.Gap) {
	s.shard.Metrics.Gaps.Add(1)
	s.send(&wire.Frame{Body: g})
}
