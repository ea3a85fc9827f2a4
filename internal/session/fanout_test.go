package session

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// TestPublishersBesideTheLoop appends on goroutines of their own while the loop delivers. The loop works only when it
// was woken, so that nobody gets everything when a wake-up is lost.
func TestPublishersBesideTheLoop(t *testing.T) {
	r := newRig(t, rigOptions{})
	var clients []*client
	for i := range 20 {
		c := r.joined("alice")
		c.say(subscribeTo("a"))
		if i%2 == 0 {
			c.say(subscribeTo("b"))
		}
		c.hear()
		clients = append(clients, c)
	}
	const each = 2000
	var publishers sync.WaitGroup
	for range 2 {
		publishers.Go(func() {
			for i := range each {
				r.publish([]wire.ChannelName{"a", "b"}[i%2], "x")
			}
		})
	}
	var ended atomic.Bool
	go func() {
		publishers.Wait()
		ended.Store(true)
	}()
	for !ended.Load() {
		if !r.loop.turn(r.shard, 500*time.Microsecond) {
			runtime.Gosched()
		}
	}
	r.settle()
	for i, c := range clients {
		events := c.hear()
		if got := messages(events, "a"); !slices.Equal(got, offsets(1, each)) {
			t.Errorf("client %d got %d messages of a, want %d", i, len(got), each)
		}
		if got := messages(events, "b"); i%2 == 0 && !slices.Equal(got, offsets(1, each)) {
			t.Errorf("client %d got %d messages of b, want %d", i, len(got), each)
		}
	}
}

// TestALargeChannelKeepsNobodyWaiting has a channel whose subscribers take twenty slices to serve, and sessions that
// catch up for as long: a message of a small channel comes within a few slices all the same.
func TestALargeChannelKeepsNobodyWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const slice = 500 * time.Microsecond
		r := newRig(t, rigOptions{})
		for range 100 {
			r.publish("b", strings.Repeat("x", 1000))
		}
		small := r.joined("alice")
		small.say(subscribeTo("c"))
		var others []*client
		for range 500 {
			c := r.joined("alice")
			c.say(subscribeTo("a"))
			others = append(others, c)
		}
		for _, c := range r.clients {
			c.hear()
			c.line.pause = writeTakes
		}
		catching := others[:250]
		for _, c := range catching {
			c.tell(`{"type":"subscribe","requestId":"1","channel":"b","from":{"offset":0}}`)
		}
		for round := range 10 {
			r.publish("a", "x")
			r.publish("c", "x")
			published := time.Now()
			for range 3 {
				if !r.loop.turn(r.shard, slice) {
					t.Fatal("there is no work left: the test shows nothing")
				}
			}
			if got := messages(small.hear(), "c"); len(got) != 1 {
				t.Fatalf("round %d: %d messages of the small channel within three slices", round, len(got))
			}
			if took := time.Since(published); took > 6*slice {
				t.Fatalf("round %d: three slices took %v", round, took)
			}
		}
		r.settle()
		for i, c := range others {
			b := 0
			if i < len(catching) {
				b = 100
			}
			if events := c.hear(); len(messages(events, "a")) != 10 || len(messages(events, "b")) != b {
				t.Fatalf("client %d: %d messages of a, %d of b, want 10 and %d", i, len(messages(events, "a")), len(messages(events, "b")), b)
			}
		}
	})
}

// crowd is a rig with n subscribers of channel "a" whose lines keep nothing, and a way to publish to them that
// allocates nothing itself.
func crowd(t testing.TB, n int) (r *rig, publish func()) {
	r = newRig(t, rigOptions{})
	for range n {
		c := r.joined("alice")
		c.line.discard = true
		c.line.resumed = nil
		c.say(subscribeTo("a"))
	}
	records := []channel.Record{{Publication: wire.Publication{Payload: wire.Payload{
		Kind:  wire.PayloadJSON,
		Bytes: fmt.Appendf(nil, `{"padding":"%0100d"}`, 1),
	}}}}
	done := func(_ wire.Epoch, _ []channel.Placed, err error) {
		if err != nil {
			t.Error(err)
		}
	}
	return r, func() { r.engine.Append("a", records, done) }
}

func BenchmarkFlush(b *testing.B) {
	for _, inFlight := range []int{1, 16} {
		b.Run(fmt.Sprintf("1000 subscribers, %d in flight", inFlight), func(b *testing.B) {
			r, publish := crowd(b, 1000)
			before := r.shard.Metrics.Delivered.Load()
			b.ReportAllocs()
			for b.Loop() {
				for range inFlight {
					publish()
				}
				r.settle()
			}
			delivered := r.shard.Metrics.Delivered.Load() - before
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(delivered), "ns/delivery")
		})
	}
}

func BenchmarkSubscribe(b *testing.B) {
	r, publish := crowd(b, 1000)
	publish()
	c := r.joined("bob")
	c.line.discard = true
	subscribe := []byte(`{"type":"subscribe","requestId":"1","channel":"a","from":{"last":1}}`)
	unsubscribe := []byte(`{"type":"unsubscribe","requestId":"2","channel":"a"}`)
	b.ReportAllocs()
	for b.Loop() {
		c.s.Frame(subscribe)
		c.s.Flush()
		r.settle()
		c.s.Frame(unsubscribe)
		c.s.Flush()
	}
}

func BenchmarkPublish(b *testing.B) {
	r := newRig(b, rigOptions{})
	c := r.joined("bob")
	c.line.discard = true
	frame := fmt.Appendf(nil, `{"type":"publish","requestId":"1","channel":"a","data":{"padding":"%0100d"}}`, 1)
	b.ReportAllocs()
	for b.Loop() {
		c.s.Frame(frame)
		c.s.Flush()
	}
}

func BenchmarkEcho(b *testing.B) {
	r := newRig(b, rigOptions{})
	c := r.joined("bob")
	c.line.discard = true
	frame := fmt.Appendf(nil, `{"type":"call","requestId":"1","method":"magpie.echo","data":{"padding":"%0100d"}}`, 1)
	b.ReportAllocs()
	for b.Loop() {
		c.s.Frame(frame)
		c.s.Flush()
	}
}
