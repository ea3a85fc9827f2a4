package magpieclient

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestWhatHandlersReturn(t *testing.T) {
	long := strings.Repeat("x", 2000) // more than the gateway takes in a frame
	own := &Error{Code: CodeNotFound, Message: "no such order", Retryable: true, RetryAfter: 5 * time.Second, Details: []byte(`{"id":7}`)}
	for name, test := range map[string]struct {
		handler Handler
		want    string // the answer without its type and requestId, as fmt shows it
		logged  string
	}{
		"nothing":      {returns(Payload{}, nil), "map[]", ""},
		"text":         {returns(Text("hello"), nil), "map[text:hello]", ""},
		"bytes":        {returns(Bytes([]byte{0, 1, 255}), nil), "map[base64:AAH/]", ""},
		"own error":    {returns(Payload{}, own), "map[error:map[code:not_found details:map[id:7] message:no such order retryAfterMs:5000 retryable:true]]", ""},
		"wrapped":      {returns(Payload{}, fmt.Errorf("secret: %w", own)), "map[error:map[code:not_found details:map[id:7] message:no such order retryAfterMs:5000 retryable:true]]", ""},
		"no code":      {returns(Payload{}, &Error{Message: "hm"}), "map[error:map[code:unknown message:hm]]", ""},
		"bad details":  {returns(Payload{}, &Error{Code: CodeAborted, Details: []byte("{")}), "map[error:map[code:aborted]]", ""},
		"other error":  {returns(Payload{}, errors.New("secret")), `map[error:map[code:internal message:the handler of "pricing.quote" failed]]`, "secret"},
		"panic":        {func(context.Context, *Request) (Payload, error) { panic("secret") }, `map[error:map[code:internal message:the handler of "pricing.quote" failed]]`, "secret"},
		"exit":         {func(context.Context, *Request) (Payload, error) { runtime.Goexit(); return Payload{}, nil }, `map[error:map[code:internal message:the handler of "pricing.quote" failed]]`, "panicked"},
		"no JSON":      {returns(JSON([]byte("{")), nil), `map[error:map[code:internal message:the result of "pricing.quote" is said to be JSON and is not]]`, "JSON"},
		"no text":      {returns(Text("\xff"), nil), `map[error:map[code:internal message:the result of "pricing.quote" is text that is no UTF-8]]`, "UTF-8"},
		"long result":  {returns(Text(long), nil), `map[error:map[code:resource_exhausted message:the result of "pricing.quote" takes 2043 bytes, and the limit is 1000]]`, "2043"},
		"long error":   {returns(Payload{}, &Error{Code: CodeAborted, Message: long}), `map[error:map[code:resource_exhausted message:the result of "pricing.quote" takes 2073 bytes, and the limit is 1000]]`, "2073"},
		"just fitting": {returns(Text(long[:900]), nil), "map[text:" + long[:900] + "]", ""},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, g *gateway) {
				var logged strings.Builder
				opts := g.options()
				opts.Logger = slog.New(slog.NewTextHandler(&logged, nil))
				c, p := g.open(opts)
				s := serve(t, c, p, test.handler, 1)
				for _, id := range []string{"s1", "s2"} { // the second over the same line, after the first
					p.call(id)
					f, err := p.receive()
					if err != nil {
						t.Fatalf("the line broke: %v", err)
					}
					kind := f["type"]
					delete(f, "type")
					if f.id() != id {
						t.Errorf("the answer is to %q", f.id())
					}
					delete(f, "requestId")
					if got := fmt.Sprint(map[string]any(f)); got != test.want || (kind == "error") != (f["error"] != nil) {
						t.Errorf("the %s is\n%s, want\n%s", kind, got, test.want)
					}
				}
				closed := begin(func() (bool, error) { return true, s.Close(t.Context()) })
				p.send(`{"type":"unserved","requestId":%q,"method":"pricing.quote"}`, p.expect("unserve").id())
				if _, err := closed(); err != nil {
					t.Errorf("Close: %v", err)
				}
				p.finish(c)
				if !strings.Contains(logged.String(), test.logged) || (test.logged == "") != (logged.String() == "") {
					t.Errorf("logged %q, want %q", logged.String(), test.logged)
				}
			})
		})
	}
}

func returns(payload Payload, err error) Handler {
	return func(context.Context, *Request) (Payload, error) { return payload, err }
}

