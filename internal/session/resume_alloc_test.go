//go:build !race

package session

import (
	"testing"

	"github.com/magpie-bridge/magpie/internal/hub/keep"
)

// TestATokenIsAllThatConnectingAllocatesMore compares lives of sessions that may outlive their line with those of sessions
// that may not.
func TestATokenIsAllThatConnectingAllocatesMore(t *testing.T) {
	allocations := func(opts rigOptions) float64 {
		r := newRig(t, opts)
		user := principal("alice")
		line := &testLine{room: endless, discard: true}
		connect := []byte(`{"type":"connect","requestId":"c"}`)
		return testing.AllocsPerRun(200, func() {
			s := r.shard.begin(line, jsonLine, user)
			s.Frame(connect)
			s.Flush()
			s.Refuse(1000, "")
			s.Closed(nil)
		})
	}
	with, without := allocations(rigOptions{keep: &keep.Options{}}), allocations(rigOptions{})
	if with > without+1 {
		t.Errorf("connecting allocates %v times, and %v times without a token", with, without)
	}
}
