package magpieclient

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestCallTakesTheResultInParts(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		var parts []string
		reply := begin(func() (*Reply, error) {
			return c.Call(t.Context(), "m", Payload{}, CallOptions{OnProgress: func(part Payload) {
				time.Sleep(time.Second)
				parts = append(parts, string(part.Bytes))
			}})
		})
		id := p.expect("call").id()
		began := time.Now()
		for n := range progressWindow {
			p.send(`{"type":"progress","requestId":%q,"text":"%d"}`, id, n)
		}
		if f := p.expect("credit"); f.id() != id || f["count"] != progressWindow/2.0 || time.Since(began) != progressWindow/2*time.Second {
			t.Errorf("after %v came %v", time.Since(began), f)
		}
		p.send(`{"type":"progress","requestId":%q,"text":"last"}`, id)
		p.send(`{"type":"reply","requestId":%q,"text":"done"}`, id)
		got, err := reply()
		if err != nil || string(got.Payload.Bytes) != "done" {
			t.Errorf("Call: %+v, %v", got, err)
		}
		if len(parts) != progressWindow+1 || parts[0] != "0" || parts[progressWindow] != "last" || !slices.IsSortedFunc(parts[:10], compareText) {
			t.Errorf("the parts are %v", parts)
		}
		p.finish(c)
	})
}

func compareText(a, b string) int { return len(a)*1000 + int(a[0]) - len(b)*1000 - int(b[0]) }

func TestPartsThatNobodyWantsGiveCredit(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		reply := begin(func() (*Reply, error) { return c.Call(t.Context(), "m", Payload{}, CallOptions{}) })
		id := p.expect("call").id()
		for range 4 {
			for range progressWindow / 2 {
				p.send(`{"type":"progress","requestId":%q}`, id)
			}
			if f := p.expect("credit"); f.id() != id || f["count"] != progressWindow/2.0 {
				t.Errorf("credit is %v", f)
			}
		}
		p.send(`{"type":"reply","requestId":%q}`, id)
		if _, err := reply(); err != nil {
			t.Errorf("Call: %v", err)
		}
		p.send(`{"type":"progress","requestId":%q}`, id) // nobody's
		p.finish(c)
	})
}

func TestMorePartsThanCreditEndTheCall(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		hold := make(chan struct{})
		reply := begin(func() (*Reply, error) {
			return c.Call(t.Context(), "m", Payload{}, CallOptions{OnProgress: func(Payload) { <-hold }})
		})
		id := p.expect("call").id()
		for range progressWindow + 2 { // the first is taken out at once
			p.send(`{"type":"progress","requestId":%q}`, id)
		}
		if f := p.expect("cancel"); f.id() != id {
			t.Errorf("cancel is %v", f)
		}
		close(hold)
		if _, err := reply(); CodeOf(err) != CodeInternal {
			t.Errorf("Call: %v", err)
		}
		p.finish(c)
	})
}

func TestPartsBeforeAnErrorAreTaken(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		taken := 0
		reply := begin(func() (*Reply, error) {
			return c.Call(t.Context(), "m", Payload{}, CallOptions{OnProgress: func(Payload) { taken++; time.Sleep(time.Second) }})
		})
		id := p.expect("call").id()
		for range 3 {
			p.send(`{"type":"progress","requestId":%q}`, id)
		}
		p.send(`{"type":"error","requestId":%q,"error":{"code":"data_loss","message":"the rest is gone"}}`, id)
		if _, err := reply(); CodeOf(err) != CodeDataLoss || taken != 3 {
			t.Errorf("Call: %v after %d parts", err, taken)
		}
		p.finish(c)
	})
}

