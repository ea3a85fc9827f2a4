// Package engine keeps the channels' logs: the seam between the gateway and where messages live.
//
// [Engine] is what every kind of storage offers; [Memory] is the default and needs nothing. An engine appends
// idempotently, hands out logs to read and watch, and keeps what it holds within its bounds.
package engine

import (
	"context"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// Engine stores channels. Implementations are safe for concurrent use.
type Engine interface {
	// Append appends the records to the channel in their order, creating it when needed, and calls done exactly once
	// when they are as durable as the channel promises: on any goroutine, possibly before Append returns. The engine
	// copies what it needs of records before it returns. placed, one for each record, is valid only within done. Errors
	// are *wire.Error; none of the records was appended then.
	Append(name wire.ChannelName, records []channel.Record, done func(epoch wire.Epoch, placed []channel.Placed, err error))

	// Watch returns the channel's log for reading, with w watching it; end it with the log's Unwatch. The channel is
	// created when needed.
	Watch(name wire.ChannelName, w *channel.Watch) (*channel.Log, error)

	// Read answers a query from the channel's log, which is created when needed, and calls done exactly once: on any
	// goroutine, possibly before Read returns. A run may have fewer entries than the query allows. Errors are *wire.Error;
	// what cannot be read any more is no error, but a gap in the run.
	Read(name wire.ChannelName, q channel.Query, done func(channel.Run, error))

	// Stats tells what the engine holds.
	Stats() Stats

	// Close stops the engine's background work. No other method may be called from then on.
	Close(ctx context.Context) error
}

// Preparer is an engine whose channels may have to come from a disk first, which is nothing to wait for on a loop.
type Preparer interface {
	// Prepare reports whether Watch would return the channel at once. If not, the channel is fetched, and ready is called
	// once, on any goroutine, when it is there or cannot be had; Watch tells which.
	Prepare(name wire.ChannelName, ready func()) bool
}

// Stats tells what an engine holds.
type Stats struct {
	Channels    int
	MemoryBytes int64 // charged to the budget
	MemoryLimit int64 // of the budget; 0 when there is none
	Relieved    int64 // chunks dropped since the start because the budget was spent
	DiskBytes   int64 // of what is kept on disk
	Loads       int64 // channels brought back from disk since the start
	Pages       int64 // pages read from disk since the start, for cursors that are behind memory
}
