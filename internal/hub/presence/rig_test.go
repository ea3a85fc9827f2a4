package presence

import (
	"context"
	"encoding/json"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/engine"
	"github.com/magpie-bridge/magpie/internal/hub/keep"
	"github.com/magpie-bridge/magpie/internal/wire"
)

const grace = 5 * time.Second

// rig is a registry over a memory engine, with one node.
type rig struct {
	t      testing.TB
	engine *moody
	*Registry
	node *Node
}

// moody is an engine that may fail, or take its time.
type moody struct {
	engine.Engine
	fails atomic.Bool
	slow  bool
}

func (e *moody) Append(name wire.ChannelName, records []channel.Record, done func(wire.Epoch, []channel.Placed, error)) {
	switch {
	case e.fails.Load():
		done("", nil, errors.New("the engine is away"))
	case e.slow:
		go func() {
			time.Sleep(time.Millisecond)
			e.Engine.Append(name, records, done)
		}()
	default:
		e.Engine.Append(name, records, done)
	}
}

func (e *moody) Read(name wire.ChannelName, q channel.Query, done func(channel.Run, error)) {
	if !e.slow {
		e.Engine.Read(name, q, done)
		return
	}
	e.Engine.Read(name, q, func(run channel.Run, err error) {
		go func() {
			time.Sleep(time.Millisecond)
			done(run, err)
		}()
	})
}

// newRig is to be called in a bubble, or its times are real ones.
func newRig(t testing.TB) *rig {
	keeps := channel.DefaultRetention()
	keeps.Age = 1000 * time.Hour
	memory := engine.NewMemory(engine.MemoryOptions{
		Space:     channel.NewSpace(channel.NewBudget(0), nil),
		Retention: func(wire.ChannelName) channel.Retention { return keeps },
	})
	e := &moody{Engine: memory}
	r := New(Options{Engine: e, Covers: func(wire.ChannelName) bool { return true }, Online: true, Grace: grace})
	t.Cleanup(func() {
		r.Close()
		if err := memory.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return &rig{t: t, engine: e, Registry: r, node: r.Node(Lease{"n1", 1})}
}

// bubble runs a test with a rig on a clock of its own.
func bubble(t *testing.T, test func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newRig(t)) })
}

// pass lets a time pass, and everything happen that is due then.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func at(slot uint32) keep.Place { return keep.Place{Slot: slot} }

func user1(id string) *auth.Principal { return &auth.Principal{UserID: id} }

// message is any of those that tell.
type message struct {
	offset wire.Offset

	Event     string
	UserID    string
	SessionID string
	Device    string
	NodeID    string
	Timestamp int64
	Info      json.RawMessage
	Count     int
	Joined    []message
	Left      []message
}

// behind returns the messages of a channel behind an offset.
func (r *rig) behind(name wire.ChannelName, offset wire.Offset) (all []message) {
	r.t.Helper()
	for {
		from := wire.Start{Kind: wire.StartOffset, Offset: offset}
		more := false
		r.engine.Engine.Read(name, channel.Query{From: from, Limit: 1000, Bytes: 1 << 20}, func(run channel.Run, err error) {
			if err != nil || run.Gap != nil {
				r.t.Fatalf("read %s: %v, the gap %v", name, err, run.Gap)
			}
			for i := range run.Entries {
				var entry wire.Message
				run.Entries[i].Message(&entry)
				m := message{offset: run.Offset(i)}
				if err := json.Unmarshal(entry.Payload.Bytes, &m); err != nil || entry.Publisher != "magpie" {
					r.t.Fatalf("%s by %q: %v", entry.Payload.Bytes, entry.Publisher, err)
				}
				all = append(all, m)
				offset = m.offset
			}
			more = run.More
		})
		if !more {
			return all
		}
	}
}

// told are the messages of a channel as words: the event and the session.
func (r *rig) told(name wire.ChannelName) (words []string) {
	r.t.Helper()
	for _, m := range r.behind(name, 0) {
		words = append(words, m.Event+" "+m.SessionID)
	}
	return words
}

// page waits for a page.
func (r *rig) page(q wire.Presence) *wire.Members {
	r.t.Helper()
	pages := make(chan *wire.Members, 1)
	r.Page(&q, func(p *wire.Members, err error) {
		if err != nil {
			r.t.Errorf("page: %v", err)
		}
		pages <- p
	})
	return <-pages
}
