package session

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// closedWith checks that the last thing heard is a goodbye and its close, and that the line was shut down.
func closedWith(t *testing.T, c *client, code wire.CloseCode) {
	t.Helper()
	events := c.hear()
	if len(events) < 2 {
		t.Fatalf("heard %v, want a goodbye", events)
	}
	bye, ok := events[len(events)-2].body().(*wire.Goodbye)
	if !ok || bye.Code != code || events[len(events)-1].code != code {
		t.Errorf("the end was %v, want goodbye and close %d", events[len(events)-2:], code)
	}
	if c.line.shut == 0 || !c.s.Closing() {
		t.Error("the line was not shut down")
	}
}

func TestConnectTimeout(t *testing.T) {
	r := newRig(t, rigOptions{})
	c := r.open(nil)
	r.advance(10*time.Second - time.Millisecond)
	c.say(`{"type":"ping"}`) // whatever is said, it must be connect
	if c.s.Closing() {
		t.Fatal("closed too early")
	}
	r.advance(time.Millisecond)
	closedWith(t, c, wire.CloseConnectTimeout)
}

func TestIdleTimeout(t *testing.T) {
	r := newRig(t, rigOptions{})
	c := r.joined("alice")
	r.advance(80 * time.Second)
	c.say(`{"type":"pong"}`)
	r.advance(90*time.Second - time.Millisecond)
	if c.s.Closing() {
		t.Fatal("closed too early")
	}
	r.advance(time.Millisecond)
	closedWith(t, c, wire.CloseIdle)
}

func TestPingCadence(t *testing.T) {
	r := newRig(t, rigOptions{})
	c := r.joined("alice")
	for i := range 10 {
		r.advance(30*time.Second - time.Millisecond)
		if events := c.hear(); len(events) != 0 {
			t.Fatalf("before ping %d: %v", i, events)
		}
		r.advance(time.Millisecond)
		if events := c.hear(); len(events) != 1 || events[0].kind != kindPing {
			t.Fatalf("ping %d: %v", i, events)
		}
		c.say(`{"type":"pong"}`)
	}
}

func TestWriteTimeout(t *testing.T) {
	r := newRig(t, rigOptions{})
	c := r.joined("alice")
	c.say(subscribeTo("a"))
	c.hear()
	c.line.room = 5
	r.publish("a", "x")
	r.settle()
	for range 8 { // it speaks, and reads a little
		r.advance(60 * time.Second)
		c.say(`{"type":"pong"}`)
		c.take(1)
	}
	if c.s.Closing() {
		t.Fatal("a client that reads a byte a minute was closed")
	}
	for range 2 {
		r.advance(44 * time.Second)
		c.say(`{"type":"pong"}`)
	}
	if c.s.Closing() {
		t.Fatal("closed too early")
	}
	r.advance(2 * time.Second)
	if !c.s.Closing() || c.line.closed || c.line.shut != 0 {
		t.Fatalf("closing %t, closed %t, shut %d: want a goodbye on its way", c.s.Closing(), c.line.closed, c.line.shut)
	}
	r.advance(closeTimeout)
	if !c.line.closed {
		t.Error("a line that does not take its goodbye was not closed")
	}
	if n := r.shard.Metrics.Subscriptions.Load(); n != 0 {
		t.Errorf("%d subscriptions of a session that is over", n)
	}
}

// TestAWriteTimeoutShorterThanThePings is noticed in its own time, not at the next ping.
func TestAWriteTimeoutShorterThanThePings(t *testing.T) {
	r := newRig(t, rigOptions{settings: Settings{WriteTimeout: 4 * time.Second}})
	c := r.joined("alice")
	c.say(subscribeTo("a"))
	r.advance(time.Second)
	c.stop()
	r.publish("a", "x")
	r.settle()
	r.advance(4*time.Second - time.Millisecond)
	if c.s.Closing() {
		t.Fatal("closed too early")
	}
	r.advance(4 * time.Second)
	if !c.s.Closing() {
		t.Error("not closed within twice the write timeout")
	}
}

// TestAClientHeldBackIsNotIdle has a client that reads 1 kB a second of what it asked for. Nothing is read from it
// meanwhile, so that its silence is none of its own.
func TestAClientHeldBackIsNotIdle(t *testing.T) {
	r := newRig(t, rigOptions{})
	c := r.joined("alice")
	c.stop()
	call := fmt.Sprintf(`{"type":"call","requestId":"e","method":"magpie.echo","text":%q}`, strings.Repeat("x", 60_000))
	c.say(slices.Repeat([]string{call}, 5)...)
	for range 60 {
		r.advance(5 * time.Second)
		c.take(1000)
		r.settle()
	}
	if c.s.Closing() {
		t.Fatalf("a client that reads slowly was closed: %v", c.hear())
	}
	if c.line.reading {
		t.Fatal("the session was not held back: the test shows nothing")
	}
	c.take(endless)
	r.settle()
	r.advance(90*time.Second - time.Millisecond)
	if c.s.Closing() || !c.line.reading {
		t.Fatal("closed too early after reading was resumed")
	}
	r.advance(time.Millisecond)
	closedWith(t, c, wire.CloseIdle)
}

