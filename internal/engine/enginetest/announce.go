package enginetest

import (
	"fmt"
	"sync"
	"testing"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/engine"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// RunAnnounce tests that the engines that open returns, which are as [Run] wants them, tell of channels that appear.
func RunAnnounce(t *testing.T, open func(t *testing.T) engine.Engine) {
	for name, test := range map[string]func(*testing.T, engine.Engine){
		"AnnouncesEachChannelOnce":    announcesEachChannelOnce,
		"AnnouncesBeforeItIsAnswered": announcesBeforeItIsAnswered,
		"AnnouncesOrLists":            announcesOrLists,
	} {
		t.Run(name, func(t *testing.T) {
			e := open(t)
			defer end(t, e)
			test(t, e)
		})
	}
}

// announced is what an engine told of.
type announced struct {
	mu    sync.Mutex // guards times
	times map[wire.ChannelName]int
}

// announcer has an engine tell of what appears.
func announcer(t *testing.T, e engine.Engine) *announced {
	t.Helper()
	a := &announced{times: make(map[wire.ChannelName]int)}
	teller, ok := e.(engine.Announcer)
	if !ok {
		t.Fatalf("%T is no engine.Announcer", e)
	}
	teller.Announce(func(name wire.ChannelName) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.times[name]++
	})
	return a
}

func (a *announced) of(name wire.ChannelName) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.times[name]
}

// announcesEachChannelOnce checks that it does not matter how a channel comes into being, and that those that were there
// before are no news.
func announcesEachChannelOnce(t *testing.T, e engine.Engine) {
	must(t, e, "before", text("x"))
	a := announcer(t, e)
	for range 2 {
		must(t, e, "before", text("x"))
		must(t, e, "appended", text("x"))
		w := watch(t, e, "watched")
		defer w.log.Unwatch(w.watch)
		read(t, e, "read", channel.Query{Limit: 1, Bytes: plenty})
	}
	for name, want := range map[wire.ChannelName]int{"before": 0, "appended": 1, "watched": 1, "read": 1} {
		if got := a.of(name); got != want {
			t.Errorf("%s was announced %d times, want %d", name, got, want)
		}
	}
	again := announcer(t, e)
	must(t, e, "later", text("x"))
	if a.of("later") != 0 || again.of("later") != 1 {
		t.Errorf("later was announced %d and %d times, want only to the one who asked last", a.of("later"), again.of("later"))
	}
}

// announcesBeforeItIsAnswered checks, with many publishers at once, that whoever has published knows that it was announced.
func announcesBeforeItIsAnswered(t *testing.T, e engine.Engine) {
	a := announcer(t, e)
	var publishers sync.WaitGroup
	for p := range 8 {
		publishers.Go(func() {
			for i := range 50 {
				name := wire.ChannelName(fmt.Sprint("c", (i*(p+1))%100)) // most of them several publishers want to make
				if publish(t, e, name, text("x")); a.of(name) != 1 {
					t.Errorf("%s was announced %d times when a message of it could be read", name, a.of(name))
				}
			}
		})
	}
	publishers.Wait()
}

// announcesOrLists checks that whoever announces first and lists then hears of every channel, whatever is made meanwhile.
func announcesOrLists(t *testing.T, e engine.Engine) {
	const total = 300
	var publishers sync.WaitGroup
	half := make(chan struct{})
	for p := range 3 {
		publishers.Go(func() {
			for i := range total / 3 {
				if p == 0 && i == total/12 {
					close(half)
				}
				publish(t, e, wire.ChannelName(fmt.Sprint("c", p*total/3+i)), text("x"))
			}
		})
	}
	<-half
	a := announcer(t, e)
	listed := make(map[wire.ChannelName]bool)
	for _, c := range list(t, e, engine.ListQuery{Limit: plenty, Names: true}).Channels {
		listed[c.Name] = true
	}
	publishers.Wait()
	for i := range total {
		if name := wire.ChannelName(fmt.Sprint("c", i)); !listed[name] && a.of(name) == 0 {
			t.Errorf("%s was neither listed nor announced", name)
		}
	}
}

// whatWasThereIsNoNews checks that a channel that was kept is not announced when it is first used after a restart.
func whatWasThereIsNoNews(t *testing.T, r reopener) {
	e := r.Open(t)
	must(t, e, "old", text("x"))
	e = r.reopen(t, e)
	defer end(t, e)
	a := announcer(t, e)
	must(t, e, "old", text("x"))
	must(t, e, "new", text("x"))
	if a.of("old") != 0 || a.of("new") != 1 {
		t.Errorf("announced: %v, want new alone", a.times)
	}
}
