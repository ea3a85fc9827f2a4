package magpieclient

import (
	"context"
	"fmt"
	"maps"
	"testing"
	"time"
)

// subscribePattern opens a subscription to order.*.
func subscribePattern(t *testing.T, c *Client, p *peer, opts SubscribeOptions) (*Subscription, frame) {
	t.Helper()
	opening := begin(func() (*Subscription, error) { return c.Subscribe(t.Context(), "order.*", opts) })
	f := p.expect("subscribe")
	p.pattern(f)
	s, err := opening()
	if err != nil {
		t.Fatal(err)
	}
	return s, f
}

// pattern answers the subscribe of a pattern.
func (p *peer) pattern(f frame) {
	p.send(`{"type":"subscribed","requestId":%q,"channel":%q,"position":{"epoch":"","offset":0},"tail":0,"recovered":false}`, f.id(), f["channel"])
}

// join tells of a channel that has joined.
func (p *peer) join(channel, pattern string, offset int) {
	p.send(`{"type":"subscribed","channel":%q,"pattern":%q,"position":{"epoch":"k","offset":%d},"tail":9,"recovered":true}`, channel, pattern, offset)
}

func (p *peer) message(channel string, offset int) {
	p.send(`{"type":"message","channel":%q,"offset":%d,"timestamp":1,"data":1}`, channel, offset)
}

// expectOf takes events and compares them with what is wanted, such as "order.a 3".
func expectOf(t *testing.T, s *Subscription, want ...string) {
	t.Helper()
	for _, event := range want {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		got, err := s.Next(ctx)
		cancel()
		if err != nil {
			t.Fatalf("%v, want %s", err, event)
		}
		channel := ""
		switch e := got.(type) {
		case *Message:
			channel = e.Channel
		case *Gap:
			channel = e.Channel
		}
		if got := channel + " " + describe(got); got != event {
			t.Errorf("got %s, want %s", got, event)
		}
	}
	if event, more := s.TryNext(); more {
		t.Errorf("one more event: %s", describe(event))
	}
}

func TestAPatternDeliversItsChannels(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		s, f := subscribePattern(t, c, p, SubscribeOptions{From: Last(1)})
		if got := fmt.Sprint(f["channel"], f["from"], f["positions"]); got != "order.*map[last:1] <nil>" {
			t.Errorf("asked for %s", got)
		}
		p.join("order.a", "order.*", 4)
		p.message("order.a", 5)
		p.join("order.b", "order.*", 0)
		p.message("order.b", 1)
		p.message("price.a", 1) // of nothing that was subscribed
		p.message("order.a", 5) // again
		p.message("order.a", 8) // without a word of what is missing
		p.send(`{"type":"gap","channel":"order.b","epoch":"k","fromOffset":2,"toOffset":3,"reason":"retention"}`)
		expectOf(t, s, "order.a 5", "order.b 1", "order.a 6..7 unexplained", "order.a 8", "order.b 2..3 retention")
		want := map[string]Position{"order.a": {"k", 8}, "order.b": {"k", 3}}
		if got := s.Positions(); !maps.Equal(got, want) {
			t.Errorf("stands at %v, want %v", got, want)
		}
		if stats := s.Stats(); stats.Repeated != 1 || stats.Unexplained != 1 || s.Channel() != "order.*" {
			t.Errorf("stats of %s: %+v", s.Channel(), stats)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if f := p.expect("unsubscribe"); f["channel"] != "order.*" {
			t.Errorf("unsubscribes %v", f["channel"])
		}
		p.message("order.a", 9)
		p.finish(c)
	})
}

