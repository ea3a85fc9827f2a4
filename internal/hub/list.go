package hub

import (
	"context"

	"github.com/magpie-bridge/magpie/internal/engine"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// ListChannels returns a page of the channels that the engine keeps. It may wait for a disk. Whoever asks has the right to it.
func (h *Hub) ListChannels(ctx context.Context, q engine.ListQuery) (engine.Listing, error) {
	if h.closed.Load() {
		return engine.Listing{}, wire.Errorf(wire.CodeUnavailable, "node %s has shut down: ask another", h.opts.NodeID)
	}
	lister, ok := h.opts.Engine.(engine.Lister)
	if !ok {
		return engine.Listing{}, wire.Errorf(wire.CodeUnimplemented, "the engine of this gateway cannot list its channels")
	}
	return lister.List(ctx, q)
}