func TestCredentialExpiry(t *testing.T) {
	r := newRig(t, rigOptions{})
	p := principal("alice")
	p.Expires = r.clock.now().Add(45 * time.Second).UnixMilli()
	c := r.open(p)
	c.say(subscribeTo("a"))
	if connected, ok := c.hear()[0].body().(*wire.Connected); !ok || connected.ExpiresAt != p.Expires {
		t.Fatalf("connected is %+v", connected)
	}
	r.advance(45*time.Second - time.Millisecond)
	if c.s.Closing() {
		t.Fatal("closed too early")
	}
	r.advance(time.Millisecond)
	closedWith(t, c, wire.CloseExpired)
	r.publish("a", "too late")
	r.settle()
	if events := c.hear(); len(events) != 0 {
		t.Errorf("after the end: %v", events)
	}
}

// TestACredentialThatExpiredBeforeTheFirstFrame may not do what that frame asks.
func TestACredentialThatExpiredBeforeTheFirstFrame(t *testing.T) {
	r := newRig(t, rigOptions{})
	p := principal("alice")
	p.Expires = r.clock.now().Add(time.Second).UnixMilli()
	subscriber, publisher := r.open(p), r.open(p)
	r.advance(2 * time.Second)
	subscriber.say(subscribeTo("a"))
	closedWith(t, subscriber, wire.CloseExpired)
	publisher.say(`{"type":"publish","requestId":"1","channel":"a","text":"x"}`)
	closedWith(t, publisher, wire.CloseExpired)
	if offset := r.publish("a", "first"); offset != 1 {
		t.Error("a message was published with a credential that had expired")
	}
	r.settle()
	if events := subscriber.hear(); len(events) != 0 {
		t.Errorf("after the close: %v", events)
	}
	if n := r.shard.Metrics.Subscriptions.Load(); n != 0 {
		t.Errorf("%d subscriptions of a session that is over", n)
	}
}

func TestGoodbye(t *testing.T) {
	r := newRig(t, rigOptions{})
	c, blocked, fresh := r.joined("alice"), r.joined("bob"), r.open(nil)
	c.say(subscribeTo("a"))
	blocked.say(subscribeTo("a"))
	blocked.line.room = 20
	r.publish("a", "before")
	r.settle()
	r.shard.Each(func(s *Session) { s.Goodbye(wire.CloseDraining, "draining", 3*time.Second) })
	r.publish("a", "after")
	r.settle()
	closedWith(t, c, wire.CloseDraining)
	closedWith(t, fresh, wire.CloseDraining)
	if blocked.line.shut != 0 {
		t.Error("a line was shut down before it took its goodbye")
	}
	blocked.take(endless)
	r.settle()
	events := blocked.hear()
	closing := events[len(events)-2].body().(*wire.Goodbye)
	if got := messages(events, "a"); !slices.Equal(got, offsets(1, 1)) || closing.RetryAfterMs != 3000 || blocked.line.shut == 0 {
		t.Errorf("a blocked line heard %v", events)
	}
	for _, c := range []*client{c, blocked, fresh} {
		c.say(`{"type":"ping"}`)
		c.s.Goodbye(wire.CloseDraining, "again", 0)
		if events := c.hear(); len(events) != 0 && c != c.rig.clients[0] {
			t.Errorf("after the end: %v", events)
		}
		r.advance(closeTimeout)
		if !c.line.closed {
			t.Error("a line whose client stays was not closed")
		}
		c.hang()
		c.hang()
	}
	if r.shard.Len() != 0 || r.hub.Metrics.Sessions.Load() != 0 {
		t.Errorf("%d sessions in the shard, %d in the hub", r.shard.Len(), r.hub.Metrics.Sessions.Load())
	}
}

// TestAnAnswerToATokenThatComesLate finds the session over, or gone and its slot in other hands.
func TestAnAnswerToATokenThatComesLate(t *testing.T) {
	r := newRig(t, rigOptions{})
	c := r.open(nil)
	c.tell(`{"type":"connect","requestId":"1","token":"token-bob"}`, `{"type":"ping","requestId":"2"}`)
	if len(c.pending) != 1 || c.line.reading {
		t.Error("frames are read while the token is looked at")
	}
	c.s.Goodbye(wire.CloseDraining, "draining", 0)
	other := r.open(nil)
	r.await("the token is looked at", func() bool { return len(c.hear()) > 0 || c.s.Closing() })
	if other.s.principal != nil || c.s.principal != nil {
		t.Error("a session that is over, or another, got the principal")
	}
	connected := r.open(nil)
	connected.tell(`{"type":"connect","requestId":"1","token":"token-bob"}`, `{"type":"ping","requestId":"2"}`)
	r.await("both are answered", func() bool { return len(connected.pending) == 0 })
	events := connected.hear()
	if len(events) != 2 || events[0].body().Type() != wire.TypeConnected || events[1].frame.RequestID != "2" {
		t.Errorf("heard %v", events)
	}
}
