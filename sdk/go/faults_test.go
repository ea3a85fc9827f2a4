package magpieclient_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/magpie-bridge/magpie"
	magpieclient "github.com/magpie-bridge/magpie/sdk/go"
)

// cuttingProxy passes bytes on to a gateway, and breaks lines at random.
type cuttingProxy struct {
	t        *testing.T
	listener net.Listener
	target   string
	running  sync.WaitGroup

	mu     sync.Mutex // guards the fields below
	random *rand.Rand
	cuts   int // that may still be made
}

// startProxy gives the address of a proxy that breaks that many lines, each after 2 to 40 KB in one direction.
func startProxy(t *testing.T, target string, seed uint64, cuts int) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &cuttingProxy{t: t, listener: listener, target: target, cuts: cuts, random: rand.New(rand.NewPCG(seed, seed))}
	p.running.Go(p.serve)
	t.Cleanup(func() {
		listener.Close()
		p.running.Wait()
	})
	return listener.Addr().String()
}

func (p *cuttingProxy) serve() {
	for {
		near, err := p.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", p.target)
		if err != nil {
			p.t.Errorf("the gateway cannot be reached: %v", err)
			near.Close()
			return
		}
		p.running.Go(func() { p.pass(near, far) })
		p.running.Go(func() { p.pass(far, near) })
	}
}

// pass copies one direction until it ends or is cut, in the middle of whatever is under way.
func (p *cuttingProxy) pass(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	if limit := p.next(); limit > 0 {
		_, _ = io.CopyN(to, from, limit) // either way the line is at its end
		return
	}
	_, _ = io.Copy(to, from) // likewise
}

func (p *cuttingProxy) next() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cuts == 0 {
		return 0
	}
	p.cuts--
	return 2_000 + p.random.Int64N(38_000)
}

// Over lines that break all the time, each message published is kept once and in order, and delivered once and in order.
func TestExactlyOnceOverBreakingLines(t *testing.T) {
	for name, codec := range map[string]magpieclient.Codec{"json": magpieclient.CodecJSON, "protobuf": magpieclient.CodecProtobuf} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := startGateway(t)
			const messages, cuts = 2000, 4
			var publisherBroke, subscriberBroke atomic.Int64
			publisher := dial(t, startProxy(t, target, 1, cuts), codec, &publisherBroke)
			subscriber := dial(t, startProxy(t, target, 2, cuts), codec, &subscriberBroke)
			s, err := subscriber.Subscribe(t.Context(), "c", magpieclient.SubscribeOptions{From: magpieclient.After(0)})
			if err != nil {
				t.Fatal(err)
			}
			var publishing sync.WaitGroup
			publishing.Go(func() {
				for n := range messages {
					if _, err := publisher.PublishAsync(t.Context(), "c", magpieclient.Publication{Payload: magpieclient.Text(fmt.Sprint(n))}); err != nil {
						t.Errorf("publish %d: %v", n, err)
						return
					}
				}
				if err := publisher.Flush(t.Context()); err != nil {
					t.Errorf("Flush: %v", err)
				}
			})
			checkOrder(t, s, messages)
			publishing.Wait()
			if stats := s.Stats(); stats.Unexplained > 0 {
				t.Errorf("stats are %+v", stats)
			}
			if publisherBroke.Load() < 2 || subscriberBroke.Load() < 2 {
				t.Errorf("the lines broke %d and %d times: too seldom to show anything", publisherBroke.Load(), subscriberBroke.Load())
			}
		})
	}
}

// A consumer that publishes for each message, and waits for each answer, needs the line for both.
func TestConsumerThatPublishes(t *testing.T) {
	const messages = 3000
	var broke atomic.Int64
	address := startGateway(t)
	producer, relay, consumer := dial(t, address, magpieclient.CodecJSON, &broke), dial(t, address, magpieclient.CodecJSON, &broke), dial(t, address, magpieclient.CodecProtobuf, &broke)
	for n := range messages {
		if _, err := producer.PublishAsync(t.Context(), "in", magpieclient.Publication{Payload: magpieclient.Text(fmt.Sprint(n))}); err != nil {
			t.Fatal(err)
		}
	}
	in, err := relay.Subscribe(t.Context(), "in", magpieclient.SubscribeOptions{From: magpieclient.After(0)})
	if err != nil {
		t.Fatal(err)
	}
	var relaying sync.WaitGroup
	defer relaying.Wait()
	relaying.Go(func() {
		for range messages {
			event, err := in.Next(t.Context())
			if err != nil {
				t.Errorf("Next: %v", err)
				return
			}
			m, _ := event.(*magpieclient.Message)
			if _, err := relay.Publish(t.Context(), "out", magpieclient.Publication{Payload: m.Payload}); err != nil {
				t.Errorf("Publish: %v", err)
				return
			}
		}
	})
	out, err := consumer.Subscribe(t.Context(), "out", magpieclient.SubscribeOptions{From: magpieclient.After(0)})
	if err != nil {
		t.Fatal(err)
	}
	checkOrder(t, out, messages)
	if in.Stats().Parked == 0 {
		t.Error("the relay's subscription was never full: nothing was shown")
	}
	if broke.Load() > 0 {
		t.Errorf("lines broke %d times", broke.Load())
	}
}

// startGateway runs a gateway in this process, and gives its address.
func startGateway(t *testing.T) string {
	t.Helper()
	gateway, err := magpie.New(magpie.Options{Development: true, NoConsole: true})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(gateway.Handler())
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
		defer cancel()
		if err := gateway.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		server.Close()
	})
	return strings.TrimPrefix(server.URL, "http://")
}

// checkOrder takes the messages 0 to n-1, which must come at the offsets 1 to n.
func checkOrder(t *testing.T, s *magpieclient.Subscription, n int) {
	t.Helper()
	deadline := time.AfterFunc(2*time.Minute, func() { s.Close() })
	defer deadline.Stop()
	want := 0
	for event, err := range s.Events(t.Context()) {
		if err != nil {
			t.Fatalf("after %d messages: %v", want, err)
		}
		m, ok := event.(*magpieclient.Message)
		if !ok || string(m.Payload.Bytes) != fmt.Sprint(want) || m.Position.Offset != uint64(want+1) {
			t.Fatalf("event %d is %+v", want, event)
		}
		if want++; want == n {
			return
		}
	}
}

func dial(t *testing.T, address string, codec magpieclient.Codec, broke *atomic.Int64) *magpieclient.Client {
	t.Helper()
	c, err := magpieclient.New(magpieclient.Options{
		URL:   "ws://" + address + "/ws",
		Codec: codec,
		OnState: func(change magpieclient.StateChange) {
			if change.State == magpieclient.StateWaiting {
				broke.Add(1)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}
