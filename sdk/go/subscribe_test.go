package magpieclient

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// subscribe opens a subscription to channel c that begins after offset 0 of epoch k.
func subscribe(t *testing.T, c *Client, p *peer, from Start) *Subscription {
	t.Helper()
	opening := begin(func() (*Subscription, error) {
		return c.Subscribe(t.Context(), "c", SubscribeOptions{From: from})
	})
	p.subscribed(p.expect("subscribe"), "k", 0, 0, false)
	s, err := opening()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// describe shows an event shortly: 3 is a message, 2..3 retention a gap.
func describe(e Event) string {
	switch e := e.(type) {
	case *Message:
		return fmt.Sprint(e.Position.Offset)
	case *Gap:
		return fmt.Sprintf("%d..%d %s", e.FromOffset, e.ToOffset, e.Reason)
	}
	return "nothing"
}

// expectEvents takes that many events and compares them.
func expectEvents(t *testing.T, s *Subscription, want ...string) {
	t.Helper()
	for i, event := range want {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		got, err := s.Next(ctx)
		cancel()
		if err != nil {
			t.Fatalf("event %d: %v, want %s", i, err, event)
		}
		if describe(got) != event {
			t.Errorf("event %d is %s, want %s", i, describe(got), event)
		}
	}
	if event, more := s.TryNext(); more {
		t.Errorf("one more event: %s", describe(event))
	}
}

func TestSubscriptionDelivers(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		s := subscribe(t, c, p, Now())
		p.send(`{"type":"message","channel":"c","offset":1,"messageId":"m","key":"k1","publisher":"ann","timestamp":1789000000000,` +
			`"tags":{"a":"b"},"meta":{"x":"y"},"base64":"AQI="}`)
		event, err := s.Next(t.Context())
		m, ok := event.(*Message)
		if err != nil || !ok {
			t.Fatalf("Next = %v, %v", event, err)
		}
		if m.Channel != "c" || m.Position != (Position{"k", 1}) || m.ID != "m" || m.Key != "k1" || m.Publisher != "ann" ||
			m.Time.UnixMilli() != 1789000000000 || m.Tags["a"] != "b" || m.Meta["x"] != "y" ||
			m.Payload.Kind != PayloadBytes || string(m.Payload.Bytes) != "\x01\x02" {
			t.Errorf("message is %+v", m)
		}
		if s.Position() != m.Position {
			t.Errorf("Position() = %v, want %v", s.Position(), m.Position)
		}
		p.messages(2, 4)
		synctest.Wait()
		if s.Position().Offset != 1 {
			t.Errorf("Position() = %v before the messages were taken", s.Position())
		}
		expectEvents(t, s, "2", "3", "4")
		p.finish(c)
		if _, err := s.Next(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("Next after Close: %v", err)
		}
	})
}

// A payload must not change when the decoder goes on.
func TestEventsAreTheReceiversToKeep(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		s := subscribe(t, c, p, Now())
		for n := 1; n <= 100; n++ { // encoded, so that the decoder needs memory of its own
			p.send(`{"type":"message","channel":"c","offset":%d,"timestamp":1,"base64":%q}`, n, base64.StdEncoding.EncodeToString(fmt.Append(nil, n)))
		}
		n := 0
		var kept []*Message
		for event, err := range s.Events(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			m, _ := event.(*Message)
			kept = append(kept, m)
			if n++; n == 100 {
				break
			}
		}
		for i, m := range kept {
			if want := fmt.Sprint(i + 1); string(m.Payload.Bytes) != want {
				t.Errorf("message %d holds %s, want %s", i+1, m.Payload.Bytes, want)
			}
		}
		p.finish(c)
	})
}

func TestStartsAreSentAsGiven(t *testing.T) {
	for want, from := range map[string]Start{
		"map[]":                   Now(),
		"map[epoch:k3 offset:41]": At(Position{"k3", 41}),
		"map[offset:0]":           After(0),
		"map[last:5]":             Last(5),
		"map[time:1.789e+12]":     Since(time.UnixMilli(1789000000000)),
	} {
		inBubble(t, func(t *testing.T, g *gateway) {
			c, p := g.open(g.options())
			opening := begin(func() (*Subscription, error) {
				return c.Subscribe(t.Context(), "c", SubscribeOptions{From: from})
			})
			f := p.expect("subscribe")
			got, _ := f["from"].(map[string]any)
			if fmt.Sprint(got) != want {
				t.Errorf("from is %v, want %s", got, want)
			}
			p.subscribed(f, "k3", 41, 41, true)
			if _, err := opening(); err != nil {
				t.Error(err)
			}
			p.finish(c)
		})
	}
}

