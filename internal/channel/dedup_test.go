package channel

import (
	"testing"
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

func TestARetryIsAnsweredWithTheFirstPosition(t *testing.T) {
	l, _ := testLog(keepAll())
	fill(t, l, 5)
	add(t, l, identified("alice", "m1", "first"))
	for _, test := range []struct {
		name   string
		record Record
		want   Placed
	}{
		{"the same again", identified("alice", "m1", "first"), Placed{6, true}},
		{"the same id with another payload", identified("alice", "m1", "second"), Placed{6, true}},
		{"another publisher", identified("bob", "m1", "first"), Placed{7, false}},
		{"another id", identified("alice", "m2", "first"), Placed{8, false}},
		{"the other publisher again", identified("bob", "m1", ""), Placed{7, true}},
		{"publisher and id divided elsewhere", identified("alicem", "1", ""), Placed{9, false}},
		{"no id", identified("alice", "", "first"), Placed{10, false}},
		{"no id again", identified("alice", "", "first"), Placed{11, false}},
		{"no publisher", identified("", "m1", ""), Placed{12, false}},
		{"no publisher again", identified("", "m1", ""), Placed{12, true}},
	} {
		if got := add(t, l, test.record)[0]; got != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
}

func TestARetryWithinItsOwnBatch(t *testing.T) {
	l, _ := testLog(keepAll())
	placed := add(t, l, identified("p", "a", "1"), identified("p", "b", "2"), identified("p", "a", "3"))
	want := []Placed{{1, false}, {2, false}, {1, true}}
	for i := range want {
		if placed[i] != want[i] {
			t.Errorf("record %d: %+v, want %+v", i, placed[i], want[i])
		}
	}
	if l.Tail() != 2 {
		t.Errorf("tail %d, want 2", l.Tail())
	}
}

// TestTheWindowIsWhatIsRetained walks a window of ten along: the oldest id in it is known, the one before is not.
func TestTheWindowIsWhatIsRetained(t *testing.T) {
	r := keepAll()
	r.Messages = 10
	l, _ := testLog(r)
	id := func(n wire.Offset) string { return numbered(n) }
	for range 1000 {
		add(t, l, identified("p", id(l.Tail()+1), "x"))
		if n := int64(len(l.dedup.offsets)); n != kept(l) {
			t.Fatalf("%d ids are remembered for %d entries", n, kept(l))
		}
		if got := add(t, l, identified("p", id(l.Head()), "x"))[0]; got != (Placed{l.Head(), true}) {
			t.Fatalf("the oldest of %d..%d is answered %+v", l.Head(), l.Tail(), got)
		}
	}
	gone := l.Head() - 1
	if got := add(t, l, identified("p", id(gone), "x"))[0]; got.Duplicate || got.Offset != l.Tail() {
		t.Errorf("an id that left with its entry is answered %+v", got)
	}
}

func TestTheWindowEndsWithTime(t *testing.T) {
	r := keepAll()
	r.Age = time.Minute
	l, c := testLog(r)
	add(t, l, identified("p", "a", "x"))
	c.advance(time.Hour)
	l.Sweep()
	if got := add(t, l, identified("p", "a", "x"))[0]; got != (Placed{2, false}) {
		t.Errorf("after its entry aged an id is answered %+v, want a new offset", got)
	}
}

// TestAHashCollisionIsNoDuplicate plants the offset of another message under an id's hash.
func TestAHashCollisionIsNoDuplicate(t *testing.T) {
	r := keepAll()
	r.Messages = 3
	l, _ := testLog(r)
	add(t, l, identified("p", "a", "x"))
	key := l.dedup.key("p", "b")
	l.remember(key, 1)
	if got := add(t, l, identified("p", "b", "y"))[0]; got != (Placed{2, false}) {
		t.Errorf("a message whose hash collides is answered %+v, want a place of its own", got)
	}
	if got := add(t, l, identified("p", "b", "y"))[0]; got != (Placed{2, true}) {
		t.Errorf("its retry is answered %+v", got)
	}
	fill(t, l, 4)
	if n := len(l.dedup.offsets); n != 0 {
		t.Errorf("%d ids are remembered after all entries that had one were dropped", n)
	}
	l.Close(true)
	if used := l.space.budget.Used(); used != 0 {
		t.Errorf("the budget has %d after Close", used)
	}
}
