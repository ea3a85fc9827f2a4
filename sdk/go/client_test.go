package magpieclient

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

func TestOptionsAreChecked(t *testing.T) {
	for _, address := range []string{"", "127.0.0.1:8080", "ftp://host/ws", "ws:///ws", "ws://host:port/ws"} {
		if c, err := New(Options{URL: address}); err == nil {
			t.Errorf("New with URL %q succeeded", address)
			c.Close()
		}
	}
}

func TestConnectPresentsTheCredential(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		opts := g.options()
		opts.TokenFunc = func(context.Context) (string, error) { return "secret", nil }
		opts.Version = "1.2.3"
		opts.Device = "phone"
		c, err := New(opts)
		if err != nil {
			t.Fatal(err)
		}
		p := g.accept()
		connect := p.expect("connect")
		info, _ := connect["client"].(map[string]any)
		if connect["token"] != "secret" || info["name"] != "magpie-go" || info["version"] != "1.2.3" || connect["device"] != "phone" {
			t.Errorf("connect is %v", connect)
		}
		p.greet(connect, 30000, 90000)
		p.finish(c)
		if state, err := c.State(), c.Err(); state != StateClosed || !errors.Is(err, ErrClosed) {
			t.Errorf("after Close: %v, %v", state, err)
		}
	})
}

func TestDialTellsWhyThereIsNoLine(t *testing.T) {
	for _, test := range []struct {
		name    string
		refuse  func(p *peer, connect frame)
		want    Code
		message string
	}{
		{"credential", func(p *peer, connect frame) {
			p.send(`{"type":"error","requestId":%q,"error":{"code":"unauthenticated","message":"no"}}`, connect.id())
			p.close(4501)
		}, CodeUnauthenticated, ""},
		{"busy", func(p *peer, _ frame) { p.close(4009) }, "", "4009"},
		{"cut", func(p *peer, _ frame) { p.cut() }, "", "wait for connected"},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, g *gateway) {
				refused := make(chan struct{})
				go func() {
					defer close(refused)
					p := g.accept()
					test.refuse(p, p.expect("connect"))
				}()
				c, err := Dial(t.Context(), g.options())
				<-refused
				if err == nil {
					c.Close()
					t.Fatal("Dial succeeded")
				}
				if CodeOf(err) != test.want || !strings.Contains(err.Error(), test.message) {
					t.Errorf("Dial: %v", err)
				}
			})
		})
	}
}

func TestDialEndsWithItsContext(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		silent := make(chan struct{})
		go func() {
			defer close(silent)
			g.accept().cut()
		}()
		p := make(chan error, 1)
		go func() {
			_, err := Dial(ctx, g.options())
			p <- err
		}()
		<-silent
		if err := <-p; err == nil {
			t.Error("Dial succeeded")
		}
	})
}

func TestRefusedUpgradeIsFinal(t *testing.T) {
	for path, want := range map[string]Code{
		"ws://gateway/1":                              CodeUnauthenticated,
		"ws://gateway/333":                            CodePermissionDenied,
		"ws://gateway/4444?token=canary":              "",
		"ws://gateway/" + strings.Repeat("5", 5) + "": "",
	} {
		inBubble(t, func(t *testing.T, g *gateway) {
			opts := g.options()
			opts.URL = path
			c, err := New(opts)
			if err != nil {
				t.Fatal(err)
			}
			<-c.ended
			if c.State() != StateClosed || CodeOf(c.Err()) != want {
				t.Errorf("%s: %v, %v", path, c.State(), c.Err())
			}
			if strings.Contains(c.Err().Error(), "canary") {
				t.Errorf("the error shows the credential: %v", c.Err())
			}
		})
	}
}

func TestCloseCodesDecideAboutComingBack(t *testing.T) {
	for code, back := range map[int]bool{
		1000: true, 1001: true, 1002: false, 1003: false, 1007: false, 1009: false, 1011: true,
		4001: true, 4008: true, 4499: true, 4500: false, 4501: false, 4503: false, 4999: false,
	} {
		inBubble(t, func(t *testing.T, g *gateway) {
			c, p := g.open(g.options())
			p.close(code)
			if back {
				g.welcome().finish(c)
				return
			}
			<-c.ended
			closed, ok := errors.AsType[*CloseError](c.Err())
			if !ok || closed.Code != code {
				t.Errorf("%d: the client ended with %v", code, c.Err())
			}
		})
	}
}

func TestStatesAreToldInOrder(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		var told []State
		opts := g.options()
		opts.OnState = func(change StateChange) {
			told = append(told, change.State)
			if change.State == StateWaiting && (change.Err == nil || change.RetryIn < time.Second) {
				t.Errorf("waiting %v after %v", change.RetryIn, change.Err)
			}
			if change.State == StateConnected && (change.UserID != "dev" || change.NodeID != "n1" || change.SessionID != "s1") {
				t.Errorf("connected as %+v", change)
			}
		}
		c, p := g.open(opts)
		p.cut()
		g.welcome().finish(c)
		want := []State{StateConnecting, StateConnected, StateWaiting, StateConnecting, StateConnected, StateClosed}
		if !slices.Equal(told, want) {
			t.Errorf("told %v, want %v", told, want)
		}
	})
}

