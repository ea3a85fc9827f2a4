package magpieclient

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// greetWithToken accepts a connect, as a session that can be resumed, or that was.
func (p *peer) greetWithToken(connect frame, resumed bool) {
	p.send(`{"type":"connected","requestId":%q,"sessionId":"s1","resumeToken":"secret","resumed":%t,"heartbeat":{"intervalMs":30000,"timeoutMs":90000},`+
		`"limits":{"frameBytes":1000}}`, connect.id(), resumed)
}

// openResumable makes a client with a session that can be resumed.
func (g *gateway) openResumable() (*Client, *peer) {
	g.t.Helper()
	c, err := New(g.options())
	if err != nil {
		g.t.Fatal(err)
	}
	p := g.accept()
	p.greetWithToken(p.expect("connect"), false)
	return c, p
}

// positions are those of a connect frame.
func (f frame) positions() map[string]any {
	resume, _ := f["resume"].(map[string]any)
	positions, _ := resume["positions"].(map[string]any)
	return positions
}

func TestResumedSessionIsNotSubscribedAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.openResumable()
		s := subscribe(t, c, p, Now())
		p.messages(1, 2)
		expectEvents(t, s, "1", "2")
		p.cut()
		p = g.accept()
		connect := p.expect("connect")
		if got := fmt.Sprint(connect["resume"]); got != "map[positions:map[c:map[epoch:k offset:2]] token:secret]" {
			t.Errorf("resumes with %s", got)
		}
		p.greetWithToken(connect, true)
		p.send(`{"type":"subscribed","channel":"c","position":{"epoch":"k","offset":2},"tail":3,"recovered":true}`)
		p.messages(3, 3)
		expectEvents(t, s, "3")
		other := begin(func() (*Subscription, error) { return c.Subscribe(t.Context(), "d", SubscribeOptions{}) })
		if f := p.expect("subscribe"); f["channel"] != "d" { // the first that the client asks for
			t.Errorf("subscribes to %v", f["channel"])
		} else {
			p.subscribed(f, "k", 0, 0, false)
		}
		if _, err := other(); err != nil {
			t.Error(err)
		}
		p.finish(c)
	})
}

func TestSessionThatIsGoneIsSubscribedAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.openResumable()
		s := subscribe(t, c, p, Now())
		p.messages(1, 2)
		p.cut()
		p = g.accept()
		p.greetWithToken(p.expect("connect"), false)
		f := p.expect("subscribe")
		if f.offset("from") != 2 {
			t.Errorf("goes on from %v, want 2", f["from"])
		}
		p.subscribed(f, "k", 2, 2, true)
		p.messages(3, 3)
		expectEvents(t, s, "1", "2", "3")
		p.finish(c)
	})
}

func TestWhatWasClosedMeanwhileIsUnsubscribed(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.openResumable()
		s := subscribe(t, c, p, Now())
		p.cut()
		p = g.accept()
		connect := p.expect("connect")
		s.Close()
		p.greetWithToken(connect, true)
		p.send(`{"type":"subscribed","channel":"c","position":{"epoch":"k","offset":0},"tail":0,"recovered":true}`)
		if f := p.expect("unsubscribe"); f["channel"] != "c" {
			t.Errorf("unsubscribes from %v", f["channel"])
		}
		p.finish(c)
	})
}

func TestResumedSubscriptionMayBeRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.openResumable()
		s := subscribe(t, c, p, Now())
		p.cut()
		p = g.accept()
		p.greetWithToken(p.expect("connect"), true)
		p.send(`{"type":"unsubscribed","channel":"c","code":"unavailable","reason":"the disk is full"}`)
		p.subscribed(p.expect("subscribe"), "k", 0, 0, true) // again, by itself
		p.messages(1, 1)
		expectEvents(t, s, "1")
		p.cut()
		p = g.accept()
		p.greetWithToken(p.expect("connect"), true)
		p.send(`{"type":"unsubscribed","channel":"c","code":"permission_denied","reason":"no right any more"}`)
		if _, err := s.Next(t.Context()); CodeOf(err) != CodePermissionDenied {
			t.Errorf("Next: %v", err)
		}
		p.finish(c)
	})
}

func TestSessionIsNotTakenBackFromAnotherLine(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.openResumable()
		p.send(`{"type":"goodbye","code":4009,"reason":"the session goes on on another line"}`)
		synctest.Wait()
		p.close(4009)
		p = g.accept()
		connect := p.expect("connect")
		if resume, there := connect["resume"]; there {
			t.Errorf("resumes with %v", resume)
		}
		p.greetWithToken(connect, false)
		p.finish(c)
	})
}

// TestPositionsFitIntoTheFrame has more subscriptions than the gateway's frames have room for.
func TestPositionsFitIntoTheFrame(t *testing.T) {
	const channels = 30
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.openResumable()
		for i := range channels {
			opening := begin(func() (*Subscription, error) {
				return c.Subscribe(t.Context(), fmt.Sprint("t.", strings.Repeat("x", 50), i), SubscribeOptions{})
			})
			p.subscribed(p.expect("subscribe"), "k", 0, 0, false)
			if _, err := opening(); err != nil {
				t.Fatal(err)
			}
		}
		p.cut()
		p = g.accept()
		connect := p.expect("connect")
		p.greetWithToken(connect, true)
		asked := connect.positions()
		if len(asked) == 0 || len(asked) == channels {
			t.Errorf("%d positions are sent of %d", len(asked), channels)
		}
		for range channels - len(asked) {
			f := p.expect("subscribe")
			if _, twice := asked[f["channel"].(string)]; twice {
				t.Errorf("subscribes to %v, whose position it sent", f["channel"])
			}
			asked[f["channel"].(string)] = true
		}
		time.Sleep(time.Second)
		p.finish(c)
	})
}
