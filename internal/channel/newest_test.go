package channel

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/magpie-bridge/magpie/internal/wire"
)

func keyed(key string) Record {
	r := text("value of " + key)
	r.Key = key
	return r
}

// newestOf is what the index is to say, found the long way: the offsets from next on whose key does not come again.
func newestOf(t *testing.T, l *Log, next wire.Offset) (list []wire.Offset) {
	t.Helper()
	seen := make(map[string]bool)
	for o := l.Tail(); o >= max(next, l.Head()); o-- {
		var m wire.Message
		if !l.Read(o, &m) {
			t.Fatalf("%d is not there", o)
		}
		if !seen[m.Key] {
			list = append(list, o)
		}
		seen[string([]byte(m.Key))] = true
	}
	slices.Reverse(list)
	return list
}

// TestTheIndexAgreesWithTheLog appends and drops at random, and compares the index with the log now and then.
func TestTheIndexAgreesWithTheLog(t *testing.T) {
	retention := keepAll()
	retention.Newest, retention.Messages = true, 500
	l, _ := testLog(retention)
	random := rand.New(rand.NewPCG(1, 2))
	for step := range 20_000 {
		keys := 10
		if step%4000 > 2000 {
			keys = 2000 // many that come once
		}
		add(t, l, keyed(fmt.Sprint(random.IntN(keys))))
		if random.IntN(5000) == 0 {
			l.DropOldest()
		}
		if step%100 == 0 {
			next := l.Head() + wire.Offset(random.IntN(500))
			if got, want := l.newest.next(nil, next, l.Tail(), 1<<20), newestOf(t, l, next); !slices.Equal(got, want) {
				t.Fatalf("step %d: from %d on the index says\n%d, the log\n%d", step, next, got, want)
			}
			if n := l.newest; n.dead > minDead && n.dead > len(n.order)/2+1 || len(n.order)-n.dead != len(n.offsets) {
				t.Fatalf("step %d: of %d places %d are dead, and there are %d keys", step, len(n.order), n.dead, len(n.offsets))
			}
		}
	}
	l.Close(true)
	if used := l.space.budget.Used(); used != 0 {
		t.Errorf("%d bytes are still charged when the log is closed", used)
	}
}

// TestTheIndexIsCharged shows that keys count as memory while they are kept, and no longer.
func TestTheIndexIsCharged(t *testing.T) {
	retention := keepAll()
	retention.Newest, retention.Messages = true, 10
	l, _ := testLog(retention)
	add(t, l, keyed("k"))
	before := l.Cost()
	for range 5 {
		add(t, l, keyed("k"))
	}
	if l.Cost() != before {
		t.Errorf("a key that comes again costs %d more", l.Cost()-before)
	}
	for i := range 4 {
		add(t, l, keyed(fmt.Sprint("other", i)))
	}
	if got := l.Cost() - before; got < 4*newestCost {
		t.Errorf("four keys cost %d", got)
	}
	for range 10 {
		add(t, l, keyed("k"))
	}
	if len(l.newest.offsets) != 1 {
		t.Errorf("%d keys are remembered, and one is kept", len(l.newest.offsets))
	}
}

// TestTheIndexHasABound shows that keys beyond it are forgotten from the oldest on, and that the log says so.
func TestTheIndexHasABound(t *testing.T) {
	retention := keepAll()
	retention.Newest = true
	l, _ := testLog(retention)
	records := make([]Record, 0, 1000)
	for i := range maxKeys + 10 {
		if records = append(records, keyed(fmt.Sprint(i))); len(records) == cap(records) {
			add(t, l, records...)
			records = records[:0]
		}
	}
	add(t, l, records...)
	if len(l.newest.offsets) != maxKeys || l.Indexed(10) || !l.Indexed(11) {
		t.Errorf("%d keys; from 10 on %t, from 11 on %t", len(l.newest.offsets), l.Indexed(10), l.Indexed(11))
	}
}

func TestSparseFrames(t *testing.T) {
	retention := keepAll()
	retention.Newest, retention.Messages = true, 8
	l, _ := testLog(retention)
	for _, key := range []string{"x", "x", "x", "y", "x", "z", "x", "y", "x", "w"} { // 3 to 10 are kept
		add(t, l, keyed(key))
	}
	var s Scratch
	if _, ok := l.SparseFrames(0, 2, 1<<10, &s); ok {
		t.Error("what is gone is delivered")
	}
	b, ok := l.SparseFrames(0, 3, 1<<10, &s)
	frames := parsePlain(t, b.Bytes)
	if !ok || len(frames) != 4 || frames[0].offset != 6 || frames[1].offset != 8 || frames[3].offset != 10 || b.First != 3 || b.After != 11 {
		t.Fatalf("%t, %+v, %+v", ok, frames, b)
	}
	for cut, want := range map[int]wire.Offset{0: 3, 1: 7, frames[0].size: 7, frames[0].size + 1: 9, len(b.Bytes) - 1: 11} {
		next, rest := b.Cut(cut)
		if next != want || cut == 0 && rest != nil {
			t.Errorf("cut at %d: %d, want %d", cut, next, want)
		}
		if cut == frames[0].size+1 && len(rest) != frames[1].size-1 {
			t.Errorf("%d bytes of a frame are left of which one was taken", len(rest))
		}
	}
	for next, want := range map[wire.Offset]int64{3: 0, 7: 3, 9: 4, 11: 4} {
		if got := b.Skipped(next); got != want {
			t.Errorf("up to %d there are %d skipped, want %d", next, got, want)
		}
	}
	// A second batch in the same scratch leaves the first as it is.
	second, _ := l.SparseFrames(0, 9, 1, &s)
	if again := parsePlain(t, b.Bytes); len(again) != 4 || len(parsePlain(t, second.Bytes)) != 1 || second.After != 10 {
		t.Errorf("%+v beside %+v", second, again)
	}
	if next, _ := second.Cut(len(second.Bytes) - 1); next != 10 {
		t.Errorf("cut in its only frame: %d, want 10", next)
	}
	if empty, ok := l.SparseFrames(0, 11, 1<<10, &s); !ok || len(empty.Bytes) != 0 || empty.After != 11 {
		t.Errorf("at the tail: %+v", empty)
	}
}

func TestWithoutAnIndexNothingIsSkipped(t *testing.T) {
	l, _ := testLog(keepAll())
	add(t, l, keyed("x"), keyed("x"))
	if _, ok := l.NextNewest(1); ok || l.Indexed(1) {
		t.Error("a log that was not asked to has an index")
	}
}
