package channel

import (
	"bytes"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// every lets each n-th message through, by the number that its payload is (Filter).
type every struct {
	n      int
	looked atomic.Int64
}

func (e *every) Match(m *wire.Message) bool {
	e.looked.Add(1)
	n := 0
	for _, digit := range bytes.TrimLeft(m.Payload.Bytes, "m ") {
		n = n*10 + int(digit-'0')
	}
	return n%e.n == 0
}

func (e *every) String() string { return fmt.Sprint("every ", e.n) }

// count appends n messages whose payloads are their offsets.
func count(t testing.TB, l *Log, n int) {
	t.Helper()
	for range n {
		record := Record{Publication: wire.Publication{Payload: wire.Payload{Kind: wire.PayloadText, Bytes: fmt.Append(nil, uint64(l.Tail())+1)}}}
		if _, err := l.Append([]Record{record}, nil); err != nil {
			t.Error(err)
			return
		}
	}
}

func waitFor(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited too long: %s", what)
		}
	}
}

func TestDerivedLooksAtEachEntryOnce(t *testing.T) {
	l, _ := testLog(keepAll())
	count(t, l, 10_000)
	f := &every{n: 7}
	var all []*Derived
	for range 10 {
		d, err := l.Derive(f)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, d)
	}
	var covered atomic.Int64
	for i, d := range all {
		if d != all[0] {
			t.Fatal("the same filter has two derived logs")
		}
		if d.Cover(wire.Offset(1+i), 0, func() { covered.Add(1) }) {
			covered.Add(1)
		}
	}
	count(t, l, 10_000)
	waitFor(t, "everything was looked at", func() bool { return covered.Load() == 10 && all[0].Through() == 20_000 })
	if n := f.looked.Load(); n != 20_000 {
		t.Errorf("%d looks at 20,000 entries", n)
	}
	run, lost, known := all[0].Next(nil, 1, 10_000)
	if len(run) != 20_000/7 || lost || !known || run[0] != 7 || run[len(run)-1] != 19_999 {
		t.Errorf("%d matches, lost %t, known %t", len(run), lost, known)
	}
	if at := all[0].Last(3); at != 19_999-14 {
		t.Errorf("the last three begin at %d", at)
	}
	charged := l.Cost()
	for _, d := range all {
		d.Release()
	}
	if got := charged - l.Cost(); got != matchCost*(20_000/7) {
		t.Errorf("%d bytes were given back, want 8 for each of %d matches", got, 20_000/7)
	}
}

// The newest matches are found without a look at all that is kept.
func TestDerivedFindsTheNewestMatches(t *testing.T) {
	l, _ := testLog(keepAll())
	count(t, l, 50_000)
	f := &every{n: 10}
	d, err := l.Derive(f)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Release()
	ready := make(chan struct{})
	if d.Cover(1, 100, func() { close(ready) }) {
		t.Fatal("they are known before anything was looked at")
	}
	<-ready
	if n := f.looked.Load(); n > 2*backStep {
		t.Errorf("%d entries were looked at for the newest 100 matches, each tenth is one", n)
	}
	if at := d.Last(100); at != 50_000-990 {
		t.Errorf("they begin at %d", at)
	}
}

// Readers are told of what is not for them after some seconds, and of what is at once.
func TestDerivedTellsOfWhatIsPassedOver(t *testing.T) {
	l, _ := testLog(keepAll())
	d, err := l.Derive(&every{n: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Release()
	var told atomic.Int64
	w := NewWatch(func(w *Watch) { told.Add(1); w.Clear() })
	d.Watch(w)
	count(t, l, PositionEvery-1)
	waitFor(t, "everything was looked at", func() bool { return d.Through() == PositionEvery-1 })
	if told.Load() != 0 {
		t.Error("readers were told of little that was not for them")
	}
	count(t, l, 1)
	waitFor(t, "readers are told of much", func() bool { return told.Load() == 1 })
	count(t, l, 1)
	waitFor(t, "readers are told of little in the end", func() bool { return told.Load() == 2 && d.Told() == PositionEvery+1 })
}

// TestDerivedAmongAppendsAndSweeps has entries appended and dropped while several look at what is derived from them: each sees
// each match once and in order, or is told that it lost some.
func TestDerivedAmongAppendsAndSweeps(t *testing.T) {
	r := keepAll()
	r.Messages = 3000
	l, c := testLog(r)
	const total = 30_000
	var ended atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		defer ended.Store(true)
		for l.Tail() < total {
			count(t, l, 50)
			time.Sleep(50 * time.Microsecond)
		}
	})
	wg.Go(func() {
		for !ended.Load() {
			c.advance(time.Millisecond)
			l.Sweep()
			l.DropOldest()
			time.Sleep(time.Millisecond)
		}
	})
	for n := 1; n <= 4; n++ {
		wg.Go(func() { followDerived(t, l, n, total) })
		wg.Go(func() { followDerived(t, l, n, total) })
	}
	wg.Wait()
	if len(l.derived) != 0 {
		t.Errorf("%d derived logs are left", len(l.derived))
	}
	l.Close(true)
	if used := l.space.budget.Used(); used != 0 {
		t.Errorf("the budget has %d after Close", used)
	}
}

// followDerived reads from the beginning until it has seen or lost everything.
func followDerived(t *testing.T, l *Log, n int, total wire.Offset) {
	d, err := l.Derive(&every{n: n})
	if err != nil {
		t.Error(err)
		return
	}
	defer d.Release()
	for next := wire.Offset(1); next <= total-wire.Offset(n); {
		through := d.Through()
		run, lost, known := d.Next(nil, next, 100)
		switch {
		case lost, !known && next < l.Head():
			next = max(l.Head(), next+1)
		case !known:
			ready := make(chan struct{})
			if !d.Cover(next, 0, func() { close(ready) }) {
				<-ready
			}
		case len(run) == 0:
			next = max(next, through+1)
			time.Sleep(time.Millisecond)
		}
		if lost || !known {
			continue
		}
		for _, offset := range run {
			first := (next + wire.Offset(n) - 1) / wire.Offset(n) * wire.Offset(n)
			if offset != first {
				t.Errorf("every %d: %d comes where %d is due", n, offset, first)
				return
			}
			next = offset + 1
		}
	}
}

// Whoever waits for older entries hears of it also when the last user of the derived log goes meanwhile.
func TestDerivedIsReleasedWhileSomebodyWaits(t *testing.T) {
	l, _ := testLog(keepAll())
	count(t, l, 3*backStep)
	d, err := l.Derive(&every{n: 3})
	if err != nil {
		t.Fatal(err)
	}
	if d.Cover(l.Tail(), 0, d.Release) {
		t.Fatal("all was looked at before anybody asked")
	}
	ready := make(chan struct{})
	if d.Cover(1, 0, func() { close(ready) }) {
		t.Fatal("all was looked at before anybody asked")
	}
	select {
	case <-ready:
	case <-time.After(20 * time.Second):
		t.Fatal("whoever waits is not told")
	}
}
