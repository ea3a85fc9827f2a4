package magpieclient

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func (p *peer) published(f frame, offset int) {
	p.t.Helper()
	p.send(`{"type":"published","requestId":%q,"position":{"epoch":"k","offset":%d},"duplicate":false}`, f.id(), offset)
}

// begin runs f beside the test, and gives what it returned.
func begin[T any](f func() (T, error)) func() (T, error) {
	var value T
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		value, err = f()
	}()
	return func() (T, error) {
		<-done
		return value, err
	}
}

func TestPublish(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		published := begin(func() (Published, error) {
			payload, err := Value(map[string]int{"a": 1})
			if err != nil {
				return Published{}, err
			}
			return c.Publish(t.Context(), "order.update", Publication{
				Key: "order-7", Tags: map[string]string{"region": "eu"}, Meta: map[string]string{"x": "y"}, Payload: payload,
			})
		})
		f := p.expect("publish")
		id, _ := f["messageId"].(string)
		data, _ := f["data"].(map[string]any)
		if f["channel"] != "order.update" || f["key"] != "order-7" || len(id) < 20 || data["a"] != 1.0 {
			t.Errorf("publish is %v", f)
		}
		p.published(f, 58)
		got, err := published()
		if want := (Published{ID: id, Position: Position{"k", 58}}); err != nil || got != want {
			t.Errorf("Publish = %v, %v, want %v", got, err, want)
		}
		p.finish(c)
	})
}

func TestPublishIsRepeatedOverABrokenLine(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		var sent []*Publishing
		for _, id := range []string{"m1", "m2", "m3"} {
			one, err := c.PublishAsync(t.Context(), "c", Publication{ID: id, Payload: Text(id)})
			if err != nil {
				t.Fatal(err)
			}
			sent = append(sent, one)
		}
		for range 3 {
			p.expect("publish")
		}
		p.cut()
		p = g.welcome()
		for i, id := range []string{"m1", "m2", "m3"} {
			f := p.expect("publish")
			if f["messageId"] != id {
				t.Errorf("publish %d again is %v, want %s", i, f, id)
			}
			p.published(f, i+1)
		}
		if err := c.Flush(t.Context()); err != nil {
			t.Errorf("Flush: %v", err)
		}
		for i, one := range sent {
			if got, err := one.Wait(); err != nil || got.Position.Offset != uint64(i+1) {
				t.Errorf("publish %d: %v, %v", i, got, err)
			}
		}
		p.finish(c)
	})
}

func TestPublishIsRepeatedAfterARefusalForNow(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		published := begin(func() (Published, error) {
			return c.Publish(t.Context(), "c", Publication{ID: "m1", Payload: Text("x")})
		})
		p.send(`{"type":"error","requestId":%q,"error":{"code":"resource_exhausted","message":"slow down","retryable":true,"retryAfterMs":700}}`,
			p.expect("publish").id())
		refused := time.Now()
		again := p.expect("publish")
		if waited := time.Since(refused); waited != 700*time.Millisecond || again["messageId"] != "m1" {
			t.Errorf("asked again after %v with %v", waited, again)
		}
		p.published(again, 1)
		if _, err := published(); err != nil {
			t.Errorf("Publish: %v", err)
		}
		p.finish(c)
	})
}

func TestPublishRefusedForGood(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		published := begin(func() (Published, error) {
			return c.Publish(t.Context(), "c", Publication{Payload: Text("x")})
		})
		p.send(`{"type":"error","requestId":%q,"error":{"code":"permission_denied","message":"not yours","details":{"a":1}}}`,
			p.expect("publish").id())
		_, err := published()
		refusal, ok := errors.AsType[*Error](err)
		if !ok || refusal.Code != CodePermissionDenied || string(refusal.Details) != `{"a":1}` {
			t.Errorf("Publish: %#v", err)
		}
		if _, err := c.Publish(t.Context(), "not a channel", Publication{}); CodeOf(err) != CodeInvalidArgument {
			t.Errorf("Publish to a bad name: %v", err)
		}
		if _, err := c.Publish(t.Context(), "c", Publication{Payload: Text(strings.Repeat("x", 1000))}); CodeOf(err) != CodeInvalidArgument {
			t.Errorf("Publish of more than the gateway accepts: %v", err)
		}
		p.finish(c)
	})
}

