package session

import (
	"fmt"
	"strings"
	"testing"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/engine"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// reading is an engine that answers queries when the test says so.
type reading struct {
	engine.Engine
	waiting []func()
}

func (e *reading) Read(name wire.ChannelName, q channel.Query, done func(channel.Run, error)) {
	e.waiting = append(e.waiting, func() { e.Engine.Read(name, q, done) })
}

func readingRig(t *testing.T) (*rig, *reading) {
	t.Helper()
	slow := &reading{}
	return newRig(t, rigOptions{wrap: func(e engine.Engine) engine.Engine {
		slow.Engine = e
		return slow
	}}), slow
}

// pageOf is the only event, which must be a page.
func pageOf(t *testing.T, events []event) *wire.Page {
	t.Helper()
	if len(events) == 1 {
		if page, ok := events[0].body().(*wire.Page); ok {
			return page
		}
	}
	t.Fatalf("instead of a page came %v", events)
	return nil
}

// TestOnePageAtATime asks for more than may wait for a client: each page is read only when the one before has been, and
// what is asked behind them comes behind them.
func TestOnePageAtATime(t *testing.T) {
	r, slow := readingRig(t)
	r.publish("a", "one")
	c := r.joined("alice")
	const history = `{"type":"history","requestId":"%d","channel":"a"}`
	c.say(fmt.Sprintf(history, 1), fmt.Sprintf(history, 2), `{"type":"ping","requestId":"3"}`)
	for i := 1; i <= 2; i++ {
		if len(slow.waiting) != 1 || len(c.hear()) != 0 || c.line.reading {
			t.Fatalf("before page %d: %d are asked for, and reading is %t", i, len(slow.waiting), c.line.reading)
		}
		read := slow.waiting[0]
		slow.waiting = nil
		read()
		r.loop.turn(r.shard, 0)
		if i == 2 {
			r.settle()
		}
		events := c.hear()
		if page := pageOf(t, events[:1]); len(page.Messages) != 1 || page.Messages[0].Offset != 1 {
			t.Fatalf("page %d is %+v", i, page)
		}
		r.settle()
	}
	if c.s.inFlight != 0 || !c.line.reading || len(slow.waiting) != 0 {
		t.Errorf("%d are in flight, reading is %t, and %d are asked for", c.s.inFlight, c.line.reading, len(slow.waiting))
	}
}

// TestSessionEndsBeforeThePage shows that a page that comes too late does no harm.
func TestSessionEndsBeforeThePage(t *testing.T) {
	r, slow := readingRig(t)
	c := r.joined("alice")
	c.say(`{"type":"history","requestId":"1","channel":"a"}`)
	c.hang()
	slow.waiting[0]()
	r.settle()
	if events := c.hear(); len(events) != 0 {
		t.Errorf("a session that has ended hears %v", events)
	}
}

// TestPagesFitTheOutbox reads payloads that JSON makes three times as long: a page stays below what may wait for a client,
// the pages together have every message, and a message that is larger than a page comes alone.
func TestPagesFitTheOutbox(t *testing.T) {
	r := newRig(t, rigOptions{})
	const total, each = 30, 20 << 10
	for range total {
		r.publish("a", strings.Repeat("\"\x01", each/2))
	}
	large := r.publish("a", strings.Repeat("\x01", 60<<10))
	c := r.joined("alice")
	next, from := wire.Offset(1), ""
	for pages := 1; ; pages++ {
		before := len(c.line.got)
		c.say(`{"type":"history","requestId":"1","channel":"a"` + from + `}`)
		size := len(c.line.got) - before
		page := pageOf(t, c.hear())
		if alone := len(page.Messages) == 1 && page.Messages[0].Offset == large; size > 256<<10 && !alone {
			t.Fatalf("page %d has %d bytes for %d messages", pages, size, len(page.Messages))
		}
		for _, m := range page.Messages {
			if m.Offset != next {
				t.Fatalf("message %d comes where %d should", m.Offset, next)
			}
			next++
		}
		if page.Next == nil {
			break
		}
		if page.Next.Offset != next-1 {
			t.Fatalf("after %d the next page is said to begin behind %d", next-1, page.Next.Offset)
		}
		from = fmt.Sprintf(`,"from":{"epoch":%q,"offset":%d}`, page.Next.Epoch, page.Next.Offset)
	}
	if next != large+1 {
		t.Errorf("the pages end before %d, the last message is %d", next, large)
	}
}
