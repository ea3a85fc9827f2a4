package channel

import "github.com/magpie-bridge/magpie/internal/wire"

// Opening is where a subscription begins.
type Opening struct {
	Next      wire.Offset   // the first entry to deliver
	Position  wire.Position // Next-1 in the log's epoch
	Tail      wire.Offset   // the newest offset when it was opened
	Recovered bool          // a position was given, and nothing after it is missing
	Gap       *wire.Gap     // what is missing, or nil
}

// Open resolves a start against what the log holds now. A cursor at Opening.Next needs no more: should the head
// pass it before the first read, Frames tells.
func (l *Log) Open(start wire.Start) Opening {
	// The tail first: the head is then at most tail+1 of a later moment, and clamping it keeps head <= tail+1.
	tail := l.Tail()
	head := min(l.Head(), tail+1)
	o := Opening{Tail: tail}
	after := tail
	switch start.Kind {
	case wire.StartPosition:
		if start.Epoch != l.epoch {
			after = head - 1
			o.Gap = l.gap(1, head-1, wire.GapEpoch)
			break
		}
		after, o.Recovered, o.Gap = l.resume(start.Offset, head, tail)
	case wire.StartOffset:
		after, o.Recovered, o.Gap = l.resume(start.Offset, head, tail)
	case wire.StartLast:
		after = head - 1
		if kept := uint64(tail - after); start.Last < kept {
			after = tail - wire.Offset(start.Last)
		}
	case wire.StartTime:
		return l.openAt(l.since(start.Time), head, tail)
	case wire.StartNow:
	}
	o.Next = after + 1
	o.Position = wire.Position{Epoch: l.epoch, Offset: after}
	return o
}

// Seek reports whether the log can tell at once where a start is. If not, found is called once, on any goroutine, with the
// offset for [Log.OpenAt].
func (l *Log) Seek(start wire.Start, found func(first wire.Offset)) (known bool) {
	if start.Kind != wire.StartTime || l.store == nil {
		return true
	}
	warm := l.warm()
	if head := l.Head(); head >= warm || l.since(start.Time) > warm {
		return true
	}
	l.store.Since(l, start.Time, found)
	return false
}

// OpenAt opens a subscription that begins with the entry at first.
func (l *Log) OpenAt(first wire.Offset) Opening {
	tail := l.Tail()
	return l.openAt(first, min(l.Head(), tail+1), tail)
}

func (l *Log) openAt(first, head, tail wire.Offset) Opening {
	after := min(max(first, head)-1, tail)
	return Opening{Next: after + 1, Position: wire.Position{Epoch: l.epoch, Offset: after}, Tail: tail}
}

// GoOn opens a subscription where another stood that it takes the place of. What that one has lost and was not told of yet, it
// is told of.
func (l *Log) GoOn(next wire.Offset) Opening {
	tail := l.Tail()
	after, _, gap := l.resume(next-1, min(l.Head(), tail+1), tail)
	return Opening{Next: after + 1, Position: wire.Position{Epoch: l.epoch, Offset: after}, Tail: tail, Gap: gap}
}

// resume continues after offset, as far as the log still, or already, has it.
func (l *Log) resume(offset, head, tail wire.Offset) (after wire.Offset, recovered bool, gap *wire.Gap) {
	switch {
	case offset > tail:
		return tail, false, l.gap(tail+1, offset, wire.GapBeyondTail)
	case offset+1 < head:
		return head - 1, false, l.gap(offset+1, head-1, wire.GapRetention)
	}
	return offset, true, nil
}

// Lost describes what a cursor at next has lost to retention, and moves it to the head.
func (l *Log) Lost(next wire.Offset) (gap *wire.Gap, head wire.Offset) {
	head = l.Head()
	return l.gap(next, head-1, wire.GapRetention), head
}

func (l *Log) gap(from, to wire.Offset, reason string) *wire.Gap {
	if reason == wire.GapRetention && from <= wire.Offset(l.damaged.Load()) {
		reason = wire.GapDamage
	}
	return &wire.Gap{Channel: l.name, Epoch: l.epoch, FromOffset: from, ToOffset: to, Reason: reason}
}