func TestCallOfAll(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		for _, opts := range []CallOptions{{To: "user:42", Device: "phone", All: true}, {To: "channel:room.7"}} {
			reply := begin(func() (*Reply, error) { return c.Call(ctx, "ui.confirm", Payload{}, opts) })
			f := p.expect("call")
			if f["to"] != opts.To || (f["answers"] == "all") != opts.All || (f["device"] == "phone") != opts.All {
				t.Errorf("call is %v", f)
			}
			if f["timeoutMs"] != 3500.0 { // or the answers that there are would come too late
				t.Errorf("the gateway waits for %v ms", f["timeoutMs"])
			}
			p.send(`{"type":"reply","requestId":%q,"asked":3,"answers":[{"userId":"bob","sessionId":"s1","device":"phone","data":1},`+
				`{"userId":"eve","sessionId":"s2","error":{"code":"unimplemented","message":"what?"}}]}`, f.id())
			got, err := reply()
			if err != nil || got.Asked != 3 || len(got.Answers) != 2 {
				t.Fatalf("Call: %+v, %v", got, err)
			}
			bob, eve := got.Answers[0], got.Answers[1]
			if bob.UserID != "bob" || bob.SessionID != "s1" || bob.Device != "phone" || string(bob.Payload.Bytes) != "1" || bob.Err != nil {
				t.Errorf("the first answer is %+v", bob)
			}
			if eve.UserID != "eve" || CodeOf(eve.Err) != CodeUnimplemented {
				t.Errorf("the second answer is %+v", eve)
			}
		}
		p.finish(c)
	})
}

func TestCallChecksItsTarget(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		for _, opts := range []CallOptions{{To: "42"}, {To: "user:"}, {To: "channel:a b"}, {Device: "phone"}, {All: true}, {To: "session:1", All: true}} {
			if _, err := c.Call(t.Context(), "m", Payload{}, opts); CodeOf(err) != CodeInvalidArgument {
				t.Errorf("Call with %+v: %v", opts, err)
			}
		}
		p.finish(c)
	})
}

func TestTimeOfACall(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		for want, deadline := range map[float64]time.Duration{30_000: 0, 120_000: 2 * time.Minute, 1: time.Microsecond * 1500} {
			ctx, cancel := context.WithCancel(t.Context())
			if deadline > 0 {
				ctx, cancel = context.WithTimeout(t.Context(), deadline)
			}
			reply := begin(func() (*Reply, error) { return c.Call(ctx, "m", Payload{}, CallOptions{}) })
			f := p.expect("call")
			if f["timeoutMs"] != want {
				t.Errorf("with %v the gateway waits for %v ms", deadline, f["timeoutMs"])
			}
			p.send(`{"type":"reply","requestId":%q}`, f.id())
			if _, err := reply(); err != nil {
				t.Errorf("Call: %v", err)
			}
			cancel()
		}
		p.cut()
		synctest.Wait()
		reply := begin(func() (*Reply, error) { return c.Call(t.Context(), "m", Payload{}, CallOptions{}) })
		began := time.Now()
		p = g.welcome()
		f := p.expect("call")
		if want := (30*time.Second - time.Since(began)).Milliseconds(); f["timeoutMs"] != float64(want) {
			t.Errorf("after %v without a line the gateway waits for %v ms", time.Since(began), f["timeoutMs"])
		}
		p.send(`{"type":"reply","requestId":%q}`, f.id())
		if _, err := reply(); err != nil {
			t.Errorf("Call: %v", err)
		}
		p.finish(c)
	})
}

func TestSubscriptionsThatTheGatewayOpens(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		taken := make(chan *Subscription, 1)
		var seen []string
		var ended error
		opts := g.options()
		opts.OnSubscription = func(s *Subscription) {
			taken <- s
			for event, err := range s.Events(context.Background()) {
				if err != nil {
					ended = err
					return
				}
				seen = append(seen, describe(event))
			}
		}
		c, p := g.open(opts)
		p.send(`{"type":"subscribed","channel":"c","position":{"epoch":"k","offset":4},"tail":4}`)
		s := <-taken
		if s.Channel() != "c" || s.Position() != (Position{"k", 4}) {
			t.Errorf("the subscription is to %s at %s", s.Channel(), s.Position())
		}
		p.messages(5, 6)
		synctest.Wait()
		p.cut()
		p = g.welcome()
		f := p.expect("subscribe") // it is the client's from then on
		if f["channel"] != "c" || f.offset("from") != 6 {
			t.Errorf("subscribes again with %v", f)
		}
		p.subscribed(f, "k", 6, 7, true)
		p.messages(7, 7)
		p.finish(c)
		if got := fmt.Sprint(seen); got != "[5 6 7]" || !errors.Is(ended, ErrClosed) {
			t.Errorf("the events were %s, then %v", got, ended)
		}
	})
}
