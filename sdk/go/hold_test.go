package magpieclient

import (
	"testing"
	"testing/synctest"
	"time"
)

// stream sends the messages from..to of channel c beside the test: the client may not take them. It ends with the line.
func (p *peer) stream(from, to int) {
	go func() {
		for offset := from; offset <= to; offset++ {
			if p.trySend(`{"type":"message","channel":"c","offset":%d,"timestamp":1,"data":%d}`, offset, offset) != nil {
				return
			}
		}
	}()
}

func TestSlowConsumerHoldsTheLine(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		opts := g.options()
		opts.Buffer = 4
		c, p := g.open(opts)
		s := subscribe(t, c, p, Now())
		p.stream(1, 100)
		for want := uint64(1); want <= 100; want++ {
			time.Sleep(time.Second)
			event, err := s.Next(t.Context())
			if m, ok := event.(*Message); err != nil || !ok || m.Position.Offset != want {
				t.Fatalf("event %d is %v, %v", want, event, err)
			}
		}
		if stats := s.Stats(); stats != (Stats{}) {
			t.Errorf("stats are %+v; holding the line costs nothing", stats)
		}
		p.finish(c)
	})
}

// Whoever waits for an answer must not wait for a consumer: here they are the same goroutine.
func TestFullSubscriptionStepsAsideForAPublish(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		opts := g.options()
		opts.Buffer = 4
		c, p := g.open(opts)
		s := subscribe(t, c, p, Now())
		p.stream(1, 6)
		synctest.Wait() // four are queued, and the reader holds the fifth
		published := begin(func() (Published, error) { return c.Publish(t.Context(), "d", Publication{}) })
		parked := p.expect("publish")
		if f := p.expect("unsubscribe"); f["channel"] != "c" {
			t.Errorf("unsubscribe is %v", f)
		}
		p.published(parked, 1)
		if _, err := published(); err != nil {
			t.Errorf("Publish: %v", err)
		}
		for _, want := range []string{"1", "2"} {
			if event, err := s.Next(t.Context()); err != nil || describe(event) != want {
				t.Errorf("Next = %v, %v, want %s", event, err, want)
			}
		}
		f := p.expect("subscribe")
		if f.offset("from") != 4 {
			t.Errorf("continues with %v, want after 4", f)
		}
		p.subscribed(f, "k", 4, 6, true)
		p.stream(5, 6)
		expectEvents(t, s, "3", "4", "5", "6")
		if stats := s.Stats(); stats != (Stats{Parked: 1}) {
			t.Errorf("stats are %+v", stats)
		}
		p.finish(c)
	})
}

func TestStuckConsumerStepsAside(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		opts := g.options()
		opts.Buffer = 2
		c, p := g.open(opts)
		s := subscribe(t, c, p, Now())
		p.stream(1, 4)
		began := time.Now()
		p.expect("unsubscribe")
		if held := time.Since(began); held != holdLimit {
			t.Errorf("held for %v, want %v", held, holdLimit)
		}
		p.expect("ping") // the line lives on
		p.send(`{"type":"pong"}`)
		expectParked(t, s, p)
		p.finish(c)
	})
}

// A parked subscription is not opened again by a new line, but by its consumer.
func TestParkedSubscriptionOutlivesTheLine(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		opts := g.options()
		opts.Buffer = 2
		c, p := g.open(opts)
		s := subscribe(t, c, p, Now())
		p.stream(1, 4)
		p.expect("unsubscribe")
		p.cut()
		p = g.welcome()
		p.expect("ping") // and no subscribe before it
		p.send(`{"type":"pong"}`)
		expectParked(t, s, p)
		p.finish(c)
	})
}

// expectParked drains a subscription that was parked with messages 1 and 2, up to message 4.
func expectParked(t *testing.T, s *Subscription, p *peer) {
	t.Helper()
	event, err := s.Next(t.Context())
	if err != nil || describe(event) != "1" {
		t.Errorf("Next = %v, %v, want 1", event, err)
	}
	f := p.expect("subscribe")
	if f.offset("from") != 2 {
		t.Errorf("continues with %v, want after 2", f)
	}
	p.subscribed(f, "k", 2, 4, true)
	p.stream(3, 4)
	expectEvents(t, s, "2", "3", "4")
}

// A gap that found no room must be told later, although delivery would begin behind it.
func TestGapIsNotLostWhenThereIsNoRoom(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		opts := g.options()
		opts.Buffer = 2
		c, p := g.open(opts)
		s := subscribe(t, c, p, Now())
		p.messages(1, 2)
		synctest.Wait()
		p.cut()
		p = g.welcome()
		p.subscribed(p.expect("subscribe"), "k2", 7, 9, false)
		gap := `{"type":"gap","channel":"c","epoch":"k2","fromOffset":1,"toOffset":7,"reason":"epoch"}`
		p.send("%s", gap)
		p.expect("unsubscribe")
		if event, err := s.Next(t.Context()); err != nil || describe(event) != "1" {
			t.Errorf("Next = %v, %v, want 1", event, err)
		}
		f := p.expect("subscribe")
		if from, _ := f["from"].(map[string]any); from["epoch"] != "k" || from["offset"] != 2.0 {
			t.Errorf("continues with %v, want after k:2", f)
		}
		p.subscribed(f, "k2", 7, 9, false)
		p.send("%s", gap)
		p.messages(8, 8)
		expectEvents(t, s, "2", "1..7 epoch", "8")
		p.finish(c)
	})
}

// The consumer may have made room before it could see that the subscription is parked: nobody would open it again.
func TestParkingLooksForRoomItself(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		s := subscribe(t, c, p, Now())
		c.mu.Lock()
		l := c.line
		c.mu.Unlock()
		c.park(l, s)
		p.expect("unsubscribe")
		p.subscribed(p.expect("subscribe"), "k", 0, 0, true)
		p.messages(1, 1)
		expectEvents(t, s, "1")
		p.finish(c)
	})
}
