package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// rawFormat is the payload alone.
type rawFormat struct{}

func (rawFormat) AppendMessage(dst []byte, m *wire.Message) []byte {
	return append(dst, m.Payload.Bytes...)
}

func openMemory(t testing.TB, limit int64, opts MemoryOptions) *Memory {
	opts.Space = channel.NewSpace(channel.NewBudget(limit), nil, rawFormat{})
	e := NewMemory(opts)
	t.Cleanup(func() {
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return e
}

func record(payload string) []channel.Record {
	return []channel.Record{{Publication: wire.Publication{Payload: wire.Payload{Kind: wire.PayloadText, Bytes: []byte(payload)}}}}
}

// put appends one message and returns where it stands.
func put(e *Memory, name wire.ChannelName, payload string) (position wire.Position, err error) {
	e.Append(name, record(payload), func(epoch wire.Epoch, placed []channel.Placed, failure error) {
		if err = failure; err == nil {
			position = wire.Position{Epoch: epoch, Offset: placed[0].Offset}
		}
	})
	return position, err
}

func mustPut(t testing.TB, e *Memory, name wire.ChannelName, payload string) wire.Position {
	t.Helper()
	position, err := put(e, name, payload)
	if err != nil {
		t.Fatalf("append to %s: %v", name, err)
	}
	return position
}

func mustWatch(t testing.TB, e *Memory, name wire.ChannelName) (*channel.Log, *channel.Watch) {
	t.Helper()
	w := channel.NewWatch(func(*channel.Watch) {})
	log, err := e.Watch(name, w)
	if err != nil {
		t.Fatalf("watch %s: %v", name, err)
	}
	return log, w
}

// TestAMillionTinyChannels publishes to ever new channels on a small budget, ten thousand here for speed: the budget
// holds, and the newest can always be published to.
func TestAMillionTinyChannels(t *testing.T) {
	const limit = 1 << 20
	e := openMemory(t, limit, MemoryOptions{})
	most := int64(0)
	for i := range 10_000 {
		mustPut(t, e, wire.ChannelName(fmt.Sprint("tiny.", i)), "x")
		most = max(most, e.Stats().MemoryBytes)
	}
	if slack := int64(4096); most > limit+slack {
		t.Errorf("%d bytes were used of %d", most, limit)
	}
	stats := e.Stats()
	if stats.Relieved == 0 || stats.Channels > 3000 || stats.Channels == 0 {
		t.Errorf("%+v after ten thousand channels on a budget for about a thousand", stats)
	}
}

// TestTheLargestGivesWayFirst fills one channel on a small budget, beside others that stay as they are.
func TestTheLargestGivesWayFirst(t *testing.T) {
	const limit = 1 << 20
	e := openMemory(t, limit, MemoryOptions{})
	var small []*channel.Log
	for i := range 20 {
		log, _ := mustWatch(t, e, wire.ChannelName(fmt.Sprint("small.", i)))
		small = append(small, log)
		for range 10 {
			mustPut(t, e, log.Name(), "keep me")
		}
	}
	large, _ := mustWatch(t, e, "large")
	mustPut(t, e, "large", "first")
	cursor := wire.Offset(1)
	for range 10_000 {
		mustPut(t, e, "large", strings.Repeat("x", 1000))
		if used := e.Stats().MemoryBytes; used > limit+(300<<10) {
			t.Fatalf("%d bytes are used of %d", used, limit)
		}
	}
	for _, log := range small {
		if log.Head() != 1 || log.Tail() != 10 {
			t.Errorf("%s has %d..%d: it gave way before the largest", log.Name(), log.Head(), log.Tail())
		}
	}
	if large.Head() == 1 || e.Stats().Relieved == 0 {
		t.Error("the largest did not give way")
	}
	// Who reads it is told.
	if _, ok := large.Frames(0, cursor, 1000); ok {
		t.Error("frames that were dropped are handed out")
	}
	gap, head := large.Lost(cursor)
	if gap.FromOffset != 1 || gap.ToOffset != head-1 || gap.Reason != wire.GapRetention || head > large.Tail() {
		t.Errorf("what was dropped is told as %+v", gap)
	}
}

// TestReadersAloneAreRelievedToo makes views of much more than the budget without a further append.
func TestReadersAloneAreRelievedToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 1 << 20
		e := openMemory(t, limit, MemoryOptions{})
		var logs []*channel.Log
		for i := range 7 {
			log, _ := mustWatch(t, e, wire.ChannelName(fmt.Sprint("c", i)))
			for log.Cost() < limit/8 {
				mustPut(t, e, log.Name(), strings.Repeat("x", 200))
			}
			logs = append(logs, log)
		}
		for range 4 { // while they are read, their views are not idle
			for _, log := range logs {
				for next := log.Head(); ; {
					b, ok := log.Frames(0, next, 1<<20)
					if !ok || b.After == next {
						break
					}
					next = b.After
				}
			}
			time.Sleep(e.opts.SweepEvery)
			synctest.Wait()
			if used := e.Stats().MemoryBytes; used > limit {
				t.Errorf("%d bytes of %d are used after a sweep", used, limit)
			}
		}
	})
}

