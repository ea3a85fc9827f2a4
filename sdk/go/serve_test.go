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

// echo answers with what it is given.
func echo(_ context.Context, r *Request) (Payload, error) { return r.Payload, nil }

// serve serves a method, which the gateway accepts.
func serve(t *testing.T, c *Client, p *peer, handler Handler, concurrency int) *Service {
	t.Helper()
	served := begin(func() (*Service, error) {
		return c.Serve(t.Context(), "pricing.quote", handler, ServeOptions{Concurrency: concurrency})
	})
	p.served(p.expect("serve"))
	s, err := served()
	if err != nil {
		t.Fatalf("Serve: %v", err)
	}
	return s
}

// served answers a serve frame.
func (p *peer) served(f frame) {
	p.t.Helper()
	p.send(`{"type":"served","requestId":%q,"method":%q}`, f.id(), f["method"])
}

// call sends a call of the method that serve serves.
func (p *peer) call(id string) {
	p.t.Helper()
	p.send(`{"type":"call","requestId":%q,"method":"pricing.quote","caller":{"userId":"ann","sessionId":"s7"},"timeoutMs":3000,`+
		`"meta":{"trace":"t1"},"data":{"n":%q}}`, id, id)
}

// errorCode is the code of an error frame.
func (f frame) errorCode() any {
	body, _ := f["error"].(map[string]any)
	return body["code"]
}

func TestServe(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		called := make(chan *Request, 1)
		served := begin(func() (*Service, error) {
			return c.Serve(t.Context(), "pricing.quote", func(_ context.Context, r *Request) (Payload, error) {
				called <- r
				return JSON([]byte(`{"price":9}`)), nil
			}, ServeOptions{Concurrency: 8})
		})
		f := p.expect("serve")
		if f["method"] != "pricing.quote" || f["concurrency"] != 8.0 {
			t.Errorf("serve is %v", f)
		}
		p.served(f)
		s, err := served()
		if err != nil || s.Method() != "pricing.quote" || s.Err() != nil {
			t.Fatalf("Serve: %v, %v", s, err)
		}
		p.call("s9")
		reply := p.expect("reply")
		data, _ := reply["data"].(map[string]any)
		if reply.id() != "s9" || data["price"] != 9.0 {
			t.Errorf("the reply is %v", reply)
		}
		r := <-called
		if r.Method != "pricing.quote" || r.Caller != (Caller{"ann", "s7"}) || r.Meta["trace"] != "t1" || string(r.Payload.Bytes) != `{"n":"s9"}` {
			t.Errorf("the request is %+v", r)
		}
		if _, err := c.Serve(t.Context(), "pricing.quote", echo, ServeOptions{}); CodeOf(err) != CodeAlreadyExists {
			t.Errorf("Serve again: %v", err)
		}
		closed := begin(func() (bool, error) { return true, s.Close(t.Context()) })
		f = p.expect("unserve")
		p.call("s10") // had been sent before the gateway knew
		p.expect("reply")
		p.send(`{"type":"unserved","requestId":%q,"method":"pricing.quote"}`, f.id())
		if _, err := closed(); err != nil || !errors.Is(s.Err(), ErrClosed) {
			t.Errorf("Close: %v; then %v", err, s.Err())
		}
		<-s.Done()
		p.call("s11")
		if refusal := p.expect("error"); refusal.id() != "s11" || refusal.errorCode() != "unimplemented" {
			t.Errorf("after Close a call is answered with %v", refusal)
		}
		p.finish(c)
	})
}

func TestServeChecksItsArguments(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		for method, concurrency := range map[string]int{"a b": 1, "": 1, "a": -1, "b": 10_001} {
			if _, err := c.Serve(t.Context(), method, echo, ServeOptions{Concurrency: concurrency}); CodeOf(err) != CodeInvalidArgument {
				t.Errorf("Serve %q with %d: %v", method, concurrency, err)
			}
		}
		p.finish(c)
	})
}

func TestServeTellsWhyItIsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		for range 2 { // the first leaves nothing behind
			served := begin(func() (*Service, error) { return c.Serve(t.Context(), "m", echo, ServeOptions{}) })
			f := p.expect("serve")
			if f["concurrency"] != 64.0 {
				t.Errorf("serve is %v", f)
			}
			p.send(`{"type":"error","requestId":%q,"error":{"code":"permission_denied","message":"not yours"}}`, f.id())
			if _, err := served(); CodeOf(err) != CodePermissionDenied {
				t.Errorf("Serve: %v", err)
			}
		}
		p.finish(c)
	})
}

func TestServeIsRepeatedAfterARefusalForNow(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		served := begin(func() (*Service, error) { return c.Serve(t.Context(), "m", echo, ServeOptions{}) })
		p.send(`{"type":"error","requestId":%q,"error":{"code":"resource_exhausted","message":"full","retryable":true,"retryAfterMs":700}}`,
			p.expect("serve").id())
		refused := time.Now()
		f := p.expect("serve")
		if waited := time.Since(refused); waited != 700*time.Millisecond {
			t.Errorf("asked again after %v", waited)
		}
		p.served(f)
		if _, err := served(); err != nil {
			t.Errorf("Serve: %v", err)
		}
		p.finish(c)
	})
}

func TestServeEndsWithItsContext(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		served := begin(func() (*Service, error) { return c.Serve(ctx, "m", echo, ServeOptions{}) })
		p.expect("serve")
		if _, err := served(); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Serve: %v", err)
		}
		p.expect("unserve")
		p.finish(c)
	})
}

func TestServesAgainOverANewLine(t *testing.T) {
	for _, resumed := range []bool{false, true} {
		inBubble(t, func(t *testing.T, g *gateway) {
			c, p := g.openResumable()
			s := serve(t, c, p, echo, 3)
			c.Handle("ui.confirm", echo) // of which the gateway knows nothing
			p.cut()
			p = g.accept()
			p.greetWithToken(p.expect("connect"), resumed)
			f := p.expect("serve")
			if f["method"] != "pricing.quote" || f["concurrency"] != 3.0 {
				t.Errorf("serves again as %v", f)
			}
			p.served(f)
			p.call("s1")
			p.expect("reply")
			if s.Err() != nil {
				t.Errorf("the service ended: %v", s.Err())
			}
			p.finish(c)
			if !errors.Is(s.Err(), ErrClosed) {
				t.Errorf("with the client the service ended: %v", s.Err())
			}
		})
	}
}

func TestGatewayTakesAMethodAway(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		s := serve(t, c, p, echo, 1)
		p.send(`{"type":"unserved","method":"pricing.quote","code":"unavailable","reason":"not now"}`)
		p.served(p.expect("serve")) // what may pass is waited for
		p.call("s1")
		p.expect("reply")
		p.send(`{"type":"unserved","method":"pricing.quote","code":"permission_denied","reason":"rights changed"}`)
		<-s.Done()
		if CodeOf(s.Err()) != CodePermissionDenied {
			t.Errorf("the service ended with %v", s.Err())
		}
		if err := s.Close(t.Context()); err != nil {
			t.Errorf("Close: %v", err)
		}
		p.finish(c)
	})
}

func TestServiceCloseWaitsForCallsInHand(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		s := serve(t, c, p, func(context.Context, *Request) (Payload, error) {
			time.Sleep(2 * time.Second)
			return Text("done"), nil
		}, 1)
		p.call("s1")
		p.call("s2") // waits for the first
		synctest.Wait()
		began := time.Now()
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		early := begin(func() (bool, error) { return true, s.Close(short) })
		p.send(`{"type":"unserved","requestId":%q,"method":"pricing.quote"}`, p.expect("unserve").id())
		if _, err := early(); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("Close of a second: %v after %v", err, time.Since(began))
		}
		closed := begin(func() (bool, error) { return true, s.Close(t.Context()) })
		for _, id := range []string{"s1", "s2"} {
			if reply := p.expect("reply"); reply.id() != id || reply["text"] != "done" {
				t.Errorf("the reply is %v", reply)
			}
		}
		if _, err := closed(); err != nil || time.Since(began) != 4*time.Second {
			t.Errorf("Close: %v after %v", err, time.Since(began))
		}
		p.finish(c)
	})
}

