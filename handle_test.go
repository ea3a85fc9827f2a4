package magpie_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/magpie-bridge/magpie"
)

// serving starts a gateway with handlers, and connects to it.
func serving(t *testing.T, opts magpie.Options) (*magpie.Gateway, func() *websocket.Conn) {
	t.Helper()
	opts.Development, opts.NoConsole = true, true
	gw := newGateway(t, opts)
	srv := httptest.NewServer(gw.Handler())
	t.Cleanup(srv.Close)
	return gw, func() *websocket.Conn { return dial(t, srv.Client(), srv.URL+"/ws") }
}

// answer reads up to the next frame that answers a call.
func answer(t *testing.T, conn *websocket.Conn) message {
	t.Helper()
	for {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		_, data, err := conn.Read(ctx)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		var m message
		if err := json.Unmarshal(data, &m); err != nil {
			t.Fatal(err)
		}
		if m.Type == "reply" || m.Type == "error" || m.Type == "progress" {
			return m
		}
	}
}

type quoteRequest struct{ Symbol string }

type quoteReply struct {
	Symbol string `json:"symbol"`
	Price  int    `json:"price"`
}

func TestHandlersAnswer(t *testing.T) {
	gw, connect := serving(t, magpie.Options{})
	gw.Handle("pricing.quote", magpie.Typed(func(_ context.Context, in quoteRequest) (quoteReply, error) {
		if in.Symbol == "" {
			return quoteReply{}, &magpie.Error{Code: "not_found", Message: "no symbol", Details: []byte(`{"n":1}`)}
		}
		return quoteReply{in.Symbol, 7}, nil
	}))
	gw.Handle("test.text", func(_ context.Context, r *magpie.Request) (any, error) {
		text, ok := r.Text()
		return fmt.Sprintf("%s %s %t %s %s", r.UserID, text, ok, r.Meta["trace"], r.Bytes()), nil
	})
	gw.Handle("test.bytes", func(context.Context, *magpie.Request) (any, error) { return []byte{1, 2}, nil })
	gw.Handle("test.nothing", func(context.Context, *magpie.Request) (any, error) { return nil, nil })
	gw.Handle("test.fails", func(context.Context, *magpie.Request) (any, error) { return nil, errors.New("the secret reason") })
	gw.Handle("test.panics", func(context.Context, *magpie.Request) (any, error) { panic("the secret reason") })
	gw.Handle("test.large", func(context.Context, *magpie.Request) (any, error) { return strings.Repeat("x", 10<<20), nil })
	gw.Handle("test.unmarshallable", func(context.Context, *magpie.Request) (any, error) { return make(chan int), nil })
	gw.Handle("test.garbage", func(context.Context, *magpie.Request) (any, error) { return "\xff", nil })
	gw.Handle("test.part", func(_ context.Context, r *magpie.Request) (any, error) {
		kind, _ := r.Text()
		return nil, r.Progress(map[string]any{"large": strings.Repeat("x", 10<<20), "garbage": "\xff"}[kind])
	})
	gw.Handle("test.details", func(context.Context, *magpie.Request) (any, error) {
		return nil, &magpie.Error{Code: "not_found", Details: []byte(`{oops`)}
	})
	gw.Handle("test.code", func(context.Context, *magpie.Request) (any, error) { return nil, &magpie.Error{Code: "made_up"} })
	conn := connect()
	for _, test := range []struct{ call, want string }{
		{`"method":"pricing.quote","data":{"symbol":"ACME"}`, `reply {"symbol":"ACME","price":7}`},
		{`"method":"pricing.quote","data":{}`, `error not_found{"n":1}`},
		{`"method":"pricing.quote","data":[]`, `error invalid_argument`},
		{`"method":"pricing.quote","text":"ACME"`, `error invalid_argument`},
		{`"method":"test.text","text":"hello","meta":{"trace":"t1"}`, `reply dev hello true t1 hello`},
		{`"method":"test.bytes"`, `reply AQI=`},
		{`"method":"test.nothing"`, `reply `},
		{`"method":"test.fails"`, `error internal`},
		{`"method":"test.panics"`, `error internal`},
		{`"method":"test.large"`, `error resource_exhausted`},
		{`"method":"test.unmarshallable"`, `error internal`},
		{`"method":"test.garbage"`, `error internal`},
		{`"method":"test.part","text":"large"`, `error resource_exhausted`},
		{`"method":"test.part","text":"garbage"`, `error internal`},
		{`"method":"test.details"`, `error not_found`},
		{`"method":"test.code"`, `error unknown`},
		{`"method":"test.nobody"`, `error not_found`},
	} {
		write(t, conn, `{"type":"call","requestId":"1",`+test.call+`}`)
		m := answer(t, conn)
		got := m.Type + " " + m.Error.Code + string(m.Error.Details) + string(m.Data) + m.Text + m.Base64
		if got != test.want || m.RequestID != "1" {
			t.Errorf("%s: got %q to %q, want %q", test.call, got, m.RequestID, test.want)
		}
		if strings.Contains(m.Error.Message, "secret") {
			t.Errorf("%s: the caller is told %q", test.call, m.Error.Message)
		}
	}
}

