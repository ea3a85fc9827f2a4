package hub

import "sync/atomic"

// Metrics counts what passes through the hub. What is delivered is counted by the loops, see session.Shard.
type Metrics struct {
	Sessions       atomic.Int64 // now
	SessionsOpened atomic.Int64
	AuthFailures   atomic.Int64
	Published      atomic.Int64
	Duplicates     atomic.Int64
	PublishErrors  atomic.Int64
	Pages          atomic.Int64 // of history
	Calls          atomic.Int64
	CallErrors     atomic.Int64
	CallsOpen      atomic.Int64 // now
	Late           atomic.Int64 // answers of handlers for which nobody waited any more
}