func TestServiceCloseWithoutALine(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		s := serve(t, c, p, echo, 1)
		leaving := begin(func() (bool, error) { return true, s.Close(t.Context()) })
		p.expect("unserve")
		p.cut() // which answers it
		if _, err := leaving(); err != nil {
			t.Errorf("Close over a line that breaks: %v", err)
		}
		again := begin(func() (*Service, error) { return c.Serve(t.Context(), "m", echo, ServeOptions{}) })
		synctest.Wait()
		p = g.welcome()
		p.served(p.expect("serve"))
		s, err := again()
		if err != nil {
			t.Fatal(err)
		}
		p.cut()
		synctest.Wait()
		if err := s.Close(t.Context()); err != nil {
			t.Errorf("Close without a line: %v", err)
		}
		p = g.welcome()
		p.expect("ping") // and no serve before it
		p.finish(c)
	})
}

func TestConcurrencyIsBounded(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		running := make(chan string, 10)
		release := make(chan struct{})
		serve(t, c, p, func(_ context.Context, r *Request) (Payload, error) {
			running <- string(r.Payload.Bytes)
			<-release
			return Payload{}, nil
		}, 2)
		for n := range 5 {
			p.call(fmt.Sprint("s", n))
		}
		synctest.Wait()
		if len(running) != 2 {
			t.Errorf("%d handlers run, want 2", len(running))
		}
		p.send(`{"type":"cancel","requestId":"s2"}`) // while it waits
		synctest.Wait()
		close(release)
		var answered []string
		for range 4 {
			answered = append(answered, p.expect("reply").id())
		}
		slices.Sort(answered)
		if want := []string{"s0", "s1", "s3", "s4"}; !slices.Equal(answered, want) {
			t.Errorf("answered are %v, want %v", answered, want)
		}
		close(running)
		for ran := range running {
			if ran == `{"n":"s2"}` {
				t.Error("a call that was canceled before its turn was handled")
			}
		}
		p.finish(c)
	})
}

func TestCallsThatWaitAreBounded(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		serve(t, c, p, func(ctx context.Context, _ *Request) (Payload, error) {
			<-ctx.Done()
			return Payload{}, ctx.Err()
		}, 1)
		for n := range 1 + maxWaiting {
			p.call(fmt.Sprint("s", n))
		}
		p.call("more")
		if refusal := p.expect("error"); refusal.id() != "more" || refusal.errorCode() != "resource_exhausted" {
			t.Errorf("a call too many is answered with %v", refusal)
		}
		p.finish(c)
	})
}

// A subscription that nobody reads must not keep calls waiting.
func TestFullSubscriptionStepsAsideForCalls(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		opts := g.options()
		opts.Buffer = 2
		c, p := g.open(opts)
		serve(t, c, p, echo, 1)
		subscribe(t, c, p, Now())
		p.stream(1, 4)
		began := time.Now()
		p.expect("unsubscribe")
		p.call("s1")
		p.expect("reply")
		if waited := time.Since(began); waited > 0 {
			t.Errorf("the call waited for %v", waited)
		}
		p.finish(c)
	})
}

func TestHandle(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		s := c.Handle("pricing.quote", echo)
		p.call("s1")
		if reply := p.expect("reply"); reply.id() != "s1" {
			t.Errorf("the reply is %v", reply)
		}
		for method, handler := range map[string]Handler{"pricing.quote": echo, "not a method": echo} {
			if !panics(func() { c.Handle(method, handler) }) {
				t.Errorf("Handle of %q did not panic", method)
			}
		}
		if err := s.Close(t.Context()); err != nil { // without a word to the gateway
			t.Errorf("Close: %v", err)
		}
		p.call("s2")
		if refusal := p.expect("error"); refusal.errorCode() != "unimplemented" {
			t.Errorf("after Close a call is answered with %v", refusal)
		}
		p.finish(c)
		if s := c.Handle("m", echo); !errors.Is(s.Err(), ErrClosed) {
			t.Errorf("Handle of a closed client: %v", s.Err())
		}
		if _, err := c.Serve(t.Context(), "m", echo, ServeOptions{}); !errors.Is(err, ErrClosed) {
			t.Errorf("Serve of a closed client: %v", err)
		}
	})
}

func panics(f func()) (panicked bool) {
	defer func() { panicked = recover() != nil }()
	f()
	return false
}
