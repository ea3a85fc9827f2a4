package diskengine_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/engine"
	"github.com/magpie-bridge/magpie/internal/engine/diskengine"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// plain lays an entry down as its offset and messageId.
type plain struct{}

func (plain) AppendMessage(dst []byte, m *wire.Message) []byte {
	return fmt.Appendf(dst, "%d=%s\n", m.Offset, m.MessageID)
}

// deep is a disk whose memory is small, so that most of a channel is on disk only.
func deep(memory int64, r channel.Retention) *disk {
	d := newDisk()
	d.options.Space = channel.NewSpace(channel.NewBudget(memory), nil, plain{})
	d.options.Retention = func(wire.ChannelName) channel.Retention { return r }
	d.options.SweepEvery = 10 * time.Millisecond
	d.options.Level = levels(diskengine.Written)
	return d
}

// ample keeps everything that these tests append.
func ample() channel.Retention {
	return channel.Retention{Messages: 1 << 30, Bytes: 1 << 40, Age: time.Hour, Window: channel.DefaultWindow()}
}

// fill appends messages whose ids are their numbers, so that number+1 is the offset.
func fill(t *testing.T, e engine.Engine, name wire.ChannelName, from, to, size int) {
	t.Helper()
	payload := strings.Repeat("x", size)
	for from < to {
		n := min(to, from+500)
		var answers []<-chan answer
		for ; from < n; from++ {
			answers = append(answers, appendAsync(e, name, fmt.Sprint(from), payload))
		}
		for _, a := range answers {
			if got := await(t, a); got.err != nil {
				t.Fatal(got.err)
			}
		}
	}
}

// follower is a cursor as a session has it.
type follower struct {
	log  *channel.Log
	next wire.Offset
	gaps []*wire.Gap
	cold int // pages waited for
}

// follow reads until the tail is at the given offset, and checks every frame.
func (f *follower) follow(tail wire.Offset) error {
	deadline := time.After(wait)
	for f.next <= tail {
		batch, ok := f.log.Frames(0, f.next, 1<<30)
		switch {
		case !ok:
			var gap *wire.Gap
			gap, f.next = f.log.Lost(f.next)
			f.gaps = append(f.gaps, gap)
		case batch.Cold:
			f.cold++
			ready := make(chan struct{})
			f.log.Fetch(f.next, func() { close(ready) })
			select {
			case <-ready:
			case <-deadline:
				return fmt.Errorf("what is at %d never came", f.next)
			}
		case len(batch.Bytes) == 0:
			time.Sleep(time.Millisecond) // at the tail
		default:
			if err := f.check(batch); err != nil {
				return err
			}
		}
		select {
		case <-deadline:
			return fmt.Errorf("the cursor is at %d and the tail at %d", f.next, f.log.Tail())
		default:
		}
	}
	return nil
}

func (f *follower) check(batch channel.Batch) error {
	if batch.First != f.next {
		return fmt.Errorf("asked for %d came %d", f.next, batch.First)
	}
	for line := range strings.Lines(string(batch.Bytes)) {
		if want := fmt.Sprintf("%d=%d\n", f.next, f.next-1); line != want {
			return fmt.Errorf("got %q, want %q", line, want)
		}
		f.next++
	}
	if f.next != batch.After {
		return fmt.Errorf("the batch ends at %d and says %d", f.next, batch.After)
	}
	return nil
}

// TestCursorsGoOnFromDisk has many cursors at random places of a channel that memory holds a small part of, while it is
// appended to: each gets every entry once, in order, and no gap.
func TestCursorsGoOnFromDisk(t *testing.T) {
	const before, after, size = 20_000, 24_000, 500
	d := deep(4<<20, ample())
	e := d.Open(t)
	defer end(t, e)
	log := watch(t, e, "a")
	fill(t, e, "a", 0, before, size)
	until(t, "memory is within its bound", func() bool { s := e.Stats(); return s.MemoryBytes <= s.MemoryLimit })
	rng := rand.New(rand.NewPCG(1, 2))
	followers := make([]*follower, 20)
	var reading sync.WaitGroup
	for i := range followers {
		f := &follower{log: log, next: 1 + wire.Offset(rng.IntN(before))}
		if i == 0 {
			f.next = 1
		}
		followers[i] = f
		reading.Go(func() {
			if err := f.follow(after); err != nil {
				t.Error(err)
			}
		})
	}
	fill(t, e, "a", before, after, size)
	reading.Wait()
	for _, f := range followers {
		if len(f.gaps) > 0 {
			t.Errorf("a cursor was given the gap %+v", f.gaps[0])
		}
	}
	if followers[0].cold < 5 {
		t.Errorf("the one from the beginning waited %d times: memory held more than it should", followers[0].cold)
	}
	// Pages and their encodings go when they are not needed for anything.
	until(t, "memory is within its bound again", func() bool {
		publish(t, e, "b", "")
		s := e.Stats()
		return s.MemoryBytes <= s.MemoryLimit
	})
}