func TestAPatternGoesOnAfterABrokenLine(t *testing.T) {
	for _, resumed := range []bool{false, true} {
		t.Run(fmt.Sprint("resumed ", resumed), func(t *testing.T) {
			inBubble(t, func(t *testing.T, g *gateway) {
				c, p := g.openResumable()
				s, _ := subscribePattern(t, c, p, SubscribeOptions{})
				p.join("order.a", "order.*", 4)
				p.message("order.a", 5)
				expectOf(t, s, "order.a 5")
				p.cut()
				p = g.accept()
				connect := p.expect("connect")
				if got := connect.positions(); len(got) != 0 {
					t.Errorf("the connect frame has positions %v", got)
				}
				p.greetWithToken(connect, resumed)
				if resumed { // what the gateway brings back unasked is begun anew
					p.send(`{"type":"subscribed","channel":"order.*","position":{"epoch":"","offset":0},"tail":0,"recovered":false}`)
					p.join("order.a", "order.*", 9)
					p.message("order.a", 10)
					p.expect("unsubscribe")
				}
				f := p.expect("subscribe")
				if got := fmt.Sprint(f["from"], f["positions"]); got != "map[offset:0] map[order.a:map[epoch:k offset:5]]" {
					t.Errorf("goes on with %s", got)
				}
				p.pattern(f)
				p.join("order.a", "order.*", 5)
				p.message("order.a", 6)
				p.join("order.new", "order.*", 0)
				p.message("order.new", 1)
				expectOf(t, s, "order.a 6", "order.new 1")
				p.finish(c)
			})
		})
	}
}

func TestAPatternBesideASubscription(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		own := subscribe(t, c, p, Now()) // of c
		opening := begin(func() (*Subscription, error) { return c.Subscribe(t.Context(), ">", SubscribeOptions{}) })
		p.pattern(p.expect("subscribe"))
		all, err := opening()
		if err != nil {
			t.Fatal(err)
		}
		p.messages(1, 1)
		p.join("c", ">", 1)
		p.messages(2, 2)
		expectOf(t, own, "c 1", "c 2")
		expectOf(t, all, "c 2")
		p.send(`{"type":"unsubscribed","channel":"full","code":"resource_exhausted","reason":"no room"}`)
		p.messages(3, 3)
		expectOf(t, all, "c 3")
		p.finish(c)
	})
}

func TestAPatternGoesOnFromPositions(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		if _, err := c.Subscribe(t.Context(), "order.*", SubscribeOptions{From: At(Position{"k", 1})}); err == nil {
			t.Error("a pattern took a position of its own")
		}
		saved := map[string]Position{"order.a": {"k", 5}, "order.b": {"old", 7}}
		s, f := subscribePattern(t, c, p, SubscribeOptions{From: After(0), Positions: saved})
		if got := fmt.Sprint(f["from"], f["positions"]); got != "map[offset:0] map[order.a:map[epoch:k offset:5] order.b:map[epoch:old offset:7]]" {
			t.Errorf("asked for %s", got)
		}
		p.join("order.a", "order.*", 5)
		p.join("order.b", "order.*", 0)
		p.send(`{"type":"gap","channel":"order.b","epoch":"k","fromOffset":1,"toOffset":0,"reason":"epoch"}`)
		p.message("order.b", 1)
		p.message("order.a", 6)
		expectOf(t, s, "order.b 1..0 epoch", "order.b 1", "order.a 6")
		if got, want := s.Positions(), (map[string]Position{"order.a": {"k", 6}, "order.b": {"k", 1}}); !maps.Equal(got, want) {
			t.Errorf("stands at %v, want %v", got, want)
		}
		p.finish(c)
	})
}

// TestAPatternWithASlowConsumer checks that nothing is lost or repeated when a pattern steps aside for others.
func TestAPatternWithASlowConsumer(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		opts := g.options()
		opts.Buffer = 2
		c, p := g.open(opts)
		s, _ := subscribePattern(t, c, p, SubscribeOptions{})
		p.join("order.a", "order.*", 0)
		for i := 1; i <= 4; i++ {
			p.message("order.a", i)
		}
		if f := p.expect("unsubscribe"); f["channel"] != "order.*" {
			t.Errorf("steps aside from %v", f["channel"])
		}
		expectOf(t, s, "order.a 1", "order.a 2")
		f := p.expect("subscribe")
		if got := fmt.Sprint(f["positions"]); got != "map[order.a:map[epoch:k offset:2]]" {
			t.Errorf("goes on from %s", got)
		}
		p.pattern(f)
		p.join("order.a", "order.*", 2)
		p.message("order.a", 3)
		expectOf(t, s, "order.a 3")
		p.finish(c)
	})
}
