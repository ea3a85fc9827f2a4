package server

import (
	"context"
	"runtime/debug"
	"time"
)

// A rush of clients needs memory for handshakes and tokens, several times of what their lines need afterwards, and leaves
// it in the runtime's hands, spread among what stays. When the rush is over the process gives it back, once: it costs a
// collection, which is nothing to a process that takes no clients at that moment.

const (
	// rush is how many clients make it worth the while.
	rush = 1000
	// lull is how long none must have come.
	lull = 5 * time.Second
)

// giveBack returns memory to the system after each rush, until ctx ends. opened counts the clients since the start.
func giveBack(ctx context.Context, opened func() int64, free func()) {
	ticker := time.NewTicker(lull)
	defer ticker.Stop()
	before, returned := opened(), opened()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := opened()
		if now == before && now-returned >= rush {
			free()
			returned = now
		}
		before = now
	}
}

// freeMemory collects and returns what is free.
func freeMemory() { debug.FreeOSMemory() }