func TestGoodbyeSaysWhenToComeBack(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		p.send(`{"type":"goodbye","code":4008,"reason":"draining","retryAfterMs":17000}`)
		left := time.Now()
		p.close(4008)
		again := g.welcome()
		if away := time.Since(left); away != 17*time.Second {
			t.Errorf("came back after %v, want 17s", away)
		}
		again.finish(c)
	})
}

func TestErrorInAnswerToConnectSaysWhenToComeBack(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, err := New(g.options())
		if err != nil {
			t.Fatal(err)
		}
		p := g.accept()
		p.send(`{"type":"error","requestId":%q,"error":{"code":"unavailable","message":"full","retryable":true,"retryAfterMs":4000}}`,
			p.expect("connect").id())
		left := time.Now()
		p.close(4009)
		again := g.welcome()
		if away := time.Since(left); away != 4*time.Second {
			t.Errorf("came back after %v, want 4s", away)
		}
		again.finish(c)
	})
}

func TestBackoffGrowsAndIsForgottenOnceStable(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		for n := 1; n <= 8; n++ {
			left := time.Now()
			p.cut()
			p = g.welcome()
			most := min(30*time.Second, time.Second<<n)
			if away := time.Since(left); away < time.Second || away > most {
				t.Errorf("attempt %d came after %v, want 1s to %v", n, away, most)
			}
		}
		time.Sleep(stableAfter)
		left := time.Now()
		p.cut()
		p = g.welcome()
		if away := time.Since(left); away > 2*time.Second {
			t.Errorf("after a stable line the client stayed away for %v, want at most 2s", away)
		}
		p.finish(c)
	})
}

func TestBackoffBounds(t *testing.T) {
	for _, uniform := range []float64{0, 0.5, 0.999} {
		b := backoff{uniform: func() float64 { return uniform }}
		for n := 1; n < 100; n++ {
			most := 30 * time.Second
			if n < 5 {
				most = time.Second << n
			}
			if wait := b.next(); wait < time.Second || wait > most {
				t.Errorf("wait %d is %v, want 1s to %v", n, wait, most)
			}
		}
	}
}

func TestSilentGatewayIsLeft(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		began := time.Now()
		p.expect("ping")
		if asked := time.Since(began); asked != 30*time.Second {
			t.Errorf("the client asked after %v, want 30s", asked)
		}
		if f, err := p.receive(); err == nil {
			t.Errorf("the client sent %v, want it to leave", f)
		}
		if left := time.Since(began); left < 90*time.Second || left > 91*time.Second {
			t.Errorf("the client left after %v, want 90s", left)
		}
		p.cut()
		g.welcome().finish(c)
	})
}

func TestAnsweredPingsKeepTheLine(t *testing.T) {
	for _, pong := range []string{`{"type":"pong"}`, "pong"} {
		inBubble(t, func(t *testing.T, g *gateway) {
			c, p := g.open(g.options())
			for range 10 {
				p.expect("ping")
				p.send("%s", pong)
			}
			p.finish(c)
		})
	}
}

func TestGatewayIsAnswered(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		p.send(`{"type":"novelty","requestId":"x","some":["thing"]}`)
		p.send(`{"type":"ping","requestId":"p1"}`)
		if pong := p.expect("pong"); pong.id() != "p1" {
			t.Errorf("pong is %v", pong)
		}
		p.send(`{"type":"call","requestId":"s9","method":"ui.confirm","data":{}}`)
		refusal := p.expect("error")
		body, _ := refusal["error"].(map[string]any)
		if refusal.id() != "s9" || body["code"] != "unimplemented" {
			t.Errorf("the call was answered with %v", refusal)
		}
		p.finish(c)
	})
}

func TestIncomprehensibleFrameEndsTheLine(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		p.send(`{"type":"message",`)
		if _, err := p.receive(); err == nil {
			t.Error("the client went on")
		}
		p.cut()
		g.welcome().finish(c)
	})
}

func TestCloseWithoutALine(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		g.pipes.Close()
		opts := g.options()
		c, err := New(opts)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if c.State() != StateWaiting || c.Err() == nil {
			t.Errorf("without a gateway: %v, %v", c.State(), c.Err())
		}
		c.Close()
		if _, err := c.Publish(t.Context(), "c", Publication{}); !errors.Is(err, ErrClosed) {
			t.Errorf("Publish after Close: %v", err)
		}
		if _, err := c.Subscribe(t.Context(), "c", SubscribeOptions{}); !errors.Is(err, ErrClosed) {
			t.Errorf("Subscribe after Close: %v", err)
		}
		if _, err := c.Call(t.Context(), "m", Payload{}, CallOptions{}); !errors.Is(err, ErrClosed) {
			t.Errorf("Call after Close: %v", err)
		}
	})
}

func TestCloseDoesNotWaitForADeadGateway(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		began := time.Now()
		c.Close()
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("Close took %v", took)
		}
		if websocket.CloseStatus(c.Err()) != -1 {
			t.Errorf("ended with %v", c.Err())
		}
		p.cut()
	})
}