// TestRetriesOfWhatIsOnDiskOnly shows that the idempotency window reaches back further than memory, also over a restart.
func TestRetriesOfWhatIsOnDiskOnly(t *testing.T) {
	const total = 10_000
	d := deep(2<<20, ample())
	e := d.Open(t)
	for range 2 {
		log := watch(t, e, "a")
		fill(t, e, "a", 0, total, 500)
		if log.Tail() != total {
			t.Fatalf("after the retries the tail is %d, want %d", log.Tail(), total)
		}
		if batch, _ := log.Frames(0, 1, 1); !batch.Cold {
			t.Fatal("the first entry is in memory")
		}
		for _, number := range []int{0, 1, total / 2, total - 1} {
			if at := publish(t, e, "a", fmt.Sprint(number)); at.Offset != wire.Offset(number+1) {
				t.Errorf("a retry of %d is answered with %d", number, at.Offset)
			}
		}
		d.Crash(t)
		e = d.Open(t)
	}
	end(t, e)
}

// TestRetentionOfWhatIsOnDiskOnly shows that count, size and age are enforced where memory does not reach, that a cursor
// there is told of it, and that the disk is given back.
func TestRetentionOfWhatIsOnDiskOnly(t *testing.T) {
	const total, size = 10_000, 500
	now := time.Now()
	var mu sync.Mutex
	clock := func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	}
	for name, r := range map[string]channel.Retention{
		"count": {Messages: 6000, Bytes: 1 << 40, Age: time.Hour},
		"size":  {Messages: 1 << 30, Bytes: 6000 * (size + 20), Age: time.Hour},
		"age":   {Messages: 1 << 30, Bytes: 1 << 40, Age: time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			d := deep(2<<20, r)
			d.options.Space = channel.NewSpace(channel.NewBudget(2<<20), clock, plain{})
			e := d.Open(t)
			defer end(t, e)
			log := watch(t, e, "a")
			fill(t, e, "a", 0, total/2, size)
			mu.Lock()
			now = now.Add(50 * time.Second)
			mu.Unlock()
			fill(t, e, "a", total/2, total, size)
			mu.Lock()
			now = now.Add(20 * time.Second)
			mu.Unlock()
			until(t, "the head has moved", func() bool { return log.Head() > 3000 })
			if log.Head() > 5001 {
				t.Errorf("the head is %d: more was dropped than the retention says", log.Head())
			}
			f := &follower{log: log, next: 10}
			if err := f.follow(total); err != nil {
				t.Fatal(err)
			}
			if len(f.gaps) == 0 || f.gaps[0].FromOffset != 10 || f.gaps[0].Reason != wire.GapRetention {
				t.Errorf("the gaps are %+v", f.gaps)
			}
			until(t, "the disk has dropped it", func() bool { return e.(*diskengine.Engine).Records("a") < 8000 })
		})
	}
}

// TestSubscribeFromATimeOnDisk looks for a time among entries that memory does not have.
func TestSubscribeFromATimeOnDisk(t *testing.T) {
	const total = 8000
	now := time.UnixMilli(1_000_000)
	d := deep(1<<20, ample())
	var mu sync.Mutex
	d.options.Space = channel.NewSpace(channel.NewBudget(1<<20), func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	}, plain{})
	e := d.Open(t)
	defer end(t, e)
	log := watch(t, e, "a")
	for i := range 8 {
		fill(t, e, "a", i*total/8, (i+1)*total/8, 500)
		mu.Lock()
		now = now.Add(time.Second)
		mu.Unlock()
	}
	for _, test := range []struct {
		time int64
		want wire.Offset
	}{
		{0, 1}, {1_000_000, 1}, {1_000_001, total/8 + 1}, {1_003_000, 3*total/8 + 1}, {1_007_000, 7*total/8 + 1}, {1_007_001, total + 1},
	} {
		start := wire.Start{Kind: wire.StartTime, Time: test.time}
		found := make(chan wire.Offset, 1)
		opening := channel.Opening{}
		if log.Seek(start, func(first wire.Offset) { found <- first }) {
			opening = log.Open(start)
		} else {
			opening = log.OpenAt(<-found)
		}
		if opening.Next != test.want {
			t.Errorf("from %d on: %d, want %d", test.time, opening.Next, test.want)
		}
	}
}

// TestDamageBelowMemory flips bytes in what only the disk has: who reads there is told of a gap, and nobody is served it.
func TestDamageBelowMemory(t *testing.T) {
	const total = 6000
	d := deep(0, ample())
	e := d.Open(t)
	fill(t, e, "a", 0, total, 1000)
	if err := e.(*diskengine.Engine).Flush(); err != nil {
		t.Fatal(err)
	}
	end(t, e)
	d.options.Retention = func(wire.ChannelName) channel.Retention {
		r := ample()
		r.Window = channel.Window{Messages: 100, Age: time.Hour} // loading looks no further
		return r
	}
	flipInTables(t, d.fs)
	e = d.Open(t)
	defer end(t, e)
	f := &follower{log: watch(t, e, "a"), next: 1}
	if err := f.follow(total); err != nil {
		t.Fatal(err)
	}
	if len(f.gaps) == 0 || f.gaps[len(f.gaps)-1].Reason != wire.GapDamage {
		t.Errorf("the gaps are %+v", f.gaps)
	}
	if f.cold < 2 {
		t.Errorf("it waited %d times for the disk", f.cold)
	}
}
