package channel

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// Filter decides which messages are for a derived log. Safe for concurrent use.
type Filter interface {
	Match(m *wire.Message) bool
	// String is the same for filters that let the same through.
	String() string
}

const (
	// MaxDerived is how many derived logs a log has at a time.
	MaxDerived = 64
	// siftStep is how many entries are looked at before what was found is told.
	siftStep = 512
	// backStep is how many older entries are looked at before the new ones have their turn.
	backStep = 4096
	// matchCost is what a match charges to the budget.
	matchCost = 8
	// tellAfter is how long readers are left where they stand while nothing is for them.
	tellAfter = 5 * time.Second
)

// Derived is the log of those entries of another that a filter lets through: an index of their offsets, which all readers of
// the filter share. Each entry is looked at once, on a goroutine that exists only while there is something to look at. Safe
// for concurrent use.
//
//	every match in from..through is in order, but for those up to pruned, which the log keeps no longer
type Derived struct {
	log    *Log
	filter Filter
	watch  *Watch // of the log

	through atomic.Uint64 // entries up to here were looked at
	told    atomic.Uint64 // readers are to know of them up to here, though they may not be for them
	noted   atomic.Uint64 // the last that matched, or that readers were told of
	watches atomic.Pointer[[]*Watch]

	mu      sync.Mutex // guards the fields below
	users   int
	working bool
	closed  bool
	from    wire.Offset
	order   []wire.Offset // of the matches, ascending
	pruned  wire.Offset   // the newest match that was taken out because it is kept no longer, or entry that was not read in time
	wanted  []want
	timer   *time.Timer // tells readers of entries that were not for them

	message wire.Message // worker only
}

// want is somebody who waits for older entries to be looked at.
type want struct {
	from  wire.Offset
	count int // enough when so many matches are known; 0: all from there on
	ready func()
}

// Derive returns the derived log of a filter, from now on; end its use with Release. It is shared with all who ask for the
// same filter.
func (l *Log) Derive(f Filter) (*Derived, error) {
	text := f.String()
	l.deriving.Lock()
	defer l.deriving.Unlock()
	if d := l.derived[text]; d != nil {
		d.mu.Lock()
		d.users++
		d.mu.Unlock()
		return d, nil
	}
	if len(l.derived) >= MaxDerived {
		return nil, wire.Errorf(wire.CodeResourceExhausted, "channel %s has %d different filters in use, which is the most there may be: use one of them, or wait", l.name, MaxDerived)
	}
	d := &Derived{log: l, filter: f, users: 1}
	d.watch = NewWatch(func(*Watch) { d.wake() })
	d.mu.Lock() // whoever appends meanwhile waits to wake it until it is whole
	defer d.mu.Unlock()
	if !l.Watch(d.watch) {
		return nil, ErrClosed
	}
	tail := l.Tail()
	d.from = tail + 1
	d.through.Store(uint64(tail))
	d.noted.Store(uint64(tail))
	if l.derived == nil {
		l.derived = make(map[string]*Derived)
	}
	l.derived[text] = d
	return d, nil
}

// Release ends a use of the derived log. With the last one it is forgotten.
func (d *Derived) Release() {
	l := d.log
	l.deriving.Lock()
	defer l.deriving.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.users--; d.users > 0 {
		return
	}
	delete(l.derived, d.filter.String())
	l.Unwatch(d.watch)
	d.closed = true
	l.charge(-matchCost * len(d.order))
	d.order = nil
	if d.timer != nil {
		d.timer.Stop()
	}
}

// Through is the newest entry that was looked at.
func (d *Derived) Through() wire.Offset { return wire.Offset(d.through.Load()) }

// Told is the newest entry that readers are to know of, though it may not be for them: they have been left where they stand
// for long.
func (d *Derived) Told() wire.Offset { return wire.Offset(d.told.Load()) }