func TestSubscriptionContinuesOverABrokenLine(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		s := subscribe(t, c, p, Last(3))
		p.messages(1, 3)
		synctest.Wait()
		p.cut()
		p = g.welcome()
		f := p.expect("subscribe")
		if f.offset("from") != 3 {
			t.Errorf("continues with %v, want after 3", f)
		}
		p.messages(4, 4) // before subscribed: of nobody's cursor
		p.subscribed(f, "k", 3, 5, true)
		p.messages(2, 5) // 2 and 3 again
		expectEvents(t, s, "1", "2", "3", "4", "5")
		if stats := s.Stats(); stats.Repeated != 2 || stats.Unexplained != 0 {
			t.Errorf("stats are %+v", stats)
		}
		p.finish(c)
	})
}

// What answers a subscribe that was given up must not open the one that came after it.
func TestStaleAnswerOpensNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Subscribe(ctx, "c", SubscribeOptions{}); err == nil {
			t.Error("Subscribe succeeded without an answer")
		}
		opening := begin(func() (*Subscription, error) { return c.Subscribe(t.Context(), "c", SubscribeOptions{}) })
		stale := p.expect("subscribe")
		p.expect("unsubscribe")
		f := p.expect("subscribe")
		p.subscribed(stale, "k", 0, 0, false)
		p.messages(1, 1)
		p.subscribed(f, "k", 1, 1, false)
		s, err := opening()
		if err != nil {
			t.Fatal(err)
		}
		p.messages(2, 2)
		expectEvents(t, s, "2")
		p.finish(c)
	})
}

func TestPositionFramesMoveWhatIsAskedFor(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		s := subscribe(t, c, p, Now())
		p.send(`{"type":"message","channel":"c","offset":7,"prev":0,"timestamp":1,"text":"x"}`)
		p.send(`{"type":"message","channel":"c","offset":9,"prev":7,"timestamp":1,"text":"x"}`)
		p.send(`{"type":"position","channel":"c","position":{"epoch":"k","offset":1041}}`)
		p.send(`{"type":"message","channel":"c","offset":1050,"prev":1041,"timestamp":1,"text":"x"}`)
		expectEvents(t, s, "1..6 unexplained", "7", "9", "1050")
		p.send(`{"type":"position","channel":"c","position":{"epoch":"k","offset":2041}}`)
		synctest.Wait()
		if event, more := s.TryNext(); more || s.Position().Offset != 2041 {
			t.Errorf("TryNext = %v, at %v; want nothing, at 2041", event, s.Position())
		}
		p.cut()
		p = g.welcome()
		f := p.expect("subscribe")
		if f.offset("from") != 2041 {
			t.Errorf("continues with %v, want after 2041", f)
		}
		p.finish(c)
	})
}

func TestGaps(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		s := subscribe(t, c, p, At(Position{"k", 0}))
		p.messages(1, 1)
		p.send(`{"type":"gap","channel":"c","epoch":"k","fromOffset":2,"toOffset":9,"reason":"retention"}`)
		p.messages(10, 10)
		p.messages(13, 13)
		expectEvents(t, s, "1", "2..9 retention", "10", "11..12 unexplained", "13")
		p.send(`{"type":"gap","channel":"c","epoch":"k","fromOffset":14,"toOffset":20,"reason":"damage"}`)
		p.messages(21, 21)
		expectEvents(t, s, "14..20 damage", "21")
		if stats := s.Stats(); stats.Unexplained != 1 {
			t.Errorf("stats are %+v", stats)
		}
		p.send(`{"type":"gap","channel":"c","epoch":"k9","fromOffset":1,"toOffset":4,"reason":"epoch"}`)
		p.messages(5, 5)
		expectEvents(t, s, "1..4 epoch", "5")
		if want := (Position{"k9", 5}); s.Position() != want {
			t.Errorf("Position() = %v, want %v", s.Position(), want)
		}
		p.finish(c)
	})
}

// After an outage the gateway begins elsewhere than it was asked to, and says why.
func TestGapsAfterSubscribed(t *testing.T) {
	for _, test := range []struct {
		name, epoch string
		begins      int
		gap         string
		want        []string
	}{
		{"retention", "k", 7, `"epoch":"k","fromOffset":4,"toOffset":7,"reason":"retention"`, []string{"4..7 retention", "8", "9"}},
		{"retention, told before it is skipped", "k", 3, `"epoch":"k","fromOffset":4,"toOffset":7,"reason":"retention"`, []string{"4..7 retention", "8", "9"}},
		{"epoch", "k2", 7, `"epoch":"k2","fromOffset":1,"toOffset":7,"reason":"epoch"`, []string{"1..7 epoch", "8", "9"}},
		{"beyond the tail", "k", 1, `"epoch":"k","fromOffset":2,"toOffset":3,"reason":"beyond_tail"`, []string{"2..3 beyond_tail", "2", "3"}},
		{"none, by fault", "k2", 7, "", []string{"7..7 unexplained", "8", "9"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, g *gateway) {
				c, p := g.open(g.options())
				s := subscribe(t, c, p, Now())
				p.messages(1, 3)
				expectEvents(t, s, "1", "2", "3")
				p.cut()
				p = g.welcome()
				p.subscribed(p.expect("subscribe"), test.epoch, test.begins, 9, false)
				first := test.begins + 1
				if test.gap != "" {
					p.send(`{"type":"gap","channel":"c",%s}`, test.gap)
				}
				if test.name == "retention, told before it is skipped" {
					first = 8
				}
				p.messages(first, first+1)
				expectEvents(t, s, test.want...)
				if s.Position() != (Position{test.epoch, uint64(first + 1)}) {
					t.Errorf("Position() = %v", s.Position())
				}
				p.finish(c)
			})
		})
	}
}

