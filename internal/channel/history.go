package channel

import "github.com/magpie-bridge/magpie/internal/wire"

// Query asks for a run of a log's entries: those behind a start or, in reverse, those before it, the newest first. A start
// of the zero value is the end of the log that lies before all of them.
type Query struct {
	From    wire.Start
	Limit   int // entries
	Bytes   int // of all entries together, unless the first alone has more
	Reverse bool
}

// Fits reports whether an entry of size bytes has its place behind n others of so many bytes.
func (q *Query) Fits(n, bytes, size int) bool {
	return n < q.Limit && (n == 0 || bytes+size <= q.Bytes)
}

// After is the offset that comes after another in the query's direction.
func (q *Query) After(offset wire.Offset) wire.Offset {
	if q.Reverse {
		return offset - 1 // there is always one: offsets begin with 1, and 0 is before every head
	}
	return offset + 1
}

// Run is what a query has found: entries in the order that it asked for, without a hole between them.
type Run struct {
	Epoch      wire.Epoch
	Head, Tail wire.Offset // of the log
	First      wire.Offset // of the first of the entries
	Reverse    bool        // the others go down from First, not up
	Entries    []Entry
	Gap        *wire.Gap // what is missing before the first of them, or nil
	More       bool      // another query from the last of them will find entries, or tell why it does not
}

// Offset is where the entry at index i stands.
func (r *Run) Offset(i int) wire.Offset {
	if r.Reverse {
		return r.First - wire.Offset(i)
	}
	return r.First + wire.Offset(i)
}

// Archive reads what has left the memory of a log with a store, and may wait for it. Both functions are nil where there is
// no store.
type Archive struct {
	// Since finds the first offset whose time is at least t, in milliseconds since 1970, or one behind the tail.
	Since func(t int64) wire.Offset
	// Entries reads some entries from the given offset on, in the direction and within the bounds of the query. There are
	// none when the entry there cannot be had any more: the log knows it by then.
	Entries func(first wire.Offset, q *Query) []Entry
}

// Run answers a query.
func (l *Log) Run(q *Query, a Archive) Run {
	if a.Since == nil {
		a.Since = l.since
	}
	var at bounds
	if q.Reverse {
		at = l.until(q.From, a.Since)
	} else {
		at = l.from(q.From, a.Since)
	}
	first := at.first
	var entries []Entry
	for l.holds(first, q.Reverse) {
		if entries = l.near(first, q); len(entries) == 0 && a.Entries != nil {
			entries = a.Entries(first, q)
		}
		if len(entries) > 0 || q.Reverse { // in reverse, what is before has gone with it
			break
		}
		first = max(first+1, l.Head())
	}
	r := Run{Epoch: l.epoch, Head: l.Head(), Tail: l.Tail(), First: first, Reverse: q.Reverse, Entries: entries, Gap: at.gap}
	l.account(&r, at)
	return r
}

// bounds are where a query begins.
type bounds struct {
	first wire.Offset // the first entry wanted; in reverse, 0 when none is
	gap   *wire.Gap   // what is known to be missing before it
	exact bool        // the query named a position: what is not there any more must be told
}

// from finds the bounds of a query that goes forwards.
func (l *Log) from(start wire.Start, since func(int64) wire.Offset) bounds {
	switch start.Kind {
	case wire.StartNow:
		return bounds{first: l.Head()}
	case wire.StartTime:
		return bounds{first: max(since(start.Time), l.Head())}
	case wire.StartPosition, wire.StartOffset, wire.StartLast:
	}
	o := l.Open(start)
	return bounds{first: o.Next, gap: o.Gap, exact: start.Kind != wire.StartLast}
}

// until finds the bounds of a query in reverse.
func (l *Log) until(start wire.Start, since func(int64) wire.Offset) bounds {
	tail := l.Tail()
	switch start.Kind {
	case wire.StartPosition, wire.StartOffset:
		switch {
		case start.Kind == wire.StartPosition && start.Epoch != l.epoch:
			return bounds{first: tail, gap: l.gap(1, min(l.Head(), tail+1)-1, wire.GapEpoch)}
		case start.Offset > tail:
			return bounds{first: tail, gap: l.gap(tail+1, start.Offset, wire.GapBeyondTail)}
		}
		return bounds{first: max(start.Offset, 1) - 1, exact: true}
	case wire.StartLast:
		return bounds{first: tail - wire.Offset(min(start.Last, uint64(tail)))}
	case wire.StartTime:
		return bounds{first: max(since(start.Time), 1) - 1}
	case wire.StartNow:
	}
	return bounds{first: tail}
}

// holds reports whether there can be an entry at an offset, or behind it where the query goes forwards.
func (l *Log) holds(offset wire.Offset, reverse bool) bool {
	return offset <= l.Tail() && (!reverse || offset >= max(l.Head(), 1))
}

// near returns the entries that lie together in memory from the given offset on, in the query's direction.
func (l *Log) near(first wire.Offset, q *Query) (entries []Entry) {
	head, tail := l.Head(), l.Tail()
	size := 0
	for offset := first; head <= offset && offset <= tail; {
		c := l.chunkOf(offset)
		if c == nil {
			break
		}
		e := Entry(c.entry(int(offset - c.first)))
		if !q.Fits(len(entries), size, len(e)) {
			break
		}
		entries = append(entries, e)
		size += len(e)
		offset = q.After(offset)
	}
	return entries
}

// account tells in a run what it misses, and whether there is more.
func (l *Log) account(r *Run, at bounds) {
	damaged := wire.Offset(l.damaged.Load())
	n := len(r.Entries)
	if r.Reverse {
		if n == 0 && at.first > 0 && r.Gap == nil && (at.exact || at.first <= damaged) {
			r.Gap = l.gap(1, at.first, wire.GapRetention)
		}
		if n > 0 {
			last := r.Offset(n - 1)
			r.More = last > r.Head || last > 1 && last-1 <= damaged
		}
		return
	}
	switch lost := r.First - 1; {
	case r.First <= at.first || !at.exact && lost > damaged:
	case r.Gap != nil:
		r.Gap.ToOffset = lost
	default:
		r.Gap = l.gap(at.first, lost, wire.GapRetention)
	}
	r.More = n > 0 && r.Offset(n-1) < r.Tail
}
