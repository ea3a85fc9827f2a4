package channel

import (
	"testing"
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// openLog returns a log of epoch e1 that retains 11..20, the first five of them a second older than the others.
func openLog(t *testing.T) (l *Log, older, newer int64) {
	r := keepAll()
	r.Messages = 10
	l, c := testLog(r)
	fill(t, l, 15)
	older = c.now().UnixMilli()
	c.advance(time.Second)
	fill(t, l, 5)
	return l, older, c.now().UnixMilli()
}

func TestOpen(t *testing.T) {
	gap := func(from, to wire.Offset, reason string) *wire.Gap {
		return &wire.Gap{Channel: "test.log", Epoch: "e1", FromOffset: from, ToOffset: to, Reason: reason}
	}
	position := func(epoch wire.Epoch, offset wire.Offset) wire.Start {
		return wire.Start{Kind: wire.StartPosition, Epoch: epoch, Offset: offset}
	}
	offset := func(o wire.Offset) wire.Start { return wire.Start{Kind: wire.StartOffset, Offset: o} }
	last := func(n uint64) wire.Start { return wire.Start{Kind: wire.StartLast, Last: n} }
	at := func(ms int64) wire.Start { return wire.Start{Kind: wire.StartTime, Time: ms} }
	l, older, newer := openLog(t)
	for _, test := range []struct {
		name      string
		start     wire.Start
		next      wire.Offset
		recovered bool
		gap       *wire.Gap
	}{
		{"now", wire.Start{}, 21, false, nil},
		{"position at the tail", position("e1", 20), 21, true, nil},
		{"position within", position("e1", 14), 15, true, nil},
		{"position just before the head", position("e1", 10), 11, true, nil},
		{"position one behind the head", position("e1", 9), 11, false, gap(10, 10, wire.GapRetention)},
		{"position far behind the head", position("e1", 0), 11, false, gap(1, 10, wire.GapRetention)},
		{"position beyond the tail", position("e1", 21), 21, false, gap(21, 21, wire.GapBeyondTail)},
		{"position far beyond the tail", position("e1", wire.MaxOffset), 21, false, gap(21, wire.MaxOffset, wire.GapBeyondTail)},
		{"position at the end of numbers", position("e1", ^wire.Offset(0)), 21, false, gap(21, ^wire.Offset(0), wire.GapBeyondTail)},
		{"position of another epoch", position("e0", 14), 11, false, gap(1, 10, wire.GapEpoch)},
		{"position of no epoch", position("", 14), 11, false, gap(1, 10, wire.GapEpoch)},
		{"offset 0", offset(0), 11, false, gap(1, 10, wire.GapRetention)},
		{"offset within", offset(14), 15, true, nil},
		{"offset at the tail", offset(20), 21, true, nil},
		{"offset beyond the tail", offset(25), 21, false, gap(21, 25, wire.GapBeyondTail)},
		{"last 0", last(0), 21, false, nil},
		{"last 1", last(1), 20, false, nil},
		{"last 9", last(9), 12, false, nil},
		{"last 10", last(10), 11, false, nil},
		{"last 11", last(11), 11, false, nil},
		{"last of all numbers", last(^uint64(0)), 11, false, nil},
		{"time 0", at(0), 11, false, nil},
		{"a time before 1970", at(-5), 11, false, nil},
		{"the older time", at(older), 11, false, nil},
		{"just after the older time", at(older + 1), 16, false, nil},
		{"the newer time", at(newer), 16, false, nil},
		{"a time to come", at(newer + 1), 21, false, nil},
	} {
		o := l.Open(test.start)
		if o.Next != test.next || o.Recovered != test.recovered || o.Tail != 20 {
			t.Errorf("%s: next %d, recovered %t, tail %d; want %d, %t, 20", test.name, o.Next, o.Recovered, o.Tail, test.next, test.recovered)
		}
		if o.Position != (wire.Position{Epoch: "e1", Offset: o.Next - 1}) {
			t.Errorf("%s: position %+v does not stand before %d", test.name, o.Position, o.Next)
		}
		if (o.Gap == nil) != (test.gap == nil) || o.Gap != nil && *o.Gap != *test.gap {
			t.Errorf("%s: gap %+v, want %+v", test.name, o.Gap, test.gap)
		}
	}
}

func TestOpenAnEmptyLog(t *testing.T) {
	fresh, _ := testLog(keepAll())
	emptied, c := testLog(Retention{Messages: 10, Bytes: 1 << 20, Age: time.Second})
	fill(t, emptied, 4)
	c.advance(time.Minute)
	emptied.Sweep()
	for _, l := range []*Log{fresh, emptied} {
		tail := l.Tail()
		for _, start := range []wire.Start{
			{},
			{Kind: wire.StartPosition, Epoch: "e1", Offset: tail},
			{Kind: wire.StartPosition, Epoch: "e0", Offset: 3},
			{Kind: wire.StartOffset, Offset: tail},
			{Kind: wire.StartOffset, Offset: 0},
			{Kind: wire.StartOffset, Offset: tail + 1},
			{Kind: wire.StartLast, Last: 5},
			{Kind: wire.StartTime, Time: 1},
		} {
			o := l.Open(start)
			if o.Next != tail+1 || o.Position.Offset != tail || o.Tail != tail {
				t.Errorf("tail %d, start %+v: %+v, want to begin at %d", tail, start, o, tail+1)
			}
			if lost := o.Gap != nil; o.Recovered && lost {
				t.Errorf("tail %d, start %+v: recovered, and a gap", tail, start)
			}
		}
	}
	if o := fresh.Open(wire.Start{Kind: wire.StartOffset}); !o.Recovered {
		t.Error("offset 0 of a log without entries is not recovered: nothing can be missing")
	}
	if o := emptied.Open(wire.Start{Kind: wire.StartOffset}); o.Gap == nil || o.Gap.ToOffset != 4 {
		t.Errorf("offset 0 of a log that dropped 1..4: %+v", o.Gap)
	}
}

func TestLost(t *testing.T) {
	l, _, _ := openLog(t)
	gap, head := l.Lost(4)
	want := wire.Gap{Channel: "test.log", Epoch: "e1", FromOffset: 4, ToOffset: 10, Reason: wire.GapRetention}
	if head != 11 || *gap != want {
		t.Errorf("a cursor at 4 goes on at %d after %+v, want 11 after %+v", head, gap, want)
	}
}

func BenchmarkOpen(b *testing.B) {
	l, _ := testLog(keepAll())
	fill(b, l, 10_000)
	for name, start := range map[string]wire.Start{
		"now":      {},
		"position": {Kind: wire.StartPosition, Epoch: "e1", Offset: 5000},
		"last":     {Kind: wire.StartLast, Last: 50},
		"time":     {Kind: wire.StartTime, Time: 1_789_000_000_000},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				o := l.Open(start)
				if _, ok := l.Frames(0, o.Next, 64<<10); !ok {
					b.Fatal("lost")
				}
			}
		})
	}
}
