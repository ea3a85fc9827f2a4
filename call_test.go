package magpie_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/magpie-bridge/magpie"
)

// callee is a client that answers the gateway's calls by hand.
type callee struct {
	conn  *websocket.Conn
	calls chan inbound
}

// inbound is a frame that a callee is sent.
type inbound struct {
	Type, RequestID, Method, SessionID, Text string
	TimeoutMs                                int
	Meta                                     map[string]string
	Caller                                   struct{ UserID, SessionID string }
	Data                                     json.RawMessage
	Count                                    int
	Error                                    struct{ Code string }
}

// newCallee connects a client and returns it with the name of its session. Its frames are read all the time.
func newCallee(t *testing.T, conn *websocket.Conn) (*callee, string) {
	t.Helper()
	c := &callee{conn: conn, calls: make(chan inbound, 64)}
	write(t, conn, `{"type":"connect"}`)
	go func() {
		defer close(c.calls)
		for {
			_, data, err := conn.Read(context.WithoutCancel(t.Context()))
			if err != nil {
				return
			}
			var in inbound
			if json.Unmarshal(data, &in) == nil {
				c.calls <- in
			}
		}
	}()
	return c, c.next(t, "connected").SessionID
}

// next waits for a frame of that kind. Credit that nobody waits for is passed over.
func (c *callee) next(t *testing.T, kind string) inbound {
	t.Helper()
	for {
		select {
		case in := <-c.calls:
			switch in.Type {
			case kind:
				return in
			case "credit":
				continue
			}
			t.Fatalf("got %+v, want a %s", in, kind)
		case <-time.After(patience):
			t.Fatalf("no %s came", kind)
		}
	}
}

func (c *callee) say(t *testing.T, format string, args ...any) {
	t.Helper()
	write(t, c.conn, fmt.Sprintf(format, args...))
}

// outcome is what a call came to.
type outcome struct {
	reply *magpie.Reply
	err   error
}

func codeOf(err error) string {
	if failure, ok := errors.AsType[*magpie.Error](err); ok {
		return string(failure.Code)
	}
	return ""
}

func start(ctx context.Context, gw *magpie.Gateway, to magpie.Target, opts magpie.CallOptions) <-chan outcome {
	done := make(chan outcome, 1)
	go func() {
		reply, err := gw.Call(ctx, to, "ui.confirm", map[string]int{"amount": 7}, opts)
		done <- outcome{reply, err}
	}()
	return done
}

func TestGatewayCallsClients(t *testing.T) {
	gw, connect := serving(t, magpie.Options{})
	c, session := newCallee(t, connect())
	for name, to := range map[string]magpie.Target{"user": magpie.User("dev"), "session": magpie.Session(session)} {
		var parts []string
		done := start(t.Context(), gw, to, magpie.CallOptions{
			Timeout:    time.Minute,
			Meta:       map[string]string{"traceparent": "00-1"},
			OnProgress: func(part magpie.Payload) { parts = append(parts, string(part.Bytes())) },
		})
		in := c.next(t, "call")
		if in.Method != "ui.confirm" || string(in.Data) != `{"amount":7}` || in.Meta["traceparent"] != "00-1" ||
			in.Caller.UserID != "magpie" || in.Caller.SessionID != "" || in.TimeoutMs < 59_000 || in.TimeoutMs > 60_000 {
			t.Errorf("%s: %+v", name, in)
		}
		credit := 16
		for i := range 40 {
			if credit == 0 {
				credit = c.next(t, "credit").Count
			}
			c.say(t, `{"type":"progress","requestId":%q,"data":%d}`, in.RequestID, i)
			credit--
		}
		c.say(t, `{"type":"reply","requestId":%q,"meta":{"by":"hand"},"data":{"ok":true}}`, in.RequestID)
		o := <-done
		var result struct{ OK bool }
		if o.err != nil || o.reply.Decode(&result) != nil || !result.OK || o.reply.Meta["by"] != "hand" || len(parts) != 40 || parts[39] != "39" {
			t.Errorf("%s: %+v, %v, parts %v", name, o.reply, o.err, parts)
		}
	}
}

