package channel

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// TestReadersAmongAppendsAndSweeps lets everything that may happen to a log happen at once. Each reader must see each
// entry once and in order, or lose it to a head that has moved.
func TestReadersAmongAppendsAndSweeps(t *testing.T) {
	r := keepAll()
	r.Messages = 200
	l, c := testLog(r)
	const total = 20_000
	var ended atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		defer ended.Store(true)
		for l.Tail() < total {
			fill(t, l, 1)
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
	wg.Go(func() {
		for !ended.Load() {
			head := l.Head() // first: the tail of a later moment cannot lie before it
			if tail := l.Tail(); head > tail+1 {
				t.Errorf("head %d is behind tail %d", head, tail)
			}
			if o := l.Open(wire.Start{Kind: wire.StartLast, Last: 5}); o.Next > o.Tail+1 || o.Tail-o.Position.Offset > 5 {
				t.Errorf("the last five begin at %d of %d", o.Next, o.Tail)
			}
			l.Open(wire.Start{Kind: wire.StartTime, Time: c.now().UnixMilli()})
		}
	})
	for f := range FormatID(2) {
		wg.Go(func() { follow(t, l, f, total) })
	}
	wg.Wait()
	l.Close(true)
	if used := l.space.budget.Used(); used != 0 {
		t.Errorf("the budget has %d after Close", used)
	}
}

// follow reads from the beginning until it has seen or lost everything.
func follow(t *testing.T, l *Log, f FormatID, total wire.Offset) {
	for next := wire.Offset(1); next <= total; {
		b, ok := l.Frames(f, next, 1000)
		if !ok {
			gap, head := l.Lost(next)
			if gap.FromOffset != next || gap.ToOffset < next || head != gap.ToOffset+1 {
				t.Errorf("a cursor at %d lost %d..%d and goes on at %d", next, gap.FromOffset, gap.ToOffset, head)
				return
			}
			next = head
			continue
		}
		for i, frame := range parsePlain(t, b.Bytes) {
			want := next + wire.Offset(i)
			if frame.offset != want || frame.payload[:len(numbered(want))] != numbered(want) {
				t.Errorf("entry %d where %d was due", frame.offset, want)
				return
			}
		}
		next = b.After
	}
}

// TestWatchersMissNothing clears first and reads then, as readers do, and must reach the tail without a clock.
func TestWatchersMissNothing(t *testing.T) {
	l, _ := testLog(keepAll())
	const total = 20_000
	wake := make(chan struct{}, 1)
	w := NewWatch(func(*Watch) {
		select {
		case wake <- struct{}{}:
		default:
			t.Error("told twice without Clear in between")
		}
	})
	l.Watch(w)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for range total / 2 {
				add(t, l, text("x"))
			}
		})
	}
	for seen := wire.Offset(0); seen < total; {
		select {
		case <-wake:
		case <-time.After(10 * time.Second):
			t.Fatalf("nobody told of anything after %d, and the tail is %d", seen, l.Tail())
		}
		w.Clear()
		seen = l.Tail()
	}
	wg.Wait()
}

// TestBudgetReturnsToZeroWhateverIsRead closes logs while others make views of them.
func TestBudgetReturnsToZeroWhateverIsRead(t *testing.T) {
	budget := NewBudget(0)
	space := NewSpace(budget, nil, plainFormat{}, plainFormat{overhead: 40})
	for round := range 3000 {
		l := space.NewLog("c", "e", keepAll())
		for i := range 40 {
			add(t, l, identified("p", fmt.Sprint(i), "some text"))
		}
		var wg sync.WaitGroup
		start := make(chan struct{})
		for f := range FormatID(2) {
			wg.Go(func() {
				<-start
				for next := wire.Offset(1); ; {
					b, ok := l.Frames(f, next, 100)
					if !ok || b.After == next {
						return
					}
					next = b.After
				}
			})
		}
		wg.Go(func() {
			<-start
			l.Sweep()
			l.DropOldest()
			l.Close(true)
		})
		close(start)
		wg.Wait()
		if used := budget.Used(); used != 0 || l.Cost() != 0 {
			t.Fatalf("round %d: the budget has %d and the log %d after Close", round, used, l.Cost())
		}
	}
}

// TestAppendersShareTheNumbering checks that offsets are given once, and in each appender's own order.
func TestAppendersShareTheNumbering(t *testing.T) {
	l, _ := testLog(keepAll())
	var wg sync.WaitGroup
	given := make([][]Placed, 4)
	for i := range given {
		wg.Go(func() {
			for n := range 1000 {
				given[i] = append(given[i], add(t, l, identified(fmt.Sprint(i), fmt.Sprint(n), "x"))...)
			}
		})
	}
	wg.Wait()
	seen := make(map[wire.Offset]bool)
	for i, placed := range given {
		last := wire.Offset(0)
		for _, p := range placed {
			if p.Duplicate || seen[p.Offset] || p.Offset <= last {
				t.Fatalf("appender %d got %+v after %d", i, p, last)
			}
			seen[p.Offset], last = true, p.Offset
		}
	}
	if len(seen) != 4000 || l.Tail() != 4000 {
		t.Errorf("%d offsets given, tail %d, want 4000", len(seen), l.Tail())
	}
}