func TestProgressKeepsToTheCredit(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		sent := 0
		var failure error
		serve(t, c, p, func(ctx context.Context, r *Request) (Payload, error) {
			for failure = r.Progress(ctx, Text("0")); failure == nil; failure = r.Progress(ctx, Text(fmt.Sprint(sent))) {
				sent++
			}
			return Payload{}, nil
		}, 1)
		p.call("s1")
		synctest.Wait()
		if sent != progressWindow {
			t.Errorf("%d parts were sent without credit, want %d", sent, progressWindow)
		}
		p.send(`{"type":"credit","requestId":"s1","count":3}`)
		for n := range progressWindow + 3 {
			if part := p.expect("progress"); part.id() != "s1" || part["text"] != fmt.Sprint(n) {
				t.Errorf("part %d is %v", n, part)
			}
		}
		p.send(`{"type":"cancel","requestId":"s1"}`)
		synctest.Wait()
		if sent != progressWindow+3 || !errors.Is(failure, context.Canceled) {
			t.Errorf("%d parts were sent, then %v", sent, failure)
		}
		p.expect("ping") // and no reply before it
		p.finish(c)
	})
}

func TestProgressThatCannotBeSent(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		kept := make(chan *Request, 1)
		serve(t, c, p, func(ctx context.Context, r *Request) (Payload, error) {
			kept <- r
			for code, part := range map[Code]Payload{CodeResourceExhausted: Text(strings.Repeat("x", 2000)), CodeInternal: JSON([]byte("{"))} {
				if err := r.Progress(ctx, part); CodeOf(err) != code {
					t.Errorf("Progress: %v, want %s", err, code)
				}
			}
			for range progressWindow {
				if err := r.Progress(ctx, Payload{}); err != nil {
					t.Errorf("Progress: %v", err)
				}
			}
			short, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			if err := r.Progress(short, Payload{}); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Progress without credit: %v", err)
			}
			return Payload{}, nil
		}, 1)
		p.call("s1")
		for range progressWindow {
			p.expect("progress")
		}
		p.expect("reply")
		if err := (<-kept).Progress(t.Context(), Payload{}); !errors.Is(err, context.Canceled) {
			t.Errorf("Progress after the reply: %v", err)
		}
		p.finish(c)
	})
}

func TestCancelEndsTheHandlersContext(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		ended := make(chan error, 1)
		s := serve(t, c, p, func(ctx context.Context, _ *Request) (Payload, error) {
			<-ctx.Done()
			ended <- ctx.Err()
			return Text("too late"), nil
		}, 1)
		p.call("s1")
		synctest.Wait() // or the call may end before the handler begins
		p.send(`{"type":"cancel","requestId":"s1"}`)
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("the context ended with %v", err)
		}
		if err := await(t.Context(), s.quiet()); err != nil {
			t.Error(err)
		}
		p.expect("ping") // and no reply before it
		p.finish(c)
	})
}

func TestHandlersKnowTheDeadline(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		began := time.Now()
		serve(t, c, p, func(ctx context.Context, _ *Request) (Payload, error) {
			if deadline, ok := ctx.Deadline(); !ok || deadline.Sub(began) != 3*time.Second {
				t.Errorf("the deadline is %v, %v", deadline, ok)
			}
			<-ctx.Done()
			return Payload{}, fmt.Errorf("query: %w", ctx.Err())
		}, 1)
		p.call("s1")
		p.call("s2") // whose time is over when its turn comes
		for range 2 {
			if f := p.expect("error"); f.errorCode() != "deadline_exceeded" || time.Since(began) != 3*time.Second {
				t.Errorf("after %v came %v", time.Since(began), f)
			}
		}
		p.finish(c)
	})
}

func TestCallsEndWithTheirLine(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		ended := make(chan error, 1)
		serve(t, c, p, func(ctx context.Context, r *Request) (Payload, error) {
			if r.Caller.UserID == "ann" {
				<-ctx.Done()
				ended <- ctx.Err()
			}
			return Text("of the old line"), nil
		}, 1)
		p.call("s1")
		p.call("s2") // which waits, and is forgotten
		synctest.Wait()
		p.cut()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("the context ended with %v", err)
		}
		p = g.welcome()
		p.served(p.expect("serve"))
		p.send(`{"type":"call","requestId":"s1","method":"pricing.quote","data":1}`)
		p.expect("reply")
		p.expect("ping") // and no other reply before it
		p.finish(c)
	})
}

func TestClientCloseWaitsForHandlers(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		cleaned := false
		serve(t, c, p, func(ctx context.Context, _ *Request) (Payload, error) {
			<-ctx.Done()
			time.Sleep(time.Second)
			cleaned = true
			return Payload{}, nil
		}, 1)
		p.call("s1")
		p.finish(c)
		if !cleaned {
			t.Error("Close did not wait for the handler")
		}
	})
}