func TestHandleRefuses(t *testing.T) {
	gw, _ := serving(t, magpie.Options{})
	nothing := func(context.Context, *magpie.Request) (any, error) { return nil, nil }
	gw.Handle("a.b", nothing)
	for _, method := range []string{"a.b", "magpie.mine", "", "a..b", "a b"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q was taken", method)
				}
			}()
			gw.Handle(method, nothing)
		}()
	}
}

// TestCallsAtOnce has many clients with many calls each under way, which are answered out of their order: each gets each of
// its answers once.
func TestCallsAtOnce(t *testing.T) {
	const clients, calls = 50, 40
	gw, connect := serving(t, magpie.Options{Calls: magpie.CallLimits{Waiting: clients * calls}})
	gw.Handle("test.add", magpie.Typed(func(_ context.Context, in [2]int) (int, error) {
		time.Sleep(time.Duration((in[0]*7+in[1]*13)%5) * time.Millisecond)
		return in[0]*1000 + in[1], nil
	}))
	var wg sync.WaitGroup
	for c := range clients {
		conn := connect()
		wg.Go(func() {
			for i := range calls {
				text := fmt.Sprintf(`{"type":"call","requestId":"%d","method":"test.add","data":[%d,%d]}`, i, c, i)
				if err := conn.Write(t.Context(), websocket.MessageText, []byte(text)); err != nil {
					t.Error(err)
					return
				}
			}
			seen := map[string]bool{}
			for len(seen) < calls {
				_, data, err := conn.Read(t.Context())
				var m message
				if err == nil {
					err = json.Unmarshal(data, &m)
				}
				if err != nil {
					t.Error(err)
					return
				}
				if m.Type == "connected" {
					continue
				}
				var i int
				_, _ = fmt.Sscan(m.RequestID, &i)
				if seen[m.RequestID] || string(m.Data) != fmt.Sprint(c*1000+i) {
					t.Errorf("client %d got %s", c, data)
					return
				}
				seen[m.RequestID] = true
			}
		})
	}
	wg.Wait()
}

func TestCallsEnd(t *testing.T) {
	gw, connect := serving(t, magpie.Options{Calls: magpie.CallLimits{MaxTimeout: 200 * time.Millisecond}})
	ends := make(chan error, 1)
	gw.Handle("test.hangs", func(ctx context.Context, r *magpie.Request) (any, error) {
		_ = r.Progress("begun") // it may be over before that is known to have arrived
		<-ctx.Done()
		ends <- ctx.Err()
		return "late", nil
	})
	ended := func(want error) {
		t.Helper()
		select {
		case err := <-ends:
			if !errors.Is(err, want) {
				t.Errorf("the context ended with %v, want %v", err, want)
			}
		case <-time.After(patience):
			t.Fatal("the handler was never told")
		}
	}
	conn := connect()
	begin := func(conn *websocket.Conn, text string) {
		t.Helper()
		write(t, conn, text)
		if m := answer(t, conn); m.Type != "progress" || m.Text != "begun" {
			t.Fatalf("got %+v", m)
		}
	}

	begin(conn, `{"type":"call","requestId":"1","method":"test.hangs","timeoutMs":30}`)
	if m := answer(t, conn); m.Error.Code != "deadline_exceeded" || m.RequestID != "1" {
		t.Errorf("in time came %+v", m)
	}
	ended(context.DeadlineExceeded)

	begin(conn, `{"type":"call","requestId":"2","method":"test.hangs","timeoutMs":3600000}`) // more than it may ask for
	if m := answer(t, conn); m.Error.Code != "deadline_exceeded" || m.RequestID != "2" {
		t.Errorf("in time came %+v", m)
	}
	ended(context.DeadlineExceeded)

	begin(conn, `{"type":"call","requestId":"3","method":"test.hangs"}`)
	write(t, conn, `{"type":"call","requestId":"3","method":"test.hangs"}`)
	if m := answer(t, conn); m.Error.Code != "already_exists" {
		t.Errorf("a second call of that id: %+v", m)
	}
	write(t, conn, `{"type":"cancel","requestId":"3"}`)
	if m := answer(t, conn); m.Error.Code != "canceled" || m.RequestID != "3" {
		t.Errorf("canceled: %+v", m)
	}
	ended(context.Canceled)
	write(t, conn, `{"type":"cancel","requestId":"3"}`) // too late, which is no fault

	other := connect()
	begin(other, `{"type":"call","requestId":"4","method":"test.hangs","timeoutMs":60000}`)
	_ = other.CloseNow()
	ended(context.Canceled)

	write(t, conn, `{"type":"call","requestId":"5","method":"magpie.echo","data":5}`)
	if m := answer(t, conn); m.RequestID != "5" || string(m.Data) != "5" {
		t.Errorf("after all that: %+v", m)
	}
}