func TestPublishEndsWithItsContext(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		p.cut()
		g.pipes.Close()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		_, err := c.Publish(ctx, "c", Publication{Payload: Text("x")})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Minute {
			t.Errorf("Publish without a gateway: %v after %v", err, time.Since(began))
		}
		if !strings.Contains(err.Error(), "no line to the gateway") {
			t.Errorf("the error does not say why: %v", err)
		}
		c.Close()
	})
}

func TestPublishesInFlightAreBounded(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		opts := g.options()
		opts.MaxInFlight = 2
		c, p := g.open(opts)
		for range 2 {
			if _, err := c.PublishAsync(t.Context(), "c", Publication{}); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.PublishAsync(ctx, "c", Publication{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a third publish: %v", err)
		}
		p.published(p.expect("publish"), 1)
		if _, err := c.PublishAsync(t.Context(), "c", Publication{}); err != nil {
			t.Errorf("after the first answer: %v", err)
		}
		p.expect("publish")
		p.expect("publish")
		p.finish(c)
	})
}

func TestPublishBatch(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		results := begin(func() ([]Result, error) {
			return c.PublishBatch(t.Context(), "c", []Publication{
				{ID: "m1", Payload: Text("1")}, {ID: "m2", Payload: Text("2")}, {ID: "m3", Payload: Text("3")},
			})
		})
		f := p.expect("publish")
		if messages, _ := f["messages"].([]any); len(messages) != 3 {
			t.Errorf("the batch is %v", f)
		}
		p.send(`{"type":"published","requestId":%q,"results":[{"position":{"epoch":"k","offset":1},"duplicate":true},`+
			`{"error":{"code":"unavailable","message":"later","retryable":true}},{"error":{"code":"invalid_argument","message":"never"}}]}`, f.id())
		f = p.expect("publish")
		messages, _ := f["messages"].([]any)
		if first, _ := messages[0].(map[string]any); len(messages) != 1 || first["messageId"] != "m2" {
			t.Errorf("what was refused for now is sent again as %v", f)
		}
		p.send(`{"type":"published","requestId":%q,"results":[{"position":{"epoch":"k","offset":2}}]}`, f.id())
		got, err := results()
		if err != nil || len(got) != 3 {
			t.Fatalf("PublishBatch = %v, %v", got, err)
		}
		if got[0].Published != (Published{"m1", Position{"k", 1}, true}) || got[1].Published != (Published{"m2", Position{"k", 2}, false}) {
			t.Errorf("results are %+v", got)
		}
		if got[1].Err != nil || CodeOf(got[2].Err) != CodeInvalidArgument {
			t.Errorf("errors are %v, %v", got[1].Err, got[2].Err)
		}
		p.finish(c)
	})
}

func TestCall(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		reply := begin(func() (*Reply, error) {
			return c.Call(ctx, "pricing.quote", JSON([]byte(`{"id":7}`)), CallOptions{To: "user:42"})
		})
		f := p.expect("call")
		if f["method"] != "pricing.quote" || f["to"] != "user:42" || f["timeoutMs"] != 3000.0 {
			t.Errorf("call is %v", f)
		}
		p.send(`{"type":"reply","requestId":%q,"meta":{"a":"b"},"data":{"price":9}}`, f.id())
		got, err := reply()
		if err != nil || got.Meta["a"] != "b" || string(got.Payload.Bytes) != `{"price":9}` {
			t.Errorf("Call = %+v, %v", got, err)
		}
		p.finish(c)
	})
}

