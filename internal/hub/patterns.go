package hub

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/engine"
	"github.com/magpie-bridge/magpie/internal/hub/trie"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// Follower is told of channels that appear. It is called on any goroutine, and must not block.
type Follower interface {
	Appeared(name wire.ChannelName)
}

// following is who wants to be told of which channels. Nothing of it is looked at when a message is published: only when a
// channel comes into being.
type following struct {
	mu        sync.RWMutex // guards followers
	followers trie.Trie[Follower]

	expanding *workers // list channels
}

// The bounds of listings for patterns.
const (
	// expandWorkers is how many run at once: each goes through all channels.
	expandWorkers = 2
	// expandsWaiting is how many more may wait for their turn: as many as clients that come back at once.
	expandsWaiting = 100_000
	// expandTimeout ends one: a client waits for it.
	expandTimeout = 30 * time.Second
)

// Follow has f told of the channels that appear from now on and that the pattern stands for, until Unfollow was called as
// often as Follow.
func (h *Hub) Follow(pattern wire.ChannelName, f Follower) error {
	_, announces := h.opts.Engine.(engine.Announcer)
	_, lists := h.opts.Engine.(engine.Lister)
	if !announces || !lists {
		return wire.Errorf(wire.CodeUnimplemented, "the engine of this gateway does not tell which channels there are: subscribe to them by their names")
	}
	h.following.mu.Lock()
	defer h.following.mu.Unlock()
	h.following.followers.Add(pattern, f)
	return nil
}

// Unfollow ends that.
func (h *Hub) Unfollow(pattern wire.ChannelName, f Follower) {
	h.following.mu.Lock()
	defer h.following.mu.Unlock()
	h.following.followers.Remove(pattern, f)
}

// appeared tells the followers of a channel. The engine calls it while it holds locks.
func (h *Hub) appeared(name wire.ChannelName) {
	var some [8]Follower // about as many as there are loops
	told := some[:0]
	h.following.mu.RLock()
	defer h.following.mu.RUnlock()
	h.following.followers.Match(name, func(f Follower) {
		if !slices.Contains(told, f) {
			told = append(told, f)
			f.Appeared(name)
		}
	})
}

// Expand finds the channels that are covered and that the principal may subscribe to, the first so many in the order of their
// names, and calls done once, on any goroutine.
func (h *Hub) Expand(by *auth.Principal, covers func(wire.ChannelName) bool, limit int, done func([]wire.ChannelName, error)) {
	err := h.following.expanding.do(func() {
		ctx, cancel := context.WithTimeout(h.ctx, expandTimeout)
		defer cancel()
		page, err := h.ListChannels(ctx, engine.ListQuery{Limit: limit, Names: true, Match: func(name wire.ChannelName) bool {
			return covers(name) && h.MaySubscribe(by, name) == nil
		}})
		names := make([]wire.ChannelName, len(page.Channels))
		for i := range page.Channels {
			names[i] = page.Channels[i].Name
		}
		done(names, err)
	})
	if err != nil {
		done(nil, wire.Errorf(wire.CodeUnavailable, "the gateway has too many patterns to look up now: subscribe again in a while"))
	}
}
