package server

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A rush of clients is paced tightly from its first look on; there is slack when it is over, and while few clients come.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var opened atomic.Int64
		var set []bool // whether it was tight
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go pace(ctx, opened.Load, func() uint64 { return 0 }, func(percent int) { set = append(set, percent == tightPercent) })
		after := func(looks, each int) []bool {
			for range looks {
				time.Sleep(paceEvery)
				synctest.Wait()
				opened.Add(int64(each))
			}
			said := slices.Clone(set)
			set = nil
			return said
		}
		for i, step := range []struct {
			looks, clients int
			want           []bool
		}{
			{calm + 1, 0, []bool{true, false}},
			{adapt, comers - 1, []bool{false}},
			{3, comers, []bool{true}},
			{calm + 1, 0, []bool{false}},
		} {
			if got := after(step.looks, step.clients); !slices.Equal(got, step.want) {
				t.Errorf("step %d: tight %v, want %v", i, got, step.want)
			}
		}
	})
}

func TestSlackPercent(t *testing.T) {
	for live, want := range map[uint64]int{0: 3200, 16 << 20: 200, 64 << 20: 50, 1 << 30: 50} {
		if got := slackPercent(live); got != want {
			t.Errorf("%d bytes: %d, want %d", live, got, want)
		}
	}
}
