package server

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestMemoryIsGivenBackAfterARush shows that it is done once for each rush, and not while clients come.
func TestMemoryIsGivenBackAfterARush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var opened, freed atomic.Int64
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go giveBack(ctx, opened.Load, func() { freed.Add(1) })
		time.Sleep(lull / 2) // clients come between two looks
		for i, step := range []struct {
			come  int64 // in each lull
			lasts time.Duration
			want  int64
		}{
			{0, time.Minute, 0},
			{300, 2 * time.Minute, 0}, // they go on coming
			{0, time.Minute, 1},
			{0, time.Hour, 1},
			{999, lull, 1}, // too few
			{0, time.Minute, 1},
			{1, lull, 1}, // together they are enough
			{0, time.Minute, 2},
		} {
			for end := time.Now().Add(step.lasts); time.Now().Before(end); {
				opened.Add(step.come)
				time.Sleep(lull)
			}
			synctest.Wait()
			if n := freed.Load(); n != step.want {
				t.Fatalf("step %d: memory was given back %d times, want %d", i, n, step.want)
			}
		}
	})
}
