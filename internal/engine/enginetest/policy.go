package enginetest

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/engine"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// Rules are what an engine is to hold to, by a clock of the test's own. It is to sweep every millisecond.
type Rules struct {
	Now       func() time.Time
	Retention func(wire.ChannelName) channel.Retention
	Policy    func(wire.ChannelName) engine.Policy
}

// RunPolicy tests how long the channels live of the engines that open returns, and who makes them.
func RunPolicy(t *testing.T, open func(t *testing.T, r Rules) engine.Engine) {
	for name, test := range map[string]func(*testing.T, *ruled){
		"GoneAfterItsTime":       goneAfterItsTime,
		"KeptWhileWatched":       keptWhileWatched,
		"NotMadeByUse":           notMadeByUse,
		"MadeWhileItIsAskedFor":  madeWhileItIsAskedFor,
		"RetentionTakenUp":       retentionTakenUp,
		"UsedWhileItIsToBeGone":  usedWhileItIsToBeGone,
		"GivenChannelsStayEmpty": givenChannelsStayEmpty,
	} {
		t.Run(name, func(t *testing.T) {
			r := &ruled{}
			r.now.Store(time.Now().UnixMilli())
			r.messages.Store(1000)
			r.engine = open(t, Rules{
				Now: func() time.Time { return time.UnixMilli(r.now.Load()) },
				Retention: func(wire.ChannelName) channel.Retention {
					return channel.Retention{Messages: r.messages.Load(), Bytes: 1 << 20, Age: 24 * time.Hour}
				},
				Policy: func(name wire.ChannelName) engine.Policy {
					if name == "room" {
						return engine.Policy{TTL: time.Minute}
					}
					return engine.Policy{Given: name == "given"}
				},
			})
			defer end(t, r.engine)
			test(t, r)
		})
	}
}

// ruled is an engine with its rules.
type ruled struct {
	engine   engine.Engine
	now      atomic.Int64 // milliseconds since 1970
	messages atomic.Int64 // that are kept
}

func (r *ruled) pass(d time.Duration) { r.now.Add(d.Milliseconds()) }

// has waits until the engine has that many channels.
func (r *ruled) has(t *testing.T, want int) {
	t.Helper()
	total := -1
	for end := time.Now().Add(wait); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if total = list(t, r.engine, engine.ListQuery{Limit: 10}).Total; total == want {
			return
		}
	}
	t.Fatalf("there are %d channels, want %d", total, want)
}

func goneAfterItsTime(t *testing.T, r *ruled) {
	first := must(t, r.engine, "room", text("one"), text("two")).epoch
	must(t, r.engine, "lobby", text("one"))
	r.has(t, 2)
	r.pass(59 * time.Second)
	if must(t, r.engine, "room", text("three")).epoch != first {
		t.Fatal("gone before its time")
	}
	r.pass(59 * time.Second)
	if n := list(t, r.engine, engine.ListQuery{Limit: 10}).Total; n != 2 {
		t.Fatalf("there are %d channels: the last message did not count", n)
	}
	r.pass(2 * time.Minute)
	r.has(t, 1)
	again := must(t, r.engine, "room", text("one"))
	if again.epoch == first || again.placed[0].Offset != 1 {
		t.Errorf("it goes on at %s/%d: its log is not gone", again.epoch, again.placed[0].Offset)
	}
	if kept := read(t, r.engine, "room", channel.Query{Limit: 10, Bytes: plenty}); len(kept.Entries) != 1 {
		t.Errorf("%d messages are kept, want the new one", len(kept.Entries))
	}
}

func keptWhileWatched(t *testing.T, r *ruled) {
	first := must(t, r.engine, "room", text("one")).epoch
	w := watch(t, r.engine, "room")
	for range 3 {
		r.pass(10 * time.Minute)
		must(t, r.engine, "lobby", text("x"))
	}
	if w.log.Tail() != 1 || must(t, r.engine, "room", text("two")).epoch != first {
		t.Fatal("gone while somebody watched it")
	}
	r.pass(10 * time.Minute)
	w.log.Unwatch(w.watch)
	r.pass(59 * time.Second)
	if n := list(t, r.engine, engine.ListQuery{Limit: 10}).Total; n != 2 {
		t.Fatalf("there are %d channels: the time began before the watch had ended", n)
	}
	r.pass(2 * time.Minute)
	r.has(t, 1)
}