// Watch has w notified when there is something for readers, or they have been left where they stand for long.
func (d *Derived) Watch(w *Watch) {
	d.mu.Lock()
	defer d.mu.Unlock()
	watches := append(slices.Clone(d.watching()), w)
	d.watches.Store(&watches)
}

// Unwatch takes w away again.
func (d *Derived) Unwatch(w *Watch) {
	d.mu.Lock()
	defer d.mu.Unlock()
	watches := slices.DeleteFunc(slices.Clone(d.watching()), func(other *Watch) bool { return other == w })
	d.watches.Store(&watches)
}

func (d *Derived) watching() []*Watch {
	if p := d.watches.Load(); p != nil {
		return *p
	}
	return nil
}

// Next appends to run at most limit offsets of matches, from the given one on. lost reports that some were there that are
// kept no longer, and known is false when the entries from there on have not been looked at: see [Derived.Cover].
func (d *Derived) Next(run []wire.Offset, from wire.Offset, limit int) (found []wire.Offset, lost, known bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if from < d.from {
		return run, false, false
	}
	d.prune()
	i, _ := slices.BinarySearch(d.order, from)
	return append(run, d.order[i:min(i+limit, len(d.order))]...), from <= d.pruned, true
}

// Cover reports whether the entries from the given one on have been looked at, as far as they are kept. If not, they are,
// and ready is called once, on any goroutine. With a count, it is enough that so many matches are known.
func (d *Derived) Cover(from wire.Offset, count int, ready func()) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	w := want{from: from, count: count, ready: ready}
	if d.covers(&w) {
		return true
	}
	d.wanted = append(d.wanted, w)
	d.begin()
	return false
}

func (d *Derived) covers(w *want) bool {
	return d.closed || d.from <= max(w.from, d.log.Head()) || w.count > 0 && len(d.order) >= w.count
}

// Last is where a reader begins who wants the newest count matches of those that are known.
func (d *Derived) Last(count int) wire.Offset {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch n := len(d.order); {
	case count == 0 || n == 0:
		return d.Through() + 1
	default:
		return d.order[n-min(count, n)]
	}
}

// wake has new entries looked at.
func (d *Derived) wake() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.begin()
}

func (d *Derived) begin() {
	if !d.working && !d.closed {
		d.working = true
		go d.work()
	}
}

// work looks at entries until there is nothing left to look at.
func (d *Derived) work() {
	for {
		d.sift()
		d.siftBack()
		d.mu.Lock()
		d.watch.Clear() // before the tail is read: what is appended from here on is told again
		if len(d.wanted) == 0 && (d.closed || d.log.Tail() == d.Through()) {
			d.working = false
			d.mu.Unlock()
			return
		}
		d.mu.Unlock()
	}
}

// sift looks at the new entries.
func (d *Derived) sift() {
	for tail := d.log.Tail(); d.Through() < tail; {
		first := d.Through() + 1
		last := min(first+siftStep-1, tail, d.due())
		found, unread := d.match(first, last)
		d.mu.Lock()
		if d.closed {
			d.mu.Unlock()
			return
		}
		d.pruned = max(d.pruned, unread)
		d.order = append(d.order, found...)
		d.log.charge(matchCost * len(found))
		d.prune()
		d.through.Store(uint64(last))
		none := len(found) == 0
		if d.timer == nil && (none || found[len(found)-1] < last) {
			d.timer = time.AfterFunc(tellAfter, d.tellLater)
		}
		d.mu.Unlock()
		switch {
		case !none:
			d.notify(found[len(found)-1])
		case last == d.due():
			d.tell(last)
		}
	}
}

// due is the entry at which readers are to be told, if nothing up to there is for them.
func (d *Derived) due() wire.Offset { return wire.Offset(d.noted.Load()) + PositionEvery }

// tell has readers know of the entries up to through, though none was for them.
func (d *Derived) tell(through wire.Offset) {
	d.mu.Lock()
	d.told.Store(max(d.told.Load(), uint64(through)))
	d.mu.Unlock()
	d.notify(through)
}

