package engine

import (
	"sync/atomic"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// Announcer is an engine that tells of the channels that appear.
type Announcer interface {
	// Announce has appeared called for each channel that comes into being from now on: before a message of it can be read,
	// and before [Lister] can name it. So whoever announces first and lists then misses none. appeared is called on any
	// goroutine, while locks are held: it must not block, and not use the engine. It takes the place of the one before.
	Announce(appeared func(wire.ChannelName))
}

// Herald is whom an engine tells of the channels that appear. The zero value tells nobody. Safe for concurrent use.
type Herald struct {
	appeared atomic.Pointer[func(wire.ChannelName)]
}

// Announce implements [Announcer] for the engine that embeds it.
func (h *Herald) Announce(appeared func(wire.ChannelName)) { h.appeared.Store(&appeared) }

// Appeared tells of a channel. name must not alias what the engine does not keep.
func (h *Herald) Appeared(name wire.ChannelName) {
	if f := h.appeared.Load(); f != nil {
		(*f)(name)
	}
}
