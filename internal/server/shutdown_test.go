package server

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// Each of 200 clients is told to come back at a time of its own, and the times fill the window.
func TestClientsAreToldToComeBackSpreadOverTheWindow(t *testing.T) {
	const clients, window = 200, 10_000
	r := start(t, development+"shutdown: {drain: 10s, window: 10s}\n")
	all := make([]*client, clients)
	for i := range all {
		all[i] = r.dial(t, "")
		all[i].write(`{"type":"connect","requestId":"1"}`)
		all[i].until("connected")
	}
	r.stop()
	began := time.Now()
	var wg sync.WaitGroup
	times := make([]float64, clients)
	for i, c := range all {
		wg.Go(func() {
			f, err := c.tryRead()
			if err != nil || f.Type != "goodbye" || f.Code != float64(wire.CloseDraining) || f.RetryAfterMs < 0 || f.RetryAfterMs > window {
				t.Errorf("client %d was told %+v, %v", i, f, err)
			}
			times[i] = float64(f.RetryAfterMs)
			if err := c.end(); websocket.CloseStatus(err) != websocket.StatusCode(wire.CloseDraining) {
				t.Errorf("the line of client %d ended with %v", i, err)
			}
		})
	}
	wg.Wait()
	if err := r.wait(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("clients that leave at once were waited for %s", took)
	}
	// For an even spread, the mean and the share of each quarter lie within six standard deviations.
	sum, quarters := 0.0, [4]int{}
	for _, at := range times {
		sum += at
		quarters[min(int(at*4/window), 3)]++
	}
	if mean, deviation := sum/clients, window/math.Sqrt(12*clients); math.Abs(mean-window/2) > 6*deviation {
		t.Errorf("on average clients come back after %.0f ms, want about %d", mean, window/2)
	}
	for i, n := range quarters {
		if deviation := math.Sqrt(clients * 0.25 * 0.75); math.Abs(float64(n)-clients/4) > 6*deviation {
			t.Errorf("%d clients come back in quarter %d of the window, want about %d", n, i+1, clients/4)
		}
	}
}

// What hangs costs the drain time and no more; and it does not cost the others their goodbye.
func TestDrainIsBounded(t *testing.T) {
	const drain = time.Second
	r := start(t, development+"shutdown: {drain: 1s}\n")
	address := r.Addr().String()

	silent := dialTCP(t, address) // as browsers do, in case they need it
	defer silent.Close()
	hanging := dialTCP(t, address)
	defer hanging.Close()
	fmt.Fprintf(hanging, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{", publishPath, address)
	deaf := deafSubscriber(t, address)
	defer deaf.Close()
	eventually(t, "all of them are there", func() bool { return r.Gateway().Sessions() == 1 })
	polite := r.dial(t, "")
	polite.write(`{"type":"connect","requestId":"1"}`)
	polite.until("connected")
	for i := range 300 { // more than the kernel holds for a client
		status, _, body := ask(t, "POST", r.url(publishPath), fmt.Sprintf(`{"channel":"busy","messageId":"%d","text":"%s"}`, i, strings.Repeat("x", 60_000)), "Content-Type", "application/json")
		if status != http.StatusOK {
			t.Fatalf("status %d: %s", status, body)
		}
	}

	began := time.Now()
	r.stop()
	polite.until("goodbye")
	if took := time.Since(began); took > drain/2 {
		t.Errorf("the goodbye came after %s: it has waited for the clients that hang", took)
	}
	_ = polite.end()
	if err := r.wait(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took < drain || took > drain+2*time.Second {
		t.Errorf("the server ended after %s, want the %s that the clients may take", took, drain)
	}
	if err := hanging.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(hanging); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Errorf("the request that hangs was not cut off: %q, %v", rest, err)
	}
}

// The same holds for a gRPC call whose request never ends, and for the idle line that is left of one.
func TestDrainIsBoundedOverHTTP2(t *testing.T) {
	const drain = 500 * time.Millisecond
	r := start(t, development+"shutdown: {drain: 500ms}\n")
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols}
	defer transport.CloseIdleConnections()
	body, feed := io.Pipe()
	defer feed.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url(publishPath), body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/grpc")
	ended := make(chan error, 1)
	go func() {
		resp, err := transport.RoundTrip(req)
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
		ended <- err
	}()
	if _, err := feed.Write([]byte{0}); err != nil { // taken by the transport: the request is under way
		t.Fatal(err)
	}
	status, _, _ := ask(t, "GET", r.url("/healthz"), "")
	if status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	began := time.Now()
	r.stop()
	if err := r.wait(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > drain+2*time.Second {
		t.Errorf("the server ended after %s, want about the %s that requests may take", took, drain)
	}
	select {
	case <-ended:
	case <-time.After(patience):
		t.Error("the request still waits")
	}
}

func dialTCP(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// deafSubscriber subscribes to the channel busy, and never reads.
func deafSubscriber(t *testing.T, address string) net.Conn {
	t.Helper()
	conn := dialTCP(t, address)
	fmt.Fprintf(conn, "GET /ws HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", address)
	resp, err := http.ReadResponse(bufio.NewReaderSize(conn, 16), nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("the upgrade was answered %v, %v", resp, err)
	}
	defer resp.Body.Close()
	subscribe := `{"type":"subscribe","requestId":"1","channel":"busy"}`
	frame := append([]byte{0x81, 0x80 | byte(len(subscribe)), 0, 0, 0, 0}, subscribe...)
	if _, err := conn.Write(frame); err != nil {
		t.Fatal(err)
	}
	return conn
}

// Every message that was appended has been answered, whichever way it came, and however the end fell.
func TestAcceptedPublishesAreAnswered(t *testing.T) {
	r := start(t, development)
	metrics := &r.Gateway().hub.Metrics
	var answered atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		c := r.dial(t, "")
		// What is not answered yet has to be read within the seconds that a client has for its goodbye.
		open := make(chan struct{}, 200)
		gone := make(chan struct{})
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case open <- struct{}{}:
				case <-gone:
					return
				}
				frame := fmt.Appendf(nil, `{"type":"publish","requestId":"%d","channel":"a","data":%d}`, i, i)
				if c.conn.Write(t.Context(), websocket.MessageText, frame) != nil {
					return // the line is gone
				}
			}
		})
		wg.Go(func() {
			defer close(gone)
			for {
				f, err := c.tryRead()
				if err != nil {
					return
				}
				if f.Type == "published" {
					answered.Add(1)
					<-open
				}
			}
		})
		wg.Go(func() {
			transport := &http.Transport{}
			defer transport.CloseIdleConnections()
			for {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url(publishPath), strings.NewReader(`{"channel":"a","data":1}`))
				if err != nil {
					t.Error(err)
					return
				}
				req.Header.Set("Content-Type", "application/json")
				resp, err := transport.RoundTrip(req)
				if err != nil {
					return // the server is gone
				}
				if resp.StatusCode == http.StatusOK {
					answered.Add(1)
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
			}
		})
	}
	eventually(t, "publishing is in full swing", func() bool { return metrics.Published.Load() > 5000 })
	r.stop()
	if err := r.wait(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	if appended := metrics.Published.Load(); appended != answered.Load() {
		t.Errorf("%d messages were appended, %d were answered", appended, answered.Load())
	}
}