// notify has readers look.
func (d *Derived) notify(noted wire.Offset) {
	d.mu.Lock()
	d.noted.Store(max(d.noted.Load(), uint64(noted))) // the timer and the worker may both be here
	d.mu.Unlock()
	for _, w := range d.watching() {
		w.Notify()
	}
}

func (d *Derived) tellLater() {
	d.mu.Lock()
	d.timer = nil
	closed := d.closed
	d.mu.Unlock()
	if through := d.Through(); !closed && through > wire.Offset(d.noted.Load()) {
		d.tell(through)
	}
}

// prune takes out what the log keeps no longer. The caller holds the mutex.
func (d *Derived) prune() {
	head := d.log.Head()
	if len(d.order) == 0 || d.order[0] >= head {
		return
	}
	i, _ := slices.BinarySearch(d.order, head)
	d.pruned = max(d.pruned, d.order[i-1])
	d.order = d.order[i:]
	d.log.charge(-matchCost * i)
	if cap(d.order) > 4*siftStep && len(d.order) < cap(d.order)/4 {
		d.order = slices.Clone(d.order)
	}
}

// siftBack looks at some older entries, if anybody wants them, and tells those who have what they wanted.
func (d *Derived) siftBack() {
	first, before := d.backlog()
	if first < before {
		found, unread := d.match(first, before-1)
		d.mu.Lock()
		d.pruned = max(d.pruned, unread)
		d.order = slices.Concat(found, d.order)
		d.log.charge(matchCost * len(found))
		d.from = first
		if d.closed { // what was charged meanwhile
			d.log.charge(-matchCost * len(d.order))
			d.order = nil
		}
		d.mu.Unlock()
	}
	for _, ready := range d.satisfied() {
		ready()
	}
}

// backlog is the next run of older entries to look at: first up to before.
func (d *Derived) backlog() (first, before wire.Offset) {
	d.mu.Lock()
	defer d.mu.Unlock()
	first = d.from
	for _, w := range d.wanted {
		first = min(first, w.from)
	}
	first = max(first, d.log.Head())
	if d.from > backStep {
		first = max(first, d.from-backStep)
	}
	return min(first, d.from), d.from
}

// satisfied takes those out who have what they wanted.
func (d *Derived) satisfied() (ready []func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wanted = slices.DeleteFunc(d.wanted, func(w want) bool {
		done := d.covers(&w)
		if done {
			ready = append(ready, w.ready)
		}
		return done
	})
	return ready
}

// match looks at the entries from first to last, and returns the offsets of those that the filter lets through, and up to
// where entries could not be read any more: whoever reads there is told of the gap.
func (d *Derived) match(first, last wire.Offset) (found []wire.Offset, unread wire.Offset) {
	m := &d.message
	for offset := first; offset <= last; offset++ {
		switch {
		case !d.read(offset, m):
			unread = offset
		case d.filter.Match(m):
			found = append(found, offset)
		}
	}
	*m = wire.Message{Tags: m.Tags[:0], Meta: m.Meta[:0]} // entries are not held
	return found, unread
}

// read reads an entry, from the store where it has to.
func (d *Derived) read(offset wire.Offset, m *wire.Message) bool {
	l := d.log
	if l.Read(offset, m) {
		return true
	}
	if l.store == nil {
		return false
	}
	for l.Head() <= offset && d.wantedStill() {
		fetched := make(chan struct{})
		l.Fetch(offset, func() { close(fetched) })
		<-fetched
		if l.Read(offset, m) {
			return true
		}
		time.Sleep(storeTrouble) // it cannot be had, and may not be given up yet
	}
	return false
}

// storeTrouble is the time between two tries to read what the store does not give.
const storeTrouble = 10 * time.Millisecond

func (d *Derived) wantedStill() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.closed
}