func TestANewChannelIsRefusedWhenNothingCanGiveWay(t *testing.T) {
	e := openMemory(t, 100<<10, MemoryOptions{})
	var err error
	n := 0
	for ; err == nil && n < 10_000; n++ {
		_, err = e.Watch(wire.ChannelName(fmt.Sprint("watched.", n)), channel.NewWatch(func(*channel.Watch) {}))
	}
	if failure, ok := errors.AsType[*wire.Error](err); !ok || failure.Code != wire.CodeResourceExhausted {
		t.Fatalf("after %d channels that are watched: %v, want resource_exhausted", n, err)
	}
	if _, err := put(e, "another", "x"); wire.AsError(err).Code != wire.CodeResourceExhausted {
		t.Errorf("a publish to a new channel: %v, want resource_exhausted", err)
	}
	if _, err := put(e, "watched.0", "x"); err != nil {
		t.Errorf("a publish to a channel that is there: %v", err)
	}
}

// TestReliefThatFreesNothingIsNotRepeated spends the budget on channels that cannot give way. Publishing goes on, and
// does not look at all of them, and drop what little is kept, each time.
func TestReliefThatFreesNothingIsNotRepeated(t *testing.T) {
	const limit = 1 << 20
	e := openMemory(t, limit, MemoryOptions{SweepEvery: time.Hour})
	var logs []*channel.Log
	var watches []*channel.Watch
	for i := 0; e.Stats().MemoryBytes <= limit; i++ {
		log, w := mustWatch(t, e, wire.ChannelName(fmt.Sprint("watched.", i)))
		logs, watches = append(logs, log), append(watches, w)
	}
	const publishes = 1000
	for range publishes {
		mustPut(t, e, "watched.0", strings.Repeat("x", 100))
	}
	stats := e.Stats()
	if stats.Relieved > publishes/10 || logs[0].Head() == logs[0].Tail() {
		t.Errorf("%d chunks were dropped for %d publishes, and %d..%d are kept", stats.Relieved, publishes, logs[0].Head(), logs[0].Tail())
	}
	if most := int64(limit + limit/20); stats.MemoryBytes > most {
		t.Errorf("%d bytes are used of %d", stats.MemoryBytes, limit)
	}
	for i, log := range logs {
		log.Unwatch(watches[i])
	}
	e.sweep()
	if _, err := put(e, "new", "x"); err != nil {
		t.Errorf("after everybody left and a sweep: %v", err)
	}
}

func TestAnEmptyChannelIsForgottenInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := openMemory(t, 0, MemoryOptions{
			Retention: func(wire.ChannelName) channel.Retention {
				return channel.Retention{Messages: 10, Bytes: 1 << 20, Age: time.Minute}
			},
			SweepEvery: time.Second,
			IdleAfter:  10 * time.Minute,
		})
		first := mustPut(t, e, "published", "x")
		log, w := mustWatch(t, e, "watched")
		time.Sleep(9 * time.Minute)
		if again := mustPut(t, e, "published", "y"); again.Epoch != first.Epoch || again.Offset != 2 {
			t.Errorf("the numbering did not go on: %+v after %+v", again, first)
		}
		time.Sleep(9 * time.Minute)
		log.Unwatch(w)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if n := e.Stats().Channels; n != 1 {
			t.Errorf("%d channels, want the one whose watch has just ended", n)
		}
		time.Sleep(9 * time.Minute)
		synctest.Wait()
		if stats := e.Stats(); stats.Channels != 0 || stats.MemoryBytes != 0 {
			t.Errorf("an engine that everybody left has %+v", stats)
		}
		if again := mustPut(t, e, "published", "z"); again.Epoch == first.Epoch || again.Offset != 1 {
			t.Errorf("a new numbering has the old one's name: %+v after %+v", again, first)
		}
	})
}

