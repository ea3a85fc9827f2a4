package diskengine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/engine"
	"github.com/magpie-bridge/magpie/internal/engine/diskengine"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// readAll reads every page of a query, and checks that the entries are those that fill appended. It gives their number and
// the gaps.
func readAll(t *testing.T, e engine.Engine, q channel.Query) (count int, last wire.Offset, gaps []*wire.Gap) {
	t.Helper()
	var m wire.Message
	for {
		run, err := read(e, "a", q)
		if err != nil {
			t.Fatal(err)
		}
		if run.Gap != nil {
			gaps = append(gaps, run.Gap)
		}
		for i := range run.Entries {
			offset := run.Offset(i)
			if run.Entries[i].Message(&m); m.MessageID != fmt.Sprint(offset-1) {
				t.Fatalf("entry %d is message %s", offset, m.MessageID)
			}
			if last > 0 && run.Gap == nil && offset != last+1 && !q.Reverse || last > 0 && offset >= last && q.Reverse {
				t.Fatalf("%d comes after %d", offset, last)
			}
			count, last = count+1, offset
		}
		if !run.More {
			return count, last, gaps
		}
		q.From = wire.Start{Kind: wire.StartPosition, Epoch: run.Epoch, Offset: last}
	}
}

// TestHistoryGoesOnFromDisk reads a channel of which memory holds a small part, in both directions and from times.
func TestHistoryGoesOnFromDisk(t *testing.T) {
	const total = 15_000
	d := deep(4<<20, ample())
	e := d.Open(t)
	defer end(t, e)
	fill(t, e, "a", 0, total, 500)
	until(t, "memory is within its bound", func() bool { s := e.Stats(); return s.MemoryBytes <= s.MemoryLimit })
	for _, reverse := range []bool{false, true} {
		count, last, gaps := readAll(t, e, channel.Query{Limit: 1000, Bytes: 192 << 10, Reverse: reverse})
		if end := map[bool]wire.Offset{false: total, true: 1}[reverse]; count != total || last != end || len(gaps) > 0 {
			t.Errorf("reverse %t: %d entries to %d with the gaps %v", reverse, count, last, gaps)
		}
	}
	middle, err := read(e, "a", channel.Query{From: wire.Start{Kind: wire.StartOffset, Offset: total / 2}, Limit: 1, Bytes: 1})
	if err != nil || len(middle.Entries) != 1 {
		t.Fatalf("the middle is %+v: %v", middle, err)
	}
	at := wire.Start{Kind: wire.StartTime, Time: middle.Entries[0].Time()}
	ahead, err := read(e, "a", channel.Query{From: at, Limit: 1, Bytes: 1})
	if err != nil || len(ahead.Entries) != 1 || ahead.Entries[0].Time() != at.Time || ahead.First > middle.First {
		t.Fatalf("the first of its time is %+v: %v", ahead, err)
	}
	before, err := read(e, "a", channel.Query{From: at, Limit: 1, Bytes: 1, Reverse: true})
	if err != nil || before.First != ahead.First-1 || before.Entries[0].Time() >= at.Time {
		t.Fatalf("the one before its time is %+v: %v", before, err)
	}
}

// TestHistoryOverRetention reads from positions that the retention has left behind.
func TestHistoryOverRetention(t *testing.T) {
	const total, kept = 1000, 100
	r := ample()
	r.Messages = kept
	d := deep(4<<20, r)
	e := d.Open(t)
	defer end(t, e)
	fill(t, e, "a", 0, total, 100)
	log := watch(t, e, "a")
	const head = total - kept + 1
	until(t, "the retention has been enforced", func() bool { return log.Head() == head })
	for _, test := range []struct {
		offset   wire.Offset
		reverse  bool
		count    int
		from, to wire.Offset // of the gap
	}{
		{5, false, kept, 6, head - 1},
		{head - 1, false, kept, 0, 0},
		{head + 9, false, kept - 10, 0, 0},
		{5, true, 0, 1, 4},
		{head, true, 0, 1, head - 1},
		{head + 10, true, 10, 0, 0},
	} {
		count, _, gaps := readAll(t, e, channel.Query{From: wire.Start{Kind: wire.StartOffset, Offset: test.offset}, Limit: 30, Bytes: 1 << 20, Reverse: test.reverse})
		var gap wire.Gap
		if len(gaps) > 0 {
			gap = *gaps[0]
		}
		if count != test.count || len(gaps) > 1 || gap.FromOffset != test.from || gap.ToOffset != test.to || test.to > 0 && gap.Reason != wire.GapRetention {
			t.Errorf("%+v: %d entries and the gap %+v", test, count, gap)
		}
	}
}

// TestHistoryMeetsDamage reads a damaged channel backwards: the pages lead to the damage, say so, and end there.
func TestHistoryMeetsDamage(t *testing.T) {
	const total = 2000
	d := newDisk()
	e := d.Open(t)
	var answers []<-chan answer
	for i := range total {
		answers = append(answers, appendAsync(e, "a", fmt.Sprint(i), strings.Repeat("x", 200)))
	}
	for _, a := range answers {
		if got := await(t, a); got.err != nil {
			t.Fatal(got.err)
		}
	}
	if err := e.(*diskengine.Engine).Flush(); err != nil {
		t.Fatal(err)
	}
	end(t, e)
	flipInTables(t, d.fs)
	d.options.Space = channel.NewSpace(channel.NewBudget(64<<10), nil, plain{}) // so that most is read from disk
	d.options.SweepEvery = 10 * time.Millisecond
	e = d.Open(t)
	defer end(t, e)
	count, last, gaps := readAll(t, e, channel.Query{Limit: 100, Bytes: 1 << 20, Reverse: true})
	if count == 0 || count >= total || last == 1 {
		t.Fatalf("%d entries down to %d: nothing was damaged, or everything", count, last)
	}
	if len(gaps) != 1 || gaps[0].Reason != wire.GapDamage || gaps[0].ToOffset != last-1 {
		t.Errorf("before %d the gaps are %+v", last, gaps)
	}
}