func TestReadinessEndsWithTheDrain(t *testing.T) {
	g := newGateway(t, development+"shutdown: {drain: 10s}\n")
	web := httptest.NewServer(g.Handler())
	defer web.Close()
	r := &running{t: t, Server: &Server{listener: web.Listener}}
	c := r.dial(t, "")
	c.write(`{"type":"connect","requestId":"1"}`)
	c.until("connected")
	if status, _, _ := ask(t, "GET", web.URL+"/readyz", ""); status != http.StatusOK {
		t.Errorf("before: status %d", status)
	}
	ended := make(chan error, 1)
	go func() { ended <- g.Shutdown(t.Context()) }()
	eventually(t, "the gateway drains", g.hub.Draining)
	status, _, body := ask(t, "GET", web.URL+"/readyz", "")
	if status != http.StatusServiceUnavailable || body != "draining\n" {
		t.Errorf("while it drains: status %d, %q", status, body)
	}
	if _, resp, err := r.tryDial(t, ""); err == nil || resp == nil || resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("a client that comes now gets %v, %v", resp, err)
	}
	c.until("goodbye")
	_ = c.end()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// newGateway makes a gateway that the test serves itself; by its end nothing of it may be left.
func newGateway(t *testing.T, text string) *Gateway {
	t.Helper()
	before := census()
	g, err := NewGateway(Options{Config: parse(t, text)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Shutdown(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
		before.expect(t)
	})
	return g
}

// A program may end its gateway in more than one place.
func TestShutdownAgainChangesNothing(t *testing.T) {
	g := newGateway(t, development)
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if err := g.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// late is a writer whose connection is handed over only when the test lets it (http.Hijacker).
type late struct {
	http.ResponseWriter
	arrived, proceed chan struct{}
}

func (l late) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	close(l.arrived)
	<-l.proceed
	return http.NewResponseController(l.ResponseWriter).Hijack()
}

// A handshake that was under way when everybody was told to leave ends with the same words.
func TestHandshakeDuringTheDrainIsToldToo(t *testing.T) {
	g := newGateway(t, development)
	l := late{arrived: make(chan struct{}), proceed: make(chan struct{})}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.Handler().ServeHTTP(late{w, l.arrived, l.proceed}, r)
	}))
	defer web.Close()
	r := &running{t: t, Server: &Server{listener: web.Listener}}
	told := make(chan frame, 1)
	go func() {
		c, _, err := r.tryDial(t, "")
		if err != nil {
			t.Error(err)
			close(told)
			return
		}
		f, _ := c.tryRead()
		told <- f
		_ = c.end()
	}()
	<-l.arrived
	ended := make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	go func() { ended <- g.Shutdown(ctx) }()
	eventually(t, "the gateway drains", g.hub.Draining)
	loops := make(chan struct{})
	for _, loop := range g.group.Loops() { // what was posted before is done when this is
		loop.Post(func() { loops <- struct{}{} })
		<-loops
	}
	close(l.proceed)
	if f := <-told; f.Type != "goodbye" || f.Code != float64(wire.CloseDraining) {
		t.Errorf("the late client was told %+v", f)
	}
	if err := <-ended; err != nil || ctx.Err() != nil {
		t.Errorf("the gateway ended with %v (%v)", err, ctx.Err())
	}
}
