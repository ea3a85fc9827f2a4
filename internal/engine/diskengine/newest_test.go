package diskengine_test

import (
	"fmt"
	"testing"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/engine"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// put appends messages with keys, one after the other.
func put(t *testing.T, e engine.Engine, name wire.ChannelName, keys ...string) {
	t.Helper()
	for _, key := range keys {
		done := make(chan error, 1)
		record := channel.Record{Publication: wire.Publication{Key: key, Payload: wire.Payload{Kind: wire.PayloadText, Bytes: make([]byte, 2000)}}}
		e.Append(name, []channel.Record{record}, func(_ wire.Epoch, _ []channel.Placed, err error) { done <- err })
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}

// skipping reads as a cursor that skips from next on, and returns the offsets it met and how often it waited for the disk.
func skipping(t *testing.T, log *channel.Log, next wire.Offset) (met []wire.Offset, cold int) {
	t.Helper()
	var s channel.Scratch
	for next <= log.Tail() {
		b, ok := log.SparseFrames(0, next, 1, &s)
		if !ok {
			t.Fatalf("%d is lost", next)
		}
		if b.Cold {
			cold++
			at, _ := log.NextNewest(next)
			ready := make(chan struct{})
			log.Fetch(at, func() { close(ready) })
			<-ready
			continue
		}
		met = append(met, b.After-1)
		next = b.After
		s.Reset()
	}
	return met, cold
}

// TestTheNewestOfEachKeyOverARestart shows that the index of a channel is there again when it is brought back, as far as the
// idempotency window reaches, and that entries are skipped to that are on disk only.
func TestTheNewestOfEachKeyOverARestart(t *testing.T) {
	retention := ample()
	retention.Newest = true
	d := deep(0, retention)
	e := d.Open(t)
	put(t, e, "a", "rare", "x", "y")
	for i := range 1000 { // 2 MB, twice what is in memory at first
		put(t, e, "a", fmt.Sprint("k", i%5))
	}
	end(t, e)
	e = d.Open(t)
	defer end(t, e)
	log := watch(t, e, "a")
	if !log.Indexed(1) {
		t.Fatal("the index does not reach back to the beginning")
	}
	met, cold := skipping(t, log, 1)
	if want := "[1 2 3 999 1000 1001 1002 1003]"; fmt.Sprint(met) != want || cold == 0 {
		t.Errorf("met %d, want %s; waited for the disk %d times", met, want, cold)
	}
	put(t, e, "a", "rare", "x")
	if met, _ := skipping(t, log, 2); fmt.Sprint(met) != "[3 999 1000 1001 1002 1003 1004 1005]" {
		t.Errorf("after two more it meets %d", met)
	}
}