func TestGatewayEndsASubscription(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		s := subscribe(t, c, p, Now())
		p.messages(1, 2)
		p.send(`{"type":"unsubscribed","channel":"c","code":"permission_denied","reason":"revoked"}`)
		synctest.Wait()
		for _, want := range []string{"1", "2"} {
			if event, err := s.Next(t.Context()); err != nil || describe(event) != want {
				t.Errorf("Next = %v, %v, want %s", event, err, want)
			}
		}
		for range 2 {
			if _, err := s.Next(t.Context()); CodeOf(err) != CodePermissionDenied || !strings.Contains(err.Error(), "revoked") {
				t.Errorf("Next after the end: %v", err)
			}
		}
		p.finish(c)
	})
}

func TestSubscribeRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		opening := begin(func() (*Subscription, error) { return c.Subscribe(t.Context(), "c", SubscribeOptions{}) })
		p.send(`{"type":"error","requestId":%q,"error":{"code":"unavailable","message":"later","retryable":true,"retryAfterMs":900}}`,
			p.expect("subscribe").id())
		refused := time.Now()
		f := p.expect("subscribe")
		if waited := time.Since(refused); waited != 900*time.Millisecond {
			t.Errorf("asked again after %v, want 900ms", waited)
		}
		p.send(`{"type":"error","requestId":%q,"error":{"code":"permission_denied","message":"no"}}`, f.id())
		if _, err := opening(); CodeOf(err) != CodePermissionDenied {
			t.Errorf("Subscribe: %v", err)
		}
		p.finish(c)
	})
}

func TestSubscribeEndsWithItsContext(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		opening := begin(func() (*Subscription, error) { return c.Subscribe(ctx, "c", SubscribeOptions{}) })
		p.expect("subscribe")
		p.expect("unsubscribe")
		if _, err := opening(); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Subscribe: %v", err)
		}
		s := subscribe(t, c, p, Now())
		if _, err := c.Subscribe(t.Context(), "c", SubscribeOptions{}); CodeOf(err) != CodeAlreadyExists {
			t.Errorf("a second subscription: %v", err)
		}
		s.Close()
		p.expect("unsubscribe")
		if _, err := s.Next(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("Next after Close: %v", err)
		}
		subscribe(t, c, p, Now()).Close()
		p.expect("unsubscribe")
		p.finish(c)
	})
}

func TestNextEndsWithItsContext(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		s := subscribe(t, c, p, Now())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Next: %v", err)
		}
		p.messages(1, 1)
		expectEvents(t, s, "1")
		p.finish(c)
	})
}

func TestPositionsAreReadAsWritten(t *testing.T) {
	p := Position{"k3", 41}
	if got, err := ParsePosition(p.String()); err != nil || got != p {
		t.Errorf("ParsePosition(%q) = %v, %v", p, got, err)
	}
	for _, bad := range []string{"", "41", ":41", "k3:", "k3:-1", "k3:9007199254740992"} {
		if got, err := ParsePosition(bad); err == nil {
			t.Errorf("ParsePosition(%q) = %v", bad, got)
		}
	}
}

// TestSkippedMessagesAreNoGap shows that prev and position explain what is skipped, that the position goes along, and that a
// prev beyond it does not.
func TestSkippedMessagesAreNoGap(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		s := subscribe(t, c, p, After(0))
		p.send(`{"type":"position","channel":"c","position":{"epoch":"k","offset":3}}`)
		p.messages(4, 4)
		p.send(`{"type":"message","channel":"c","offset":9,"prev":4,"timestamp":1}`)
		p.send(`{"type":"position","channel":"c","position":{"epoch":"k","offset":2000}}`)
		expectEvents(t, s, "4", "9")
		synctest.Wait()
		expectEvents(t, s)
		if s.Position() != (Position{"k", 2000}) {
			t.Errorf("Position() = %v after a position frame", s.Position())
		}
		p.cut()
		p = g.welcome()
		f := p.expect("subscribe")
		if f.offset("from") != 2000 {
			t.Errorf("the client comes back with %v", f)
		}
		p.subscribed(f, "k", 2000, 2000, true)
		p.send(`{"type":"message","channel":"c","offset":2009,"prev":2003,"timestamp":1}`)
		expectEvents(t, s, "2001..2003 "+GapUnexplained, "2009")
		p.finish(c)
	})
}
