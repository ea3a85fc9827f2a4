package websocket

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/magpie-bridge/magpie/internal/netloop"
)

func ownRig(t *testing.T, opts rigOptions) *rig {
	t.Helper()
	opts.driver, opts.own = netloop.DriverEpoll, true
	return newRig(t, opts)
}

func TestHeadInPieces(t *testing.T) {
	r := ownRig(t, rigOptions{})
	for _, size := range []int{1, 2, 3, 50} {
		c := r.connectRaw(t)
		for piece := range piecesOf(handshake(r.address()), size) {
			c.send(piece)
			time.Sleep(100 * time.Microsecond) // so that most pieces are read by themselves; nothing depends on it
		}
		if res := c.response(); res.StatusCode != http.StatusSwitchingProtocols {
			t.Errorf("in pieces of %d: %s", size, res.Status)
		}
		c.send(whole(opText, "ping"))
		c.want(opText, "pong")
	}
}

func piecesOf(s string, size int) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(s) > 0 && yield([]byte(s[:min(size, len(s))])) {
			s = s[min(size, len(s)):]
		}
	}
}

func TestHeadThatNeverEnds(t *testing.T) {
	r := ownRig(t, rigOptions{})
	for name, sent := range map[string]string{
		"many lines":    "GET /any HTTP/1.1\r\n" + strings.Repeat("X-A: b\r\n", maxHeadBytes/8),
		"one long line": "GET /any HTTP/1.1\r\nX-A: " + strings.Repeat("b", maxHeadBytes),
	} {
		c := r.connectRaw(t)
		c.send([]byte(sent))
		if res := c.response(); res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("%s: %s", name, res.Status)
		}
	}
}

// TestOtherRequestsReachTheirHandlers: several on one connection, with bodies larger than what the loop has read.
func TestOtherRequestsReachTheirHandlers(t *testing.T) {
	r := ownRig(t, rigOptions{})
	client := r.server.Client()
	for _, size := range []int{0, 10, 200_000} {
		res, err := client.Post(r.server.URL+"/publish", "text/plain", bytes.NewReader(make([]byte, size)))
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(res.Body)
		if want := fmt.Sprintf("POST /publish %d <nil> 127.0.0.1:", size); err != nil || !strings.HasPrefix(string(b), want) {
			t.Errorf("%q, %v; want %q", b, err, want)
		}
		if err := res.Body.Close(); err != nil {
			t.Fatal(err)
		}
	}
	client.CloseIdleConnections()

	c := r.connectRaw(t)
	c.send([]byte("this is no HTTP\r\n\r\n"))
	if res := c.response(); res.StatusCode != http.StatusBadRequest {
		t.Errorf("what is no HTTP is answered %s", res.Status)
	}
}

// taken is a connection of a test's own.
type taken struct {
	written            bytes.Buffer
	full               bool
	handler            netloop.Handler
	closed, shut, gone bool
}

func (c *taken) Write(b []byte) (int, error) {
	if c.full {
		return 0, nil
	}
	return c.written.Write(b)
}
func (c *taken) SetTimer(time.Time)           {}
func (c *taken) SetReading(bool)              {}
func (c *taken) Shutdown()                    { c.shut = true }
func (c *taken) Close()                       { c.closed = true }
func (c *taken) SetHandler(h netloop.Handler) { c.handler = h }
func (c *taken) Detach() (net.Conn, error)    { c.gone = true; return nil, net.ErrClosed }
func (c *taken) greeter(r *rig, h *Handler) *greeter {
	return &greeter{entry: &entry{handler: h, path: "/any"}, loop: r.group.Loops()[0], conn: c, remote: netip.MustParseAddrPort("127.0.0.1:1")}
}

func TestWhoeverIsSilentIsClosed(t *testing.T) {
	r := ownRig(t, rigOptions{})
	c := &taken{}
	g := c.greeter(r, r.handler)
	g.Read([]byte("GET /any HT"))
	if c.closed {
		t.Fatal("closed before its time")
	}
	g.Timer(time.Now())
	if !c.closed {
		t.Error("a request that does not come is waited for without end")
	}
}

func TestRefusalIsReadBeforeTheEnd(t *testing.T) {
	r := ownRig(t, rigOptions{})
	c := &taken{}
	g := c.greeter(r, r.handler)
	g.Read([]byte(handshake("evil.example")))
	if got := c.written.String(); !strings.HasPrefix(got, "HTTP/1.1 403 Forbidden\r\n") || !c.shut || c.closed {
		t.Errorf("%q, shut %v, closed %v", got, c.shut, c.closed)
	}
	before := c.written.Len()
	g.Read([]byte(handshake("localhost")))
	if c.written.Len() != before {
		t.Error("a second request is answered behind a refusal")
	}
	r.sessions(t, 0)
}

func TestAnswerThatFindsNoRoom(t *testing.T) {
	r := ownRig(t, rigOptions{})
	c := &taken{full: true}
	c.greeter(r, r.handler).Read([]byte(handshake("localhost")))
	if !c.closed || c.handler != nil {
		t.Error("a connection that takes no answer became a line")
	}
	r.sessions(t, 0)
}
