package hub

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/engine"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// follower notes of what it is told.
type follower struct {
	mu    sync.Mutex // guards names
	names []wire.ChannelName
}

func (f *follower) Appeared(name wire.ChannelName) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.names = append(f.names, name)
}

func TestFollowersAreToldOnceOfWhatAppears(t *testing.T) {
	h := openHub(t, Options{})
	by := user(t, "alice", auth.AllGrants())
	say := func(name wire.ChannelName) {
		t.Helper()
		if _, err := publish(h, by, &wire.Publish{Channel: name}); err != nil {
			t.Fatal(err)
		}
	}
	one, other := &follower{}, &follower{}
	for _, follow := range []struct {
		pattern wire.ChannelName
		by      *follower
	}{{"order.*", one}, {"order.>", one}, {"price.*", other}} {
		if err := h.Follow(follow.pattern, follow.by); err != nil {
			t.Fatal(err)
		}
	}
	say("order.a")
	say("order.a")
	say("price.a")
	h.Unfollow("order.*", one)
	say("order.b")
	h.Unfollow("order.>", one)
	say("order.c")
	if !slices.Equal(one.names, []wire.ChannelName{"order.a", "order.b"}) || !slices.Equal(other.names, []wire.ChannelName{"price.a"}) {
		t.Errorf("told of %v and %v", one.names, other.names)
	}
}

func TestExpandFindsWhatMayBeSubscribed(t *testing.T) {
	h := openHub(t, Options{})
	publisher := user(t, "publisher", auth.AllGrants())
	for _, name := range []wire.ChannelName{"order.c", "order.a", "order.b", "price.a", "order.secret.a"} {
		if _, err := publish(h, publisher, &wire.Publish{Channel: name}); err != nil {
			t.Fatal(err)
		}
	}
	pattern, err := auth.ParsePattern("order.>")
	if err != nil {
		t.Fatal(err)
	}
	reader := user(t, "reader", auth.Grants{Subscribe: []string{"order.*", "price.*"}})
	for limit, want := range map[int][]wire.ChannelName{10: {"order.a", "order.b", "order.c"}, 2: {"order.a", "order.b"}} {
		found := make(chan []wire.ChannelName, 1)
		h.Expand(reader, pattern.Expands, limit, func(names []wire.ChannelName, err error) {
			if err != nil {
				t.Error(err)
			}
			found <- names
		})
		select {
		case names := <-found:
			if !slices.Equal(names, want) {
				t.Errorf("at most %d: %v, want %v", limit, names, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("no answer")
		}
	}
	h.Close()
	h.Expand(reader, pattern.Expands, 1, func(_ []wire.ChannelName, err error) {
		if code(err) != wire.CodeUnavailable {
			t.Errorf("after the end: %v", err)
		}
	})
	h.FinishHooks(t.Context())
}

// besidePatterns is a hub with so many patterns that stand for nothing that is published.
func besidePatterns(b *testing.B, patterns int) (*Hub, *auth.Principal) {
	memory := engine.NewMemory(engine.MemoryOptions{
		Space: channel.NewSpace(channel.NewBudget(0), nil),
		Retention: func(wire.ChannelName) channel.Retention {
			return channel.Retention{Messages: 100, Bytes: 1 << 20, Age: time.Hour}
		},
	})
	b.Cleanup(func() { _ = memory.Close(context.Background()) })
	h := New(Options{NodeID: "n1", Engine: memory})
	f := &follower{}
	for i := range patterns {
		if err := h.Follow(wire.ChannelName(fmt.Sprintf("tenant-%d.order.*", i)), f); err != nil {
			b.Fatal(err)
		}
	}
	b.Cleanup(func() {
		if len(f.names) > 0 {
			b.Errorf("told of %d channels", len(f.names))
		}
	})
	rights, err := auth.NewRights(auth.AllGrants())
	if err != nil {
		b.Fatal(err)
	}
	return h, &auth.Principal{UserID: "alice", Rights: rights}
}

// BenchmarkPublishBesidePatterns is what a publish costs while there are patterns that do not stand for its channel.
func BenchmarkPublishBesidePatterns(b *testing.B) {
	for _, patterns := range []int{0, 10_000} {
		b.Run(fmt.Sprint(patterns, "patterns"), func(b *testing.B) {
			h, by := besidePatterns(b, patterns)
			p := &wire.Publish{Channel: "other.order.update"}
			b.ReportAllocs()
			for b.Loop() {
				h.Publish(by, p, func(*wire.Published, error) {})
			}
		})
	}
}

// BenchmarkFirstPublishBesidePatterns is the same of the publish that makes a channel.
func BenchmarkFirstPublishBesidePatterns(b *testing.B) {
	for _, patterns := range []int{0, 10_000} {
		b.Run(fmt.Sprint(patterns, "patterns"), func(b *testing.B) {
			h, by := besidePatterns(b, patterns)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				h.Publish(by, &wire.Publish{Channel: wire.ChannelName(fmt.Sprint("other.order.", i))}, func(*wire.Published, error) {})
			}
		})
	}
}
