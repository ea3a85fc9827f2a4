package server

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// How much garbage there may be between two collections depends on what the process does. While many clients come, what
// their handshakes leave behind lies among what their lines keep: the more of it there is, the more memory the lines take up
// in the end. At other times a small heap would be collected many times a second for the sake of a few megabytes.

const (
	// tightPercent is the garbage that there may be, of what is in use, while many clients come.
	tightPercent = 50
	// slack is how much there may be at other times, however little is in use.
	slack = 32 << 20
	// paceEvery is how often the pace is looked at, and comers how many clients in that time are many.
	paceEvery = 200 * time.Millisecond
	comers    = 20
	// calm is after how many looks without many clients there is slack, and adapt after how many more it is measured anew.
	calm  = 3
	adapt = 25
)

// pace sets how much garbage there may be, until ctx ends. opened counts the clients since the start; live is what is in use.
func pace(ctx context.Context, opened func() int64, live func() uint64, set func(percent int)) {
	ticker := time.NewTicker(paceEvery)
	defer ticker.Stop()
	set(tightPercent)
	before, quiet := opened(), 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := opened()
		if now-before >= comers {
			if quiet >= calm {
				set(tightPercent)
			}
			quiet = 0
		} else if quiet++; quiet >= calm && (quiet-calm)%adapt == 0 {
			set(slackPercent(live()))
		}
		before = now
	}
}

// slackPercent is what the slack is of a heap of that size.
func slackPercent(live uint64) int {
	return max(tightPercent, int(slack*100/max(live, 1<<20))) //nolint:gosec // at most 3,200
}

// liveHeap is what the last collection left.
func liveHeap() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

func setGarbage(percent int) { debug.SetGCPercent(percent) }
