package enginetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/magpie-bridge/magpie/internal/engine"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// read reads a page and waits for it.
func read(t *testing.T, e engine.Engine, name wire.ChannelName, from wire.Offset, limit int) (page engine.Page) {
	t.Helper()
	done := make(chan struct{})
	e.Read(name, from, limit, func(p engine.Page, err error) {
		defer close(done)
		if err != nil {
			t.Errorf("read %s from %d: %v", name, from, err)
		}
		page = p
	})
	select {
	case <-done:
	case <-time.After(wait):
		t.Fatalf("read %s from %d was never answered", name, from)
	}
	return page
}

// readsFromAPosition checks that pages follow each other to the tail without holes.
func readsFromAPosition(t *testing.T, e engine.Engine) {
	const total = 100
	var epoch wire.Epoch
	for i := range total {
		epoch = must(t, e, "a", identified("p", fmt.Sprint(i+1))).epoch
	}
	for _, limit := range []int{1, 7, total, 2 * total} {
		var m wire.Message
		next := wire.Offset(1)
		for next <= total {
			page := read(t, e, "a", next, limit)
			if page.First != next || len(page.Entries) == 0 || len(page.Entries) > limit || page.Tail != total || page.Epoch != epoch {
				t.Fatalf("a page of %d from %d: first %d, %d entries, tail %d in %s", limit, next, page.First, len(page.Entries), page.Tail, page.Epoch)
			}
			for _, entry := range page.Entries {
				entry.Message(&m)
				if m.MessageID != fmt.Sprint(next) {
					t.Fatalf("entry %d is message %s", next, m.MessageID)
				}
				next++
			}
		}
	}
	if page := read(t, e, "a", total+1, 10); len(page.Entries) != 0 || page.Tail != total {
		t.Errorf("behind the tail there are %d entries, and the tail is %d", len(page.Entries), page.Tail)
	}
}

// readsOfNothing checks that an unknown channel is empty.
func readsOfNothing(t *testing.T, e engine.Engine) {
	if page := read(t, e, "a", 1, 10); len(page.Entries) != 0 || page.Tail != 0 {
		t.Errorf("an unknown channel has %d entries, and the tail %d", len(page.Entries), page.Tail)
	}
}