func TestLateReplyIsDropped(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		reply := begin(func() (*Reply, error) { return c.Call(ctx, "slow", Payload{}, CallOptions{}) })
		f := p.expect("call")
		if _, err := reply(); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Call: %v", err)
		}
		if cancelled := p.expect("cancel"); cancelled.id() != f.id() {
			t.Errorf("cancel is %v, want that of %v", cancelled, f)
		}
		second := begin(func() (*Reply, error) { return c.Call(t.Context(), "fast", Payload{}, CallOptions{}) })
		g2 := p.expect("call")
		p.send(`{"type":"reply","requestId":%q,"text":"late"}`, f.id())
		p.send(`{"type":"reply","requestId":%q,"text":"in time"}`, g2.id())
		if got, err := second(); err != nil || string(got.Payload.Bytes) != "in time" {
			t.Errorf("the second call: %v, %v", got, err)
		}
		p.finish(c)
	})
}

func TestCallIsNotRepeated(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		reply := begin(func() (*Reply, error) { return c.Call(t.Context(), "once", Payload{}, CallOptions{}) })
		p.expect("call")
		p.cut()
		if _, err := reply(); CodeOf(err) != CodeUnavailable {
			t.Errorf("Call over a broken line: %v", err)
		}
		waiting := begin(func() (*Reply, error) { return c.Call(t.Context(), "later", Payload{}, CallOptions{}) })
		p = g.welcome()
		f := p.expect("call")
		if f["method"] != "later" {
			t.Errorf("over the new line came %v", f)
		}
		p.send(`{"type":"error","requestId":%q,"error":{"code":"not_found","message":"nobody serves it"}}`, f.id())
		if _, err := waiting(); CodeOf(err) != CodeNotFound {
			t.Errorf("a refused call: %v", err)
		}
		p.finish(c)
	})
}

func TestCloseFailsWhatIsOpen(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		sent, err := c.PublishAsync(t.Context(), "c", Publication{})
		if err != nil {
			t.Fatal(err)
		}
		reply := begin(func() (*Reply, error) { return c.Call(t.Context(), "m", Payload{}, CallOptions{}) })
		opening := begin(func() (*Subscription, error) { return c.Subscribe(t.Context(), "c", SubscribeOptions{}) })
		synctest.Wait()
		p.finish(c)
		if _, err := sent.Wait(); !errors.Is(err, ErrClosed) {
			t.Errorf("publish: %v", err)
		}
		if _, err := reply(); !errors.Is(err, ErrClosed) {
			t.Errorf("call: %v", err)
		}
		if _, err := opening(); !errors.Is(err, ErrClosed) {
			t.Errorf("subscribe: %v", err)
		}
	})
}

func TestPublishBatchKeepsToTheGatewaysLimits(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options()) // of 1,000 bytes
		var batch []Publication
		for i := range 20 {
			batch = append(batch, Publication{ID: fmt.Sprint(i), Payload: Text(strings.Repeat("x", 150))})
		}
		results := begin(func() ([]Result, error) { return c.PublishBatch(t.Context(), "c", batch) })
		at := 0
		for at < len(batch) {
			f := p.expect("publish")
			messages, _ := f["messages"].([]any)
			if len(messages) < 2 {
				t.Errorf("a frame has %d messages", len(messages))
			}
			answers := make([]string, len(messages))
			for i, m := range messages {
				if m, _ := m.(map[string]any); m["messageId"] != fmt.Sprint(at) {
					t.Errorf("message %d is %v", at, m)
				}
				at++
				answers[i] = fmt.Sprintf(`{"position":{"epoch":"k","offset":%d}}`, at)
			}
			p.send(`{"type":"published","requestId":%q,"results":[%s]}`, f.id(), strings.Join(answers, ","))
		}
		got, err := results()
		if err != nil || len(got) != len(batch) {
			t.Fatalf("PublishBatch = %v, %v", got, err)
		}
		for i, result := range got {
			if result.Position.Offset != uint64(i+1) || result.ID != batch[i].ID {
				t.Errorf("result %d is %+v", i, result)
			}
		}
		batch[7].Payload = Text(strings.Repeat("x", 2000))
		if _, err := c.PublishBatch(t.Context(), "c", batch[7:8]); CodeOf(err) != CodeInvalidArgument {
			t.Errorf("a message beyond the limit: %v", err)
		}
		p.finish(c)
	})
}
