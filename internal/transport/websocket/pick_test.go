package websocket

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/magpie-bridge/magpie/internal/hub"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// stuffed is a line whose session is full because its client reads nothing.
func stuffed(t *testing.T, b *bench, f Format) (*conn, *sink) {
	t.Helper()
	c, s := b.conn(t, f)
	c.Read(whole(opText, `{"type":"connect"}`))
	stuff(t, c, s)
	return c, s
}

func stuff(t *testing.T, c *conn, s *sink) {
	t.Helper()
	s.full = true
	for i := 0; !c.session.Full(); i++ {
		if i > 10_000 {
			t.Fatal("the session is never full")
		}
		c.Read(whole(opText, fmt.Sprintf(`{"type":"call","requestId":"f%d","method":"magpie.echo","text":%q}`, i, strings.Repeat("x", 1000))))
	}
}

func ping(id string) []byte { return whole(opText, `{"type":"ping","requestId":"`+id+`"}`) }

func reply(id string) []byte { return whole(opText, `{"type":"reply","requestId":"`+id+`","data":1}`) }

// While commands wait for want of room the answers behind them do not, however the bytes are cut; and the commands keep
// their order.
func TestAnswersGoAheadOfCommandsThatWait(t *testing.T) {
	sent := bytes.Join([][]byte{
		ping("c1"), reply("a1"), ping("c2"), whole(opPong, "x"), ping("c3"), reply("a2"),
		fragment(opText, `{"type":"ping",`), whole(opPong, ""), whole(opContinuation, `"requestId":"c4"}`),
		whole(opText, `{"type":"error","requestId":"a3","error":{"code":"internal","message":"no"}}`),
		whole(opText, `{"type":"progress","requestId":"a4","data":1}`), whole(opText, `{"type":"pong"}`),
		whole(opText, `{"type":"cancel","requestId":"c5"}`), ping("c6"), reply("a5"),
	}, nil)
	const answers = 5
	for size := range 60 {
		b := newBench(t)
		c, s := stuffed(t, b, JSON)
		before := b.shard.Metrics.Late.Load()
		for rest := sent; len(rest) > 0; {
			n := min(size+1, len(rest))
			if s.paused {
				t.Fatalf("in pieces of %d: reading stopped with %d bytes to come", size+1, len(rest))
			}
			c.Read(bytes.Clone(rest[:n]))
			rest = rest[n:]
		}
		if got := b.shard.Metrics.Late.Load() - before; got != answers {
			t.Errorf("in pieces of %d: %d answers went ahead, want %d", size+1, got, answers)
		}
		s.full = false
		c.Writable()
		for more := true; more; {
			more = b.loop.turn()
		}
		if order := pongs(s.frames()); order != "c1 c2 c3 c4 c6" {
			t.Errorf("in pieces of %d: commands were served in the order %q", size+1, order)
		}
		if s.paused || c.in != nil {
			t.Errorf("in pieces of %d: reading is stopped (%t), or something still waits", size+1, s.paused)
		}
		c.Closed(nil)
	}
}

// pongs are the requests of the pings that were answered.
func pongs(frames []serverFrame) string {
	var ids []string
	for _, f := range frames {
		if rest, ok := strings.CutPrefix(f.payload, `{"type":"pong","requestId":"`); ok {
			ids = append(ids, strings.TrimSuffix(rest, `"}`))
		}
	}
	return strings.Join(ids, " ")
}

// A cancel goes ahead as well, where the call has been begun: its handler must not work on for a caller who has given up.
func TestCancelOfABegunCallGoesAhead(t *testing.T) {
	b := newBench(t)
	begun, ended := make(chan struct{}), make(chan struct{})
	err := b.hub.Handle("t.hangs", func(ctx context.Context, _ *hub.Incoming) (wire.Payload, error) {
		close(begun)
		<-ctx.Done()
		close(ended)
		return wire.Payload{}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	c, s := b.conn(t, JSON)
	c.Read(whole(opText, `{"type":"call","requestId":"h","method":"t.hangs"}`))
	<-begun
	stuff(t, c, s)
	c.Read(append(ping("c1"), whole(opText, `{"type":"cancel","requestId":"h"}`)...))
	select {
	case <-ended:
	case <-time.After(patience):
		t.Fatal("the handler was not told")
	}
	c.Closed(nil)
}

func TestWhatWaitsIsBounded(t *testing.T) {
	b := newBench(t)
	c, s := stuffed(t, b, JSON)
	for i := 0; !s.paused; i++ {
		if i > 100_000 {
			t.Fatal("reading never stops")
		}
		c.Read(ping("c"))
	}
	if held := len(c.in.pending); held > waitingBytes+100 {
		t.Errorf("%d bytes wait", held)
	}
	c.Closed(nil)
}