// TestChannelsEvictedWhileTheyAreUsed lets eviction meet appends and watches. An append must stand in the log of the
// epoch it was answered with, and a watch must be told of whatever comes after it.
func TestChannelsEvictedWhileTheyAreUsed(t *testing.T) {
	e := openMemory(t, 0, MemoryOptions{
		Retention:  func(wire.ChannelName) channel.Retention { return channel.Retention{} }, // nothing is kept
		SweepEvery: time.Hour,
		IdleAfter:  time.Nanosecond,
	})
	var ended atomic.Bool
	var sweeper, users sync.WaitGroup
	sweeper.Go(func() {
		for !ended.Load() {
			e.sweep()
		}
	})
	for range 2 {
		users.Go(func() {
			last := wire.Position{}
			for range 5000 {
				p, err := put(e, "a", "x")
				if err != nil || p.Epoch == last.Epoch && p.Offset <= last.Offset {
					t.Errorf("%+v after %+v: %v", p, last, err)
					return
				}
				last = p
			}
		})
		users.Go(func() {
			for range 2000 {
				told := make(chan struct{}, 1)
				w := channel.NewWatch(func(*channel.Watch) { told <- struct{}{} })
				log, err := e.Watch("b", w)
				if err != nil {
					t.Error(err)
					return
				}
				if p, err := put(e, "b", "x"); err != nil || p.Epoch != log.Epoch() {
					t.Errorf("a watched channel is in %s, what is published to it in %s: %v", log.Epoch(), p.Epoch, err)
				}
				<-told
				log.Unwatch(w)
			}
		})
	}
	users.Wait()
	ended.Store(true)
	sweeper.Wait()
	e.sweep()
	if stats := e.Stats(); stats.Channels != 0 || stats.MemoryBytes != 0 {
		t.Errorf("in the end the engine has %+v", stats)
	}
}

// TestReliefAmongPublishers spends the budget from everywhere at once.
func TestReliefAmongPublishers(t *testing.T) {
	const limit = 2 << 20
	e := openMemory(t, limit, MemoryOptions{})
	var wg sync.WaitGroup
	for p := range 4 {
		wg.Go(func() {
			for i := range 5000 {
				name := wire.ChannelName(fmt.Sprint("c.", p, ".", i%50))
				if i%5 == 0 {
					name = wire.ChannelName(fmt.Sprint("once.", p, ".", i))
				}
				if _, err := put(e, name, strings.Repeat("x", 500)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	sum := int64(0)
	for _, log := range e.all() {
		sum += log.Cost()
	}
	if stats := e.Stats(); stats.MemoryBytes != sum || sum > limit+4*(300<<10) {
		t.Errorf("%d bytes are charged, the logs have %d, the limit is %d", stats.MemoryBytes, sum, limit)
	}
}

// TestAppendWithinDone publishes from the callback of a publish.
func TestAppendWithinDone(t *testing.T) {
	e := openMemory(t, 0, MemoryOptions{})
	var inner, outer wire.Offset
	e.Append("a", record("x"), func(_ wire.Epoch, placed []channel.Placed, _ error) {
		e.Append("a", append(record("y"), record("z")...), func(_ wire.Epoch, placed []channel.Placed, _ error) {
			inner = placed[1].Offset
		})
		outer = placed[0].Offset
	})
	if outer != 1 || inner != 3 {
		t.Errorf("offsets %d and %d, want 1 and 3", outer, inner)
	}
}

func BenchmarkAppend(b *testing.B) {
	e := openMemory(b, 0, MemoryOptions{})
	records := record(strings.Repeat("x", 128))
	done := func(wire.Epoch, []channel.Placed, error) {}
	b.ReportAllocs()
	for b.Loop() {
		e.Append("a", records, done)
	}
}

func BenchmarkRelief(b *testing.B) {
	e := openMemory(b, 64<<20, MemoryOptions{})
	records := record("x")
	done := func(wire.Epoch, []channel.Placed, error) {}
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		i++
		e.Append(wire.ChannelName(fmt.Sprint("tiny.", i)), records, done)
	}
}
