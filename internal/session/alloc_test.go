//go:build !race

package session

import (
	"runtime"
	"testing"
)

// The race detector makes a pool forget at random, so these are not measured with it.

// allocationsPerPublish bounds what one publication may allocate, on its way to however many subscribers: the lists of
// what is dirty and queued, and now and then a chunk and its view.
const allocationsPerPublish = 3

func TestDeliveryAllocatesNothing(t *testing.T) {
	perPublish := func(subscribers int) float64 {
		r, publish := crowd(t, subscribers)
		publish()
		r.settle()
		before := r.shard.Metrics.Delivered.Load()
		const runs = 500
		allocations := testing.AllocsPerRun(runs, func() {
			publish()
			r.settle()
		})
		if got, want := r.shard.Metrics.Delivered.Load()-before, int64(subscribers*(runs+1)); got != want {
			t.Fatalf("%d messages delivered, want %d", got, want)
		}
		return allocations
	}
	one, thousand := perPublish(1), perPublish(1000)
	if one > allocationsPerPublish {
		t.Errorf("a publication allocates %v times, want at most %d", one, allocationsPerPublish)
	}
	if thousand > one+1 {
		t.Errorf("a publication allocates %v times for a thousand subscribers and %v for one: delivery is to allocate nothing", thousand, one)
	}
}

// idleSession bounds what a session that is connected, subscribed and quiet may cost, in bytes, without its line.
const idleSession = 250

func TestAnIdleSessionAllocatesLittle(t *testing.T) {
	const sessions = 5000
	r := newRig(t, rigOptions{})
	user := principal("alice")
	line := &testLine{room: endless, discard: true} // shared: what a line costs is the transport's
	connect := []byte(subscribeTo("a"))
	all := make([]*Session, 0, sessions)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range sessions {
		s := r.shard.begin(line, jsonLine, user)
		s.Frame(connect)
		s.Flush()
		all = append(all, s)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if each := int64(after.HeapAlloc-before.HeapAlloc) / sessions; each > idleSession {
		t.Errorf("an idle session costs %d bytes, more than %d", each, idleSession)
	} else {
		t.Logf("an idle session costs %d bytes", each)
	}
	runtime.KeepAlive(all)
}
