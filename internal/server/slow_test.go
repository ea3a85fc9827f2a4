package server

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// slowGateway has a channel for each policy.
const slowGateway = `
development: true
logs: {own_log: false, globs: [/nowhere/*.log]}
namespaces:
- {name: lag, pattern: lag.*}
- {name: latest, pattern: latest.*, slow_consumer: latest, max_lag: 50}
- {name: disconnect, pattern: disconnect.*, slow_consumer: disconnect, max_lag: 50}
`

// flood publishes values of eight keys until the test has what it waits for, as fast as somebody who reads follows; it returns
// how many.
func (r *running) flood(t *testing.T, channel string, reader *atomic.Uint64, enough func() bool) (published int) {
	t.Helper()
	payload := `"` + strings.Repeat("x", 4<<10) + `"`
	for end := time.Now().Add(patience); !enough(); {
		if time.Now().After(end) {
			t.Fatalf("%d messages to %s have not been enough", published, channel)
		}
		p := &wire.Publish{Channel: wire.ChannelName(channel)}
		for i := range 20 {
			p.Messages = append(p.Messages, wire.Publication{
				Key:     fmt.Sprint("k", (published+i)%8),
				Payload: wire.Payload{Kind: wire.PayloadJSON, Bytes: []byte(payload)},
			})
		}
		if _, err := r.Gateway().Publish(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		published += 20
		eventually(t, "the one who reads has followed", func() bool { return reader.Load() == uint64(published) })
	}
	return published
}

// lagOf is how far behind the one subscriber of a channel is, as the server API tells it.
func (r *running) lagOf(t *testing.T, channel string) string {
	t.Helper()
	status, _, body := ask(t, "POST", r.url("/magpie.v1.GatewayService/Subscriptions"), `{"channel":"`+channel+`"}`, "Content-Type", "application/json")
	if status != 200 {
		t.Fatalf("status %d: %s", status, body)
	}
	return body
}

func behind(body string) (n int) {
	if _, after, ok := strings.Cut(body, `"lag":`); ok {
		_, _ = fmt.Sscan(after, &n) // 0 where it is none
	}
	return n
}

// TestASlowReaderOfEachPolicy has a client that reads nothing while its channel is flooded, over real sockets, beside one
// that reads everything.
func TestASlowReaderOfEachPolicy(t *testing.T) {
	for _, driver := range []string{"auto", "goroutine"} {
		for _, policy := range []string{"lag", "latest", "disconnect"} {
			t.Run(driver+" "+policy, func(t *testing.T) {
				r := start(t, slowGateway+"driver: "+driver+"\n")
				channel := policy + ".a"
				healthy, slow := r.dial(t, ""), r.dial(t, "")
				healthy.subscribe(channel)
				var reader atomic.Uint64
				var reading sync.WaitGroup
				reading.Go(func() { inOrder(healthy, &reader) })
				slow.subscribe(channel)
				gone := func() bool { return r.slowDisconnects() > 0 }
				far := func() bool { return behind(r.lagOf(t, channel)) > 300 }
				ends := map[string]func() bool{"lag": far, "latest": far, "disconnect": gone}
				published := r.flood(t, channel, &reader, ends[policy])
				switch policy {
				case "lag":
					followWhole(t, slow, published)
				case "latest":
					followNewest(t, slow, published)
				case "disconnect":
					err := slow.end()
					if websocket.CloseStatus(err) != websocket.StatusCode(wire.CloseSlow) || !strings.Contains(err.Error(), channel) {
						t.Errorf("the slow one is told %v", err)
					}
				}
				if _, err := r.Gateway().Publish(t.Context(), last(channel)); err != nil {
					t.Fatal(err)
				}
				reading.Wait()
				if n := reader.Load(); n != uint64(published)+1 {
					t.Errorf("the healthy one was led to %d of %d", n, published+1)
				}
			})
		}
	}
}

// last is a message that ends what inOrder reads.
func last(channel string) *wire.Publish {
	return &wire.Publish{Channel: wire.ChannelName(channel), Publication: wire.Publication{
		MessageID: "last", Payload: wire.Payload{Kind: wire.PayloadJSON, Bytes: []byte("1")},
	}}
}

// slowDisconnects is how many sessions were ended for being slow.
func (r *running) slowDisconnects() (n int64) {
	for _, sh := range r.Gateway().shards {
		n += sh.Metrics.SlowDisconnects.Load()
	}
	return n
}

// inOrder reads messages up to the last, and tells how far they came without anything missing.
func inOrder(c *client, reader *atomic.Uint64) {
	for {
		offset := reader.Load()
		f, err := c.tryRead()
		if err != nil || f.Type != "message" || f.Offset != offset+1 && f.Prev != offset {
			return
		}
		if reader.Store(f.Offset); f.MessageID == "last" {
			return
		}
	}
}

// followWhole expects every message.
func followWhole(t *testing.T, c *client, published int) {
	t.Helper()
	for want := 1; want <= published; want++ {
		if f := c.read(); f.Type != "message" || f.Offset != uint64(want) {
			t.Fatalf("got %s %d, want message %d", f.Type, f.Offset, want)
		}
	}
}

// followNewest expects an unbroken course to the tail that is much shorter than what was published.
func followNewest(t *testing.T, c *client, published int) {
	t.Helper()
	position, heard := uint64(0), 0
	for position < uint64(published) {
		switch f := c.read(); {
		case f.Type == "position":
			position = f.Position.Offset
		case f.Type != "message" || f.Offset != position+1 && f.Prev != position:
			t.Fatalf("got %s %d with prev %d at %d", f.Type, f.Offset, f.Prev, position)
		default:
			position, heard = f.Offset, heard+1
		}
	}
	if heard > published-200 {
		t.Errorf("%d messages of %d were delivered: next to none was skipped", heard, published)
	}
}
