package enginetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/engine"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// plenty is a bound that nothing here reaches.
const plenty = 1 << 20

// read answers a query, waits for it, and checks what holds for every answer.
func read(t *testing.T, e engine.Engine, name wire.ChannelName, q channel.Query) (run channel.Run) {
	t.Helper()
	done := make(chan struct{})
	e.Read(name, q, func(r channel.Run, err error) {
		defer close(done)
		if err != nil {
			t.Errorf("read %s from %+v: %v", name, q.From, err)
		}
		run = r
	})
	select {
	case <-done:
	case <-time.After(wait):
		t.Fatalf("read %s from %+v was never answered", name, q.From)
	}
	if len(run.Entries) > q.Limit || run.Reverse != q.Reverse || run.More && len(run.Entries) == 0 {
		t.Fatalf("read %s from %+v: %d entries for at most %d, reverse %t, more %t", name, q.From, len(run.Entries), q.Limit, run.Reverse, run.More)
	}
	return run
}

// numbered publishes messages to channel a whose ids are their offsets.
func numbered(t *testing.T, e engine.Engine, from, to int) (epoch wire.Epoch) {
	t.Helper()
	for i := from; i <= to; i++ {
		epoch = must(t, e, "a", identified("p", fmt.Sprint(i))).epoch
	}
	return epoch
}

// offsets are where the entries of a run stand, which must be what their ids say.
func offsets(t *testing.T, run channel.Run) (all []wire.Offset) {
	t.Helper()
	var m wire.Message
	for i, entry := range run.Entries {
		offset := run.Offset(i)
		if entry.Message(&m); m.MessageID != fmt.Sprint(offset) {
			t.Fatalf("entry %d is message %s", offset, m.MessageID)
		}
		all = append(all, offset)
	}
	return all
}

// between are the offsets from one to another, up or down.
func between(from, to wire.Offset) (all []wire.Offset) {
	for offset := from; offset < to; offset++ {
		all = append(all, offset)
	}
	for offset := from; offset > to; offset-- {
		all = append(all, offset)
	}
	return append(all, to)
}

// readsPages checks that pages follow each other to the end without holes, in both directions.
func readsPages(t *testing.T, e engine.Engine) {
	const total = 100
	epoch := numbered(t, e, 1, total)
	for _, reverse := range []bool{false, true} {
		want := between(1, total)
		if reverse {
			slices.Reverse(want)
		}
		for _, limit := range []int{1, 7, total, 2 * total} {
			var got []wire.Offset
			for q := (channel.Query{Limit: limit, Bytes: plenty, Reverse: reverse}); ; {
				run := read(t, e, "a", q)
				if run.Epoch != epoch || run.Head != 1 || run.Tail != total || run.Gap != nil || len(run.Entries) == 0 {
					t.Fatalf("pages of %d, reverse %t: %+v", limit, reverse, run)
				}
				got = append(got, offsets(t, run)...)
				if !run.More {
					break
				}
				q.From = wire.Start{Kind: wire.StartPosition, Epoch: epoch, Offset: got[len(got)-1]}
			}
			if !slices.Equal(got, want) {
				t.Fatalf("pages of %d, reverse %t: %v", limit, reverse, got)
			}
		}
	}
}

