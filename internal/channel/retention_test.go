package channel

import (
	"strings"
	"testing"
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

func TestRetentionByCount(t *testing.T) {
	for _, keep := range []int64{0, 1, 2, 15, 16, 17, 100} {
		r := keepAll()
		r.Messages = keep
		l, _ := testLog(r)
		for i := range 500 {
			fill(t, l, 1)
			if want := min(int64(i+1), keep); kept(l) != want {
				t.Fatalf("%d entries kept after %d, want %d", kept(l), i+1, want)
			}
			checkEnds(t, l)
		}
	}
}

func kept(l *Log) int64 { return int64(l.Tail() + 1 - l.Head()) }

// checkEnds checks 1 <= head <= tail+1, that head and tail are readable, and that what is before the head is not.
func checkEnds(t testing.TB, l *Log) {
	t.Helper()
	var m wire.Message
	head, tail := l.Head(), l.Tail()
	if head < 1 || head > tail+1 {
		t.Fatalf("head %d and tail %d", head, tail)
	}
	if head <= tail && (!l.Read(head, &m) || !l.Read(tail, &m)) {
		t.Fatalf("head %d or tail %d is not readable", head, tail)
	}
	if l.Read(head-1, &m) {
		t.Fatalf("entry %d before the head is readable", head-1)
	}
	if _, ok := l.Frames(0, head-1, 100); ok {
		t.Fatalf("frames before the head %d are handed out", head)
	}
	if b, ok := l.Frames(0, head, 1); !ok || head <= tail && b.After != head+1 {
		t.Fatalf("no frames from the head %d on", head)
	}
}

func TestRetentionByBytes(t *testing.T) {
	r := keepAll()
	r.Bytes = 1000
	l, _ := testLog(r)
	entry := text(strings.Repeat("x", 100))
	for range 100 {
		add(t, l, entry)
		checkEnds(t, l)
		if l.bytes > r.Bytes {
			t.Fatalf("%d bytes are kept, more than %d", l.bytes, r.Bytes)
		}
	}
	size := l.bytes / kept(l)
	if want := r.Bytes / size; kept(l) != want {
		t.Errorf("%d entries of %d bytes kept, want %d", kept(l), size, want)
	}
	add(t, l, text(strings.Repeat("y", 2000)))
	if kept(l) != 0 || l.bytes != 0 {
		t.Errorf("%d entries of %d bytes kept after one that alone is too large", kept(l), l.bytes)
	}
	add(t, l, entry)
	checkEnds(t, l)
	if kept(l) != 1 {
		t.Errorf("%d entries kept, want the new one", kept(l))
	}
}

func TestRetentionByAge(t *testing.T) {
	r := keepAll()
	r.Age = time.Minute
	l, c := testLog(r)
	fill(t, l, 10)
	c.advance(30 * time.Second)
	fill(t, l, 10)
	c.advance(30 * time.Second)
	l.Sweep()
	if kept(l) != 20 {
		t.Errorf("%d entries kept at exactly the age, want all 20", kept(l))
	}
	c.advance(time.Millisecond)
	l.Sweep()
	if kept(l) != 10 || l.Head() != 11 {
		t.Errorf("%d entries kept from %d on, want the younger ten", kept(l), l.Head())
	}
	checkEnds(t, l)
	c.advance(time.Hour)
	fill(t, l, 1)
	if kept(l) != 1 {
		t.Errorf("%d entries kept after an hour and an append, want 1", kept(l))
	}
	checkEnds(t, l)
	c.advance(time.Hour)
	l.Sweep()
	if kept(l) != 0 || l.bytes != 0 || len(*l.chunks.Load()) != 0 {
		t.Errorf("after everything aged: %d entries, %d bytes, %d chunks", kept(l), l.bytes, len(*l.chunks.Load()))
	}
	if l.Tail() != 21 {
		t.Errorf("tail %d after everything aged, want 21: the numbering goes on", l.Tail())
	}
	fill(t, l, 1)
	checkEnds(t, l)
}

// TestRetentionSurvivesAClockThatJumpsBack keeps entries whose time seems to lie ahead, and still bounds them.
func TestRetentionSurvivesAClockThatJumpsBack(t *testing.T) {
	r := Retention{Messages: 10, Bytes: 1 << 20, Age: time.Minute}
	l, c := testLog(r)
	fill(t, l, 5)
	c.advance(-time.Hour)
	l.Sweep()
	fill(t, l, 1)
	if kept(l) != 6 {
		t.Errorf("%d entries kept after the clock jumped back, want 6", kept(l))
	}
	fill(t, l, 20)
	if kept(l) != 10 {
		t.Errorf("%d entries kept, want 10", kept(l))
	}
	checkEnds(t, l)
}

func TestSetRetentionDropsAtOnce(t *testing.T) {
	l, _ := testLog(keepAll())
	fill(t, l, 100)
	r := keepAll()
	r.Messages = 7
	l.SetRetention(r)
	if kept(l) != 7 {
		t.Errorf("%d entries kept, want 7", kept(l))
	}
	checkEnds(t, l)
}

func TestDropOldestTakesAChunkAtATime(t *testing.T) {
	l, _ := testLog(keepAll())
	fill(t, l, 500)
	chunks := len(*l.chunks.Load())
	if chunks < 4 {
		t.Fatalf("only %d chunks", chunks)
	}
	for left := chunks; left > 0; left-- {
		head, cost := l.Head(), l.Cost()
		if !l.DropOldest() || l.Head() <= head || l.Cost() >= cost || len(*l.chunks.Load()) != left-1 {
			t.Fatalf("dropping one of %d chunks: head %d to %d, cost %d to %d", left, head, l.Head(), cost, l.Cost())
		}
		checkEnds(t, l)
	}
	if l.DropOldest() || kept(l) != 0 || l.bytes != 0 {
		t.Errorf("an empty log keeps %d entries of %d bytes", kept(l), l.bytes)
	}
	fill(t, l, 1)
	checkEnds(t, l)
}

func TestBudgetReturnsToZero(t *testing.T) {
	l, _ := testLog(keepAll())
	for i := range 1000 {
		add(t, l, identified("p", numbered(wire.Offset(i)), "payload"))
		if i%100 == 0 {
			l.Frames(FormatID(i/100%2), l.Head(), 1<<20)
			l.Frames(0, l.Tail(), 1<<20)
		}
		if i%250 == 0 {
			l.DropOldest()
		}
	}
	if used := l.space.budget.Used(); used != l.Cost() || used <= 0 {
		t.Errorf("the budget has %d, the log %d", used, l.Cost())
	}
	l.Close(true)
	if used := l.space.budget.Used(); used != 0 || l.Cost() != 0 {
		t.Errorf("after Close the budget has %d and the log %d, want nothing", used, l.Cost())
	}
	if len(l.dedup.offsets) != 0 {
		t.Errorf("after Close %d message ids are remembered", len(l.dedup.offsets))
	}
}

func TestBudget(t *testing.T) {
	b := NewBudget(100)
	b.Charge(100)
	if b.Spent() {
		t.Error("a budget that is exactly used counts as spent")
	}
	b.Charge(1)
	if !b.Spent() || b.Used() != 101 || b.Limit() != 100 {
		t.Errorf("Spent %t, Used %d, Limit %d", b.Spent(), b.Used(), b.Limit())
	}
	free := NewBudget(0)
	free.Charge(1 << 40)
	if free.Spent() {
		t.Error("a budget without a limit is spent")
	}
}