func TestGatewayCallsFail(t *testing.T) {
	gw, connect := serving(t, magpie.Options{})
	if _, err := gw.Call(t.Context(), magpie.User("nobody"), "ui.confirm", nil, magpie.CallOptions{}); codeOf(err) != "not_found" {
		t.Errorf("nobody there: %v", err)
	}
	if _, err := gw.Call(t.Context(), magpie.Service(), "ui confirm", nil, magpie.CallOptions{}); codeOf(err) != "invalid_argument" {
		t.Errorf("a method that is none: %v", err)
	}
	if _, err := gw.Call(t.Context(), magpie.Service(), "ui.confirm", nil, magpie.CallOptions{Meta: map[string]string{strings.Repeat("k", 65): ""}}); codeOf(err) != "invalid_argument" {
		t.Errorf("meta that is too long: %v", err)
	}
	for name, test := range map[string]struct {
		arg  any
		meta map[string]string
	}{
		"text that is none":     {arg: "\xff"},
		"a large argument":      {arg: strings.Repeat("x", 10<<20)},
		"meta that is no text":  {meta: map[string]string{"k": "\xff"}},
		"a key that is no text": {meta: map[string]string{"\xff": ""}},
	} {
		if _, err := gw.Call(t.Context(), magpie.User("nobody"), "ui.confirm", test.arg, magpie.CallOptions{Meta: test.meta}); codeOf(err) != "invalid_argument" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := gw.Call(t.Context(), magpie.User("dev"), "ui.confirm", make(chan int), magpie.CallOptions{}); err == nil {
		t.Error("an argument that cannot be marshalled was taken")
	}
	c, session := newCallee(t, connect())
	to := magpie.Session(session)

	done := start(t.Context(), gw, to, magpie.CallOptions{})
	in := c.next(t, "call")
	c.say(t, `{"type":"error","requestId":%q,"error":{"code":"failed_precondition","message":"no","details":{"a":1}}}`, in.RequestID)
	o := <-done
	if failure, _ := errors.AsType[*magpie.Error](o.err); codeOf(o.err) != "failed_precondition" || string(failure.Details) != `{"a":1}` {
		t.Errorf("refused: %v", o.err)
	}

	done = start(t.Context(), gw, to, magpie.CallOptions{Timeout: 30 * time.Millisecond})
	in = c.next(t, "call")
	if o := <-done; codeOf(o.err) != "deadline_exceeded" {
		t.Errorf("too late: %v", o.err)
	}
	if cancel := c.next(t, "cancel"); cancel.RequestID != in.RequestID {
		t.Errorf("the cancel is for %q, want %q", cancel.RequestID, in.RequestID)
	}

	ctx, cancel := context.WithCancel(t.Context())
	done = start(ctx, gw, to, magpie.CallOptions{})
	c.next(t, "call")
	cancel()
	if o := <-done; codeOf(o.err) != "canceled" {
		t.Errorf("canceled: %v", o.err)
	}
	c.next(t, "cancel")

	done = start(t.Context(), gw, to, magpie.CallOptions{})
	in = c.next(t, "call")
	for range 100 {
		c.say(t, `{"type":"progress","requestId":%q,"data":1}`, in.RequestID)
	}
	c.say(t, `{"type":"reply","requestId":%q,"data":1}`, in.RequestID)
	if o := <-done; o.err != nil && codeOf(o.err) != "resource_exhausted" {
		t.Errorf("flooded: %v", o.err)
	}

	last, lastSession := newCallee(t, connect())
	done = start(t.Context(), gw, magpie.Session(lastSession), magpie.CallOptions{})
	last.next(t, "call")
	_ = last.conn.CloseNow()
	if o := <-done; codeOf(o.err) != "unavailable" {
		t.Errorf("gone: %v", o.err)
	}
}

// TestABurstOfLargeCallsIsAnswered has a client that reads all the time given more at once than may wait for a slow one.
func TestABurstOfLargeCallsIsAnswered(t *testing.T) {
	const rounds, burst = 10, 32
	gw, connect := serving(t, magpie.Options{})
	conn := connect()
	conn.SetReadLimit(1 << 20)
	c, _ := newCallee(t, conn)
	c.say(t, `{"type":"serve","requestId":"1","method":"large.job"}`)
	c.next(t, "served")
	var answering, calling sync.WaitGroup
	answering.Go(func() {
		for range rounds * burst {
			c.say(t, `{"type":"reply","requestId":%q}`, c.next(t, "call").RequestID)
		}
	})
	large := strings.Repeat("x", 60<<10)
	for range rounds {
		for range burst {
			calling.Go(func() {
				if _, err := gw.Call(t.Context(), magpie.Service(), "large.job", large, magpie.CallOptions{Timeout: patience}); err != nil {
					t.Error(err)
				}
			})
		}
		calling.Wait()
	}
	answering.Wait()
}

// TestGatewayAsksSeveral has each of many sessions answer with its name, and one of them not at all.
func TestGatewayAsksSeveral(t *testing.T) {
	gw, connect := serving(t, magpie.Options{})
	const many = 20
	var answering sync.WaitGroup
	for i := range many {
		c, _ := newCallee(t, connect())
		c.say(t, `{"type":"subscribe","requestId":"1","channel":"room.7"}`)
		c.next(t, "subscribed")
		answering.Go(func() {
			for range 2 {
				in := c.next(t, "call")
				if i == 0 {
					c.next(t, "cancel")
					continue
				}
				c.say(t, `{"type":"reply","requestId":%q,"text":"client %d"}`, in.RequestID, i)
			}
		})
	}
	for name, to := range map[string]magpie.Target{"user": magpie.AllOf("dev"), "members": magpie.Members("room.7")} {
		reply, err := gw.Call(t.Context(), to, "ui.ready", nil, magpie.CallOptions{Timeout: time.Second})
		if err != nil || reply.Asked != many || len(reply.Answers) != many-1 {
			t.Fatalf("%s: %+v, %v", name, reply, err)
		}
		heard := make(map[string]bool)
		for _, a := range reply.Answers {
			text, _ := a.Text()
			heard[text+a.SessionID] = a.UserID == "dev" && a.Err == nil
		}
		if len(heard) != many-1 {
			t.Errorf("%s: heard of %v", name, heard)
		}
	}
	answering.Wait()
	reply, err := gw.Call(t.Context(), magpie.Members("room.nobody"), "ui.ready", nil, magpie.CallOptions{})
	if err != nil || reply.Asked != 0 || reply.Answers != nil {
		t.Errorf("an empty channel: %+v, %v", reply, err)
	}
}

// TestGatewayCallsItsOwnHandler needs no client at all.
func TestGatewayCallsItsOwnHandler(t *testing.T) {
	gw, _ := serving(t, magpie.Options{})
	gw.Handle("job.run", func(ctx context.Context, r *magpie.Request) (any, error) {
		for i := range 100 {
			if err := r.Progress(i); err != nil {
				return nil, err
			}
		}
		if _, ok := ctx.Deadline(); !ok {
			return nil, errors.New("no deadline")
		}
		return "done", nil
	})
	parts := 0
	reply, err := gw.Call(t.Context(), magpie.Service(), "job.run", nil, magpie.CallOptions{OnProgress: func(magpie.Payload) { parts++ }})
	if err != nil {
		t.Fatal(err)
	}
	if text, ok := reply.Text(); !ok || text != "done" || parts != 100 {
		t.Errorf("%q, %d parts", text, parts)
	}
	reply, err = gw.Call(t.Context(), magpie.Service(), "magpie.echo", "hello", magpie.CallOptions{})
	if text, _ := reply.Text(); err != nil || text != "hello" {
		t.Errorf("echo: %q, %v", text, err)
	}
}

// TestShutdownFinishesCallsBetweenClients lets a call in hand be answered before the lines end.
func TestShutdownFinishesCallsBetweenClients(t *testing.T) {
	gw, connect := serving(t, magpie.Options{})
	server, _ := newCallee(t, connect())
	server.say(t, `{"type":"serve","requestId":"1","method":"slow.job"}`)
	server.next(t, "served")
	caller, _ := newCallee(t, connect())
	caller.say(t, `{"type":"call","requestId":"1","method":"slow.job"}`)
	in := server.next(t, "call")
	down := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
		defer cancel()
		down <- gw.Shutdown(ctx)
	}()
	for refused := false; !refused; { // once the drain has begun, new calls are refused
		caller.say(t, `{"type":"call","requestId":"2","method":"slow.job","timeoutMs":1}`)
		select {
		case e := <-caller.calls:
			refused = e.Error.Code == "unavailable"
		case <-server.calls:
		}
	}
	server.say(t, `{"type":"reply","requestId":%q,"data":1}`, in.RequestID)
	for {
		if e := <-caller.calls; e.Type == "reply" && e.RequestID == "1" {
			break
		} else if e.Type == "goodbye" || e.Type == "" {
			t.Fatal("the line ended before the reply came")
		}
	}
	_ = caller.conn.CloseNow()
	_ = server.conn.CloseNow()
	if err := <-down; err != nil {
		t.Error(err)
	}
}