// readsFromEveryStart checks where the forms of a start lead, in both directions.
func readsFromEveryStart(t *testing.T, e engine.Engine) {
	const total = 10
	epoch := numbered(t, e, 1, total)
	gap := func(from, to wire.Offset, reason string) *wire.Gap {
		return &wire.Gap{Channel: "a", Epoch: epoch, FromOffset: from, ToOffset: to, Reason: reason}
	}
	none := []wire.Offset(nil)
	for _, test := range []struct {
		from  wire.Start
		ahead []wire.Offset
		back  []wire.Offset
		gap   *wire.Gap // in both directions
	}{
		{wire.Start{}, between(1, total), between(total, 1), nil},
		{wire.Start{Kind: wire.StartOffset, Offset: 0}, between(1, total), none, nil},
		{wire.Start{Kind: wire.StartOffset, Offset: 1}, between(2, total), none, nil},
		{wire.Start{Kind: wire.StartOffset, Offset: 4}, between(5, total), between(3, 1), nil},
		{wire.Start{Kind: wire.StartPosition, Epoch: epoch, Offset: total}, none, between(total-1, 1), nil},
		{wire.Start{Kind: wire.StartOffset, Offset: total + 5}, none, between(total, 1), gap(total+1, total+5, wire.GapBeyondTail)},
		{wire.Start{Kind: wire.StartPosition, Epoch: "another", Offset: 4}, between(1, total), between(total, 1), gap(1, 0, wire.GapEpoch)},
		{wire.Start{Kind: wire.StartLast, Last: 0}, none, between(total, 1), nil},
		{wire.Start{Kind: wire.StartLast, Last: 3}, between(8, total), between(7, 1), nil},
		{wire.Start{Kind: wire.StartLast, Last: total + 3}, between(1, total), none, nil},
		{wire.Start{Kind: wire.StartTime, Time: 0}, between(1, total), none, nil},
		{wire.Start{Kind: wire.StartTime, Time: 1 << 50}, none, between(total, 1), nil},
	} {
		for _, reverse := range []bool{false, true} {
			run := read(t, e, "a", channel.Query{From: test.from, Limit: 2 * total, Bytes: plenty, Reverse: reverse})
			want := test.ahead
			if reverse {
				want = test.back
			}
			if got := offsets(t, run); !slices.Equal(got, want) || run.More {
				t.Errorf("from %+v, reverse %t: %v, want %v; more %t", test.from, reverse, got, want, run.More)
			}
			if (run.Gap == nil) != (test.gap == nil) || run.Gap != nil && *run.Gap != *test.gap {
				t.Errorf("from %+v, reverse %t: the gap %+v, want %+v", test.from, reverse, run.Gap, test.gap)
			}
		}
	}
}

// readsByTime checks that a time leads to the first entry of its millisecond, and in reverse to the one before.
func readsByTime(t *testing.T, e engine.Engine) {
	const total = 20
	var times []int64
	for i := 1; i <= total; i++ {
		numbered(t, e, i, i)
		time.Sleep(time.Millisecond / 2) // some share a millisecond; nothing depends on which
	}
	for _, entry := range read(t, e, "a", channel.Query{Limit: total, Bytes: plenty}).Entries {
		times = append(times, entry.Time())
	}
	for _, at := range times {
		first := wire.Offset(slices.Index(times, at) + 1)
		from := wire.Start{Kind: wire.StartTime, Time: at}
		if got := offsets(t, read(t, e, "a", channel.Query{From: from, Limit: total, Bytes: plenty})); !slices.Equal(got, between(first, total)) {
			t.Errorf("from the time of %d: %v", first, got)
		}
		got := offsets(t, read(t, e, "a", channel.Query{From: from, Limit: total, Bytes: plenty, Reverse: true}))
		if want := between(first-1, 1); first > 1 && !slices.Equal(got, want) || first == 1 && len(got) > 0 {
			t.Errorf("before the time of %d: %v", first, got)
		}
	}
}

// readsWithinBytes checks that a page ends before it is too large, and has one entry at least.
func readsWithinBytes(t *testing.T, e engine.Engine) {
	const total = 10
	numbered(t, e, 1, total)
	all := read(t, e, "a", channel.Query{Limit: total, Bytes: plenty})
	three := len(all.Entries[0]) + len(all.Entries[1]) + len(all.Entries[2])
	for bytes, want := range map[int]int{1: 1, three - 1: 2, three: 3} {
		for _, reverse := range []bool{false, true} {
			run := read(t, e, "a", channel.Query{From: wire.Start{Kind: wire.StartOffset, Offset: 4}, Limit: total, Bytes: bytes, Reverse: reverse})
			if len(run.Entries) != want || run.More == (reverse && want == 3) {
				t.Errorf("%d bytes, reverse %t: %d entries, want %d; more %t", bytes, reverse, len(run.Entries), want, run.More)
			}
		}
	}
}

// readsOfNothing checks that an unknown channel is empty.
func readsOfNothing(t *testing.T, e engine.Engine) {
	for _, reverse := range []bool{false, true} {
		run := read(t, e, "a", channel.Query{Limit: 10, Bytes: plenty, Reverse: reverse})
		if len(run.Entries) != 0 || run.Tail != 0 || run.Head != 1 || run.Gap != nil || run.More || run.Epoch == "" {
			t.Errorf("an unknown channel, reverse %t: %+v", reverse, run)
		}
	}
}
