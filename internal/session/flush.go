package session

import (
	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// borrow returns the outbox. While nothing waits it grows in the shard's scratch, so that a session that is read and
// answered in one go needs no memory of its own.
func (s *Session) borrow() *outbox {
	switch sh := s.shard; {
	case s.out != nil:
	case sh.lent || s.blocked:
		s.out = &outbox{}
	default:
		sh.lent = true
		s.out = &sh.scratch
	}
	return s.out
}

// settle notes that the first n bytes of the outbox have been written, gives the scratch back, and keeps the rest.
func (s *Session) settle(n int) {
	o := s.out
	if o == nil {
		return
	}
	rest := o.bytes[n:]
	if o == &s.shard.scratch {
		s.out, s.shard.lent = nil, false
		if len(rest) > 0 {
			s.out = &outbox{bytes: append([]byte(nil), rest...)}
		}
		o.bytes = o.bytes[:0]
	} else if n > 0 {
		o.bytes = append(o.bytes[:0], rest...)
	}
	if s.waiting() == 0 {
		s.discard()
		return
	}
	s.account()
}

// discard forgets the outbox.
func (s *Session) discard() {
	if s.out != nil {
		s.shard.settings.Budget.Charge(-s.out.charged)
		s.out = nil
	}
}

// account charges the memory budget for an outbox that waits.
func (s *Session) account() {
	if held := cap(s.out.bytes); held != s.out.charged {
		s.shard.settings.Budget.Charge(held - s.out.charged)
		s.out.charged = held
	}
}

// Flush writes what the frames before have led to, as far as the kernel takes it.
func (s *Session) Flush() {
	s.hold() // also when the flush makes room at once: the transport may have left frames unread, and waits to be told
	s.flush()
	s.hold()
}

func (s *Session) flush() {
	n := 0
	if s.waiting() > 0 && !s.blocked {
		w := &s.shard.writing
		w.parts = append(w.parts[:0], s.out.bytes)
		n = s.write(w.parts, len(s.out.bytes))
	}
	s.settle(n)
	if s.state == stateClosing && s.out == nil && !s.blocked {
		s.line.Shutdown()
	}
}

// write passes the parts, of size bytes together, to the line and returns how much it took.
func (s *Session) write(parts [][]byte, size int) int {
	n, err := s.line.Write(parts)
	sh := s.shard
	sh.writes++
	sh.written++
	sh.Metrics.Writes.Add(1)
	sh.Metrics.Bytes.Add(int64(n))
	// A write is tried only when there was room, so each one that is short is a sign of life, or the moment the waiting
	// begins. After one that failed nothing more can be written, and Closed follows.
	if s.blocked = n < size || err != nil; s.blocked {
		s.progress = sh.now()
	}
	return n
}

// hold stops the reading of a session that is full, and resumes it when half of its outbox is free again.
func (s *Session) hold() {
	switch full := s.Full(); {
	case full && !s.held:
		s.held = true
		s.line.SetReading(false)
	case s.held && !full && s.waiting() <= s.maxOutbox()/2:
		s.held = false
		s.heard = s.shard.now() // until now it was not listened to
		s.line.SetReading(true)
		s.releaseParts()
	}
	if len(s.shard.serving) == 0 || s.waiting() > s.maxOutbox()/2 {
		return
	}
	if v := s.shard.serving[s.slot]; v != nil && v.full {
		v.setFull(false)
		v.payCredit()
	}
}

// Writable tells that the line has room again.
func (s *Session) Writable() {
	if s.state == stateClosed {
		return
	}
	s.blocked = false
	s.pump()
	s.resumeReopening()
}

// pump flushes the outbox, and then moves every cursor along, round robin.
func (s *Session) pump() {
	if s.state == stateClosed {
		return
	}
	s.Flush()
	for range writesPerPump {
		if s.blocked || len(s.subs) == 0 {
			return
		}
		if s.turn >= uint32(len(s.subs)) {
			s.turn = 0
		}
		if more := s.push(int(s.turn), len(s.subs)); !more {
			return
		}
	}
	if !s.blocked {
		s.shard.pumpLater(s) // others of the loop come first
	}
}

// serve moves a cursor along in the course of a pass, and whichever others of the session are behind with it. It reports
// whether that cursor owes more.
func (s *Session) serve(t *topic, index uint32) (more bool) {
	c := &t.cursors[index]
	batch, ok := channel.Batch{}, false
	if len(s.subs) == 1 && s.out == nil && !s.sparse(t, c) {
		batch, ok = s.shard.frames(t.log, s.format, c.next)
	}
	if !ok || batch.After <= t.log.Tail() {
		s.push(int(c.sub), min(len(s.subs), maxParts))
		return !s.blocked && !s.subs[c.sub].fetching && t.owes(c)
	}
	if len(batch.Bytes) > 0 { // one contiguous slice, to the tail: what nearly every delivery is
		w := &s.shard.writing
		w.parts = append(w.parts[:0], batch.Bytes)
		s.wrote(c, &batch, s.write(w.parts, len(batch.Bytes)))
	}
	return false
}

// writing is a write that is being put together.
type writing struct {
	parts   [][]byte
	batches []delivery
	size    int             // of the batches
	sparse  channel.Scratch // of those batches that are for one cursor alone
}

// delivery is what a write carries of one cursor.
type delivery struct {
	cursor *cursor
	batch  channel.Batch
}

// pushBytes is what one write carries of messages before the next cursor has to wait for another: as much as the kernel
// holds for a connection.
const pushBytes = 4 * cursorBudget

// maxParts bounds what one write is put together from, and the cursors that are looked at for it.
const maxParts = 16

// push writes the outbox and what the cursors owe in one system call: from the cursor at first on, round robin, of as many
// as look says. It reports whether more is to be written.
func (s *Session) push(first, look int) (more bool) {
	w := &s.shard.writing
	w.parts, w.batches, w.size = w.parts[:0], w.batches[:0], 0
	for i := range look {
		at := (first + i) % len(s.subs)
		if s.turn = uint32(at); len(w.batches) == maxParts || w.size >= pushBytes {
			more = true // with this one next time
			break
		}
		if s.collect(w, &s.subs[at]) {
			more = true
		}
		s.turn++
	}
	size := w.size
	if own := s.waiting(); own > 0 {
		size += own
		w.parts = append(w.parts, s.out.bytes)
	}
	for i := range w.batches {
		w.parts = append(w.parts, w.batches[i].batch.Bytes)
	}
	if size == 0 {
		s.settle(0)
		return false
	}
	n := s.write(w.parts, size)
	own := min(n, s.waiting())
	s.settle(own)
	n -= own
	for i := range w.batches {
		d := &w.batches[i]
		part := min(n, len(d.batch.Bytes))
		s.wrote(d.cursor, &d.batch, part)
		if n -= part; part < len(d.batch.Bytes) {
			s.turn = d.cursor.sub + 1 // this one had a part: the next one's turn is first
			break
		}
	}
	clear(w.parts) // of what was written nothing is held
	clear(w.batches)
	w.sparse.Reset()
	return more && !s.blocked
}

// collect adds what a cursor owes to a write, at most its budget, and reports whether more is left. What the cursor has
// lost is told first.
func (s *Session) collect(w *writing, sub *subscription) (more bool) {
	if sub.fetching {
		return false
	}
	t := sub.topic
	c := &t.cursors[sub.index]
	switch {
	case sub.exclude:
		return s.leaveOut(w, sub)
	case t.sifted != nil:
		return s.sift(w, sub)
	case s.sparse(t, c):
		return s.conflate(w, sub)
	}
	next, lost := c.next, false
	for size := 0; len(w.batches) < maxParts; {
		batch, ok := s.shard.frames(t.log, s.format, next)
		if !ok {
			if lost || next != c.next {
				return true // lost while we read: it is told next time
			}
			s.tellLost(t, c)
			next, lost = c.next, true
			continue
		}
		if batch.Cold {
			s.fetch(sub, next)
		}
		if len(batch.Bytes) == 0 {
			return false
		}
		if size > 0 && size+len(batch.Bytes) > cursorBudget {
			return true
		}
		w.batches = append(w.batches, delivery{c, batch})
		w.size += len(batch.Bytes)
		size += len(batch.Bytes)
		next = batch.After
	}
	return next <= t.log.Tail()
}

// wrote moves a cursor behind the n bytes of the batch that the line took.
func (s *Session) wrote(c *cursor, batch *channel.Batch, n int) {
	next, rest := batch.After, []byte(nil)
	if n < len(batch.Bytes) {
		next, rest = batch.Cut(n)
	}
	moved := int64(next - c.next)
	if batch.Sparse() {
		moved -= s.skipped(c, batch, next)
	}
	s.shard.Metrics.Delivered.Add(moved)
	c.next = next
	if len(rest) > 0 {
		// Only the rest of the cut frame is copied: nothing of the log is held for a client that does not read.
		o := s.borrow()
		o.bytes = append(o.bytes, rest...)
		s.account()
	}
}

// gap tells the client what its cursor has lost.
func (s *Session) gap(g *wire.Gap) {
	s.shard.Metrics.Gaps.Add(1)
	s.send(&wire.Frame{Body: g})
}