// usedWhileItIsToBeGone publishes all the time at the moment when the channel expires: nothing may be lost of an epoch.
func usedWhileItIsToBeGone(t *testing.T, r *ruled) {
	epoch, next := wire.Epoch(""), wire.Offset(0)
	for range 200 {
		r.pass(time.Minute + time.Millisecond)
		a := must(t, r.engine, "room", text("x"))
		if a.epoch != epoch {
			epoch, next = a.epoch, 0
		}
		if next++; a.placed[0].Offset != next {
			t.Fatalf("placed at %d of %s, want %d", a.placed[0].Offset, epoch, next)
		}
	}
}

func notMadeByUse(t *testing.T, r *ruled) {
	absent := func(err error) {
		t.Helper()
		if e, ok := errors.AsType[*wire.Error](err); !ok || e.Code != wire.CodeNotFound {
			t.Errorf("got %v, want not_found", err)
		}
	}
	absent(publish(t, r.engine, "given", text("one")).err)
	_, err := r.engine.Watch("given", channel.NewWatch(func(*channel.Watch) {}))
	absent(err)
	answered := make(chan error, 1)
	r.engine.Read("given", channel.Query{Limit: 1, Bytes: plenty}, func(_ channel.Run, failed error) { answered <- failed })
	absent(<-answered)
	if n := list(t, r.engine, engine.ListQuery{Limit: 10}).Total; n != 0 {
		t.Fatalf("there are %d channels: use has made one", n)
	}
	first := text("one")
	first.Create = true
	must(t, r.engine, "given", first)
	if a := must(t, r.engine, "given", text("two")); a.placed[0].Offset != 2 {
		t.Errorf("the second was placed at %d", a.placed[0].Offset)
	}
	w := watch(t, r.engine, "given")
	w.log.Unwatch(w.watch)
}

// madeWhileItIsAskedFor publishes to a channel that is not made by use, all the time, until somebody may make it: who may is
// not refused because of those who may not.
func madeWhileItIsAskedFor(t *testing.T, r *ruled) {
	stop := make(chan struct{})
	var asking sync.WaitGroup
	for range 4 {
		asking.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := publish(t, r.engine, "given", text("x")).err; err != nil && wire.AsError(err).Code != wire.CodeNotFound {
					t.Errorf("got %v, want not_found", err)
				}
			}
		})
	}
	for range 20 {
		publish(t, r.engine, "given", text("x"))
	}
	first := text("one")
	first.Create = true
	must(t, r.engine, "given", first)
	close(stop)
	asking.Wait()
}

func givenChannelsStayEmpty(t *testing.T, r *ruled) {
	first := text("one")
	first.Create = true
	epoch := must(t, r.engine, "given", first).epoch
	for range 3 {
		r.pass(100 * 24 * time.Hour) // nothing is kept any more
		must(t, r.engine, "room", text("x"))
		r.pass(2 * time.Minute)
		r.has(t, 1) // so that the sweeper has been there
	}
	if a := must(t, r.engine, "given", text("two")); a.epoch != epoch || a.placed[0].Offset != 2 {
		t.Errorf("it goes on at %s/%d, want %s/2", a.epoch, a.placed[0].Offset, epoch)
	}
}

func retentionTakenUp(t *testing.T, r *ruled) {
	for range 10 {
		must(t, r.engine, "lobby", text("x"))
	}
	w := watch(t, r.engine, "lobby")
	defer w.log.Unwatch(w.watch)
	r.messages.Store(3)
	r.engine.(engine.Refresher).Refresh() //nolint:forcetypeassert // it is what is tested
	if head := w.log.Head(); head != 8 {
		t.Errorf("the oldest kept is %d, want 8", head)
	}
	r.messages.Store(1000)
	r.engine.(engine.Refresher).Refresh() //nolint:forcetypeassert // it is what is tested
	for range 10 {
		must(t, r.engine, "lobby", text("x"))
	}
	if head := w.log.Head(); head != 8 {
		t.Errorf("then the oldest kept is %d, want 8", head)
	}
}
