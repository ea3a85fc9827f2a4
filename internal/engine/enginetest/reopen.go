package enginetest

import (
	"context"
	"fmt"
	"testing"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/engine"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// Store is what an engine that outlives its process keeps its channels in.
type Store interface {
	// Open opens the store as a new process would.
	Open(t *testing.T) engine.Engine
	// Crash ends the process that has the store open, as suddenly as what is kept there is to survive.
	Crash(t *testing.T)
}

// RunReopen tests that what was acknowledged is there again when a store is opened again, after it was closed and
// after a crash. Each test gets an empty store.
func RunReopen(t *testing.T, store func(t *testing.T) Store) {
	for name, test := range map[string]func(*testing.T, reopener){
		"NumberingGoesOn":       numberingGoesOn,
		"RetriesAreRecognised":  retriesAreRecognised,
		"EverythingIsThere":     everythingIsThere,
		"ReopenedAgainAndAgain": reopenedAgainAndAgain,
		"WhatIsNotUsedIsListed": whatIsNotUsedIsListed,
		"WhatWasThereIsNoNews":  whatWasThereIsNoNews,
	} {
		t.Run(name+"/closed", func(t *testing.T) { test(t, reopener{store(t), false}) })
		t.Run(name+"/crashed", func(t *testing.T) { test(t, reopener{store(t), true}) })
	}
}

// reopener opens a store again in one of the two ways.
type reopener struct {
	Store
	crash bool
}

func (r reopener) reopen(t *testing.T, e engine.Engine) engine.Engine {
	t.Helper()
	if r.crash {
		r.Crash(t)
	} else {
		end(t, e)
	}
	return r.Open(t)
}

func end(t *testing.T, e engine.Engine) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	if err := e.Close(ctx); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func numberingGoesOn(t *testing.T, r reopener) {
	e := r.Open(t)
	first := must(t, e, "a", text("1"), text("2"))
	must(t, e, "b", text("1"))
	e = r.reopen(t, e)
	defer end(t, e)
	w := watch(t, e, "a")
	if w.log.Tail() != 2 || w.log.Head() != 1 || w.log.Epoch() != first.epoch {
		t.Errorf("reopened it has %d..%d in %s, want 1..2 in %s", w.log.Head(), w.log.Tail(), w.log.Epoch(), first.epoch)
	}
	if a := must(t, e, "a", text("3")); a.placed[0].Offset != 3 || a.epoch != first.epoch {
		t.Errorf("the next stands at %d in %s, want 3 in %s", a.placed[0].Offset, a.epoch, first.epoch)
	}
	if a := must(t, e, "b", text("2")); a.placed[0].Offset != 2 {
		t.Errorf("the other channel goes on at %d, want 2", a.placed[0].Offset)
	}
	if a := must(t, e, "c", text("1")); a.placed[0].Offset != 1 {
		t.Errorf("a new channel begins at %d", a.placed[0].Offset)
	}
}

func retriesAreRecognised(t *testing.T, r reopener) {
	e := r.Open(t)
	must(t, e, "a", text("x"), identified("p", "1"), identified("p", "2"))
	e = r.reopen(t, e)
	defer end(t, e)
	again := must(t, e, "a", identified("p", "2"), identified("p", "3"), identified("q", "1"))
	want := []channel.Placed{{Offset: 3, Duplicate: true}, {Offset: 4}, {Offset: 5}}
	for i := range want {
		if again.placed[i] != want[i] {
			t.Errorf("record %d of the retry: %+v, want %+v", i, again.placed[i], want[i])
		}
	}
}

func everythingIsThere(t *testing.T, r reopener) {
	const channels, each = 20, 50
	e := r.Open(t)
	for i := range each {
		for c := range channels {
			must(t, e, wire.ChannelName(fmt.Sprint("c", c)), identified(fmt.Sprint(c), fmt.Sprint(i+1)))
		}
	}
	e = r.reopen(t, e)
	defer end(t, e)
	var m wire.Message
	for c := range channels {
		w := watch(t, e, wire.ChannelName(fmt.Sprint("c", c)))
		page := read(t, e, w.log.Name(), channel.Query{Limit: each, Bytes: plenty})
		if w.log.Tail() != each || len(page.Entries) != each {
			t.Fatalf("%s has the tail %d and %d entries, want %d", w.log.Name(), w.log.Tail(), len(page.Entries), each)
		}
		for i := range each {
			page.Entries[i].Message(&m)
			if m.MessageID != fmt.Sprint(i+1) || m.Publisher != fmt.Sprint(c) {
				t.Fatalf("%s %d is message %s of %s", w.log.Name(), i+1, m.MessageID, m.Publisher)
			}
			if !w.log.Read(wire.Offset(i+1), &m) || m.MessageID != fmt.Sprint(i+1) {
				t.Fatalf("%s %d cannot be read from the log", w.log.Name(), i+1)
			}
		}
	}
}

func reopenedAgainAndAgain(t *testing.T, r reopener) {
	e := r.Open(t)
	epoch := must(t, e, "a", identified("p", "0")).epoch
	for i := range 5 {
		e = r.reopen(t, e)
		if i%2 == 0 { // a start in which nothing is asked for must lose nothing either
			e = r.reopen(t, e)
		}
		a := must(t, e, "a", identified("p", fmt.Sprint(i)), identified("p", fmt.Sprint(i+1)))
		if a.epoch != epoch || !a.placed[0].Duplicate || a.placed[1] != (channel.Placed{Offset: wire.Offset(i + 2)}) {
			t.Fatalf("start %d: %+v in %s, want a duplicate and %d in %s", i, a.placed, a.epoch, i+2, epoch)
		}
	}
	end(t, e)
}