// TestWorkersAreBounded fills the workers and the queue: what is more is refused, the line goes on, and what waited is begun in
// its order.
func TestWorkersAreBounded(t *testing.T) {
	gw, connect := serving(t, magpie.Options{Calls: magpie.CallLimits{Workers: 1, Waiting: 3}})
	release := make(chan struct{})
	var mu sync.Mutex
	var begun []string
	gw.Handle("test.waits", func(_ context.Context, r *magpie.Request) (any, error) {
		mu.Lock()
		begun = append(begun, string(r.Bytes()))
		mu.Unlock()
		<-release
		return nil, nil
	})
	conn := connect()
	write(t, conn, `{"type":"call","requestId":"0","method":"test.waits","data":0}`)
	for begins := time.Now(); ; time.Sleep(time.Millisecond) {
		mu.Lock()
		n := len(begun)
		mu.Unlock()
		if n == 1 {
			break
		}
		if time.Since(begins) > patience {
			t.Fatal("the first call was never begun")
		}
	}
	for i := 1; i <= 5; i++ {
		write(t, conn, fmt.Sprintf(`{"type":"call","requestId":"%d","method":"test.waits","data":%d}`, i, i))
	}
	for _, id := range []string{"4", "5"} {
		if m := answer(t, conn); m.RequestID != id || m.Error.Code != "resource_exhausted" || !m.Error.Retryable {
			t.Errorf("call %s: %+v", id, m)
		}
	}
	write(t, conn, `{"type":"call","requestId":"6","method":"magpie.echo"}`)
	if m := answer(t, conn); m.RequestID != "6" || m.Type != "reply" {
		t.Errorf("the gateway's own methods wait for handlers: %+v", m)
	}
	close(release)
	for _, id := range []string{"0", "1", "2", "3"} {
		if m := answer(t, conn); m.RequestID != id || m.Type != "reply" {
			t.Errorf("call %s: %+v", id, m)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if got := fmt.Sprint(begun); got != "[0 1 2 3]" {
		t.Errorf("begun were %s", got)
	}
}

// TestProgressWaitsForCredit shows that a caller which takes no more is sent no more.
func TestProgressWaitsForCredit(t *testing.T) {
	const parts, initial = 100, 16
	gw, connect := serving(t, magpie.Options{})
	var sent atomic.Int64
	gw.Handle("test.parts", func(_ context.Context, r *magpie.Request) (any, error) {
		for i := range parts {
			if err := r.Progress(i); err != nil {
				return nil, err
			}
			sent.Add(1)
		}
		return "done", nil
	})
	conn := connect()
	write(t, conn, `{"type":"call","requestId":"1","method":"test.parts"}`)
	next := 0
	read := func(n int) {
		t.Helper()
		for range n {
			if m := answer(t, conn); m.Type != "progress" || string(m.Data) != fmt.Sprint(next) {
				t.Fatalf("part %d: %+v", next, m)
			}
			next++
		}
	}
	read(initial)
	write(t, conn, `{"type":"call","requestId":"2","method":"magpie.echo"}`)
	if m := answer(t, conn); m.RequestID != "2" {
		t.Fatalf("without a credit came %+v", m)
	}
	write(t, conn, `{"type":"credit","requestId":"1","count":10}`)
	read(10)
	if n := sent.Load(); n > initial+10 {
		t.Errorf("%d parts were sent for %d credits", n, initial+10)
	}
	write(t, conn, `{"type":"credit","requestId":"1","count":1000000}`)
	read(parts - next)
	if m := answer(t, conn); m.Type != "reply" || m.Text != "done" {
		t.Errorf("at last came %+v", m)
	}
}

// TestShutdownFinishesCalls shows that what runs is answered before the goodbye, and that nothing new is begun.
func TestShutdownFinishesCalls(t *testing.T) {
	gw, connect := serving(t, magpie.Options{})
	begun, release := make(chan struct{}), make(chan struct{})
	gw.Handle("test.waits", func(context.Context, *magpie.Request) (any, error) {
		close(begun)
		<-release
		return "done", nil
	})
	conn := connect()
	write(t, conn, `{"type":"call","requestId":"1","method":"test.waits"}`)
	<-begun
	down := make(chan error, 1)
	go func() { down <- gw.Shutdown(t.Context()) }()
	for {
		write(t, conn, `{"type":"call","requestId":"2","method":"test.waits","timeoutMs":1}`)
		if m := answer(t, conn); m.Error.Code == "unavailable" {
			break
		}
	}
	close(release)
	if m := answer(t, conn); m.RequestID != "1" || m.Text != "done" {
		t.Errorf("got %+v", m)
	}
	until(t, conn, "goodbye")
	_ = conn.CloseNow()
	if err := <-down; err != nil {
		t.Error(err)
	}
}
