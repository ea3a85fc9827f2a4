package websocket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/netloop"
)

// Listen accepts the connections of ln on the event loops, where the upgrades to path are read and answered: without a
// goroutine and its stack and buffers for each. All other requests come out of the listener that it returns, for
// net/http. Where the loops cannot accept, that is ln itself, and net/http sees everything.
func (h *Handler) Listen(ln net.Listener, path string) (net.Listener, error) {
	rest := &remainder{Listener: ln, conns: make(chan net.Conn), closed: make(chan struct{})}
	e := &entry{handler: h, path: path, rest: rest}
	stop, err := h.opts.Group.Listen(ln, func(l *netloop.Loop, c netloop.Taken, remote netip.AddrPort) netloop.Handler {
		g := &greeter{entry: e, loop: l, conn: c, remote: remote}
		c.SetTimer(time.Now().Add(headTimeout))
		return g
	})
	if errors.Is(err, errors.ErrUnsupported) {
		return ln, nil
	}
	rest.stop = stop
	return rest, err
}

// The bounds of a request on its way in: whoever is slower or larger is not served.
const (
	headTimeout  = 10 * time.Second
	maxHeadBytes = 32 << 10
	// lingerTimeout is how long a client that was refused may take to read why.
	lingerTimeout = 2 * time.Second
)

// remainder is a listener for the connections that are none of WebSocket's.
type remainder struct {
	net.Listener
	stop   func()
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// Accept implements [net.Listener].
func (r *remainder) Accept() (net.Conn, error) {
	select {
	case nc := <-r.conns:
		return nc, nil
	case <-r.closed:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (r *remainder) Close() error {
	r.once.Do(func() {
		close(r.closed)
		r.stop()
	})
	if err := r.Listener.Close(); !errors.Is(err, net.ErrClosed) { // the loops close it too
		return err
	}
	return nil
}

// pass hands a connection to whoever accepts, and does not wait for that.
func (r *remainder) pass(nc net.Conn) {
	go func() {
		select {
		case r.conns <- nc:
		case <-r.closed:
			_ = nc.Close()
		}
	}()
}

// begunConn is a connection of which some bytes were read already.
type begunConn struct {
	net.Conn
	begun []byte
}

// Read implements [net.Conn].
func (c *begunConn) Read(b []byte) (int, error) {
	if len(c.begun) == 0 {
		return c.Conn.Read(b)
	}
	n := copy(b, c.begun)
	if c.begun = c.begun[n:]; len(c.begun) == 0 {
		c.begun = nil
	}
	return n, nil
}

// CloseWrite ends the sending side, as that of the connection beneath would.
func (c *begunConn) CloseWrite() error {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return half.CloseWrite()
}

// entry is what the connections of one listener have in common.
type entry struct {
	handler *Handler
	path    string
	rest    *remainder
}

// greeter reads the head of a connection's first request, and makes a line of the connection, or passes it on. It is the
// connection's handler only until then. Loop only.
type greeter struct {
	*entry
	loop   *netloop.Loop
	conn   netloop.Taken
	remote netip.AddrPort
	head   []byte // what came so far of a head in pieces
	over   bool   // refused, or the connection is gone
}

// headEnd is what stands behind the last line of a request's head.
var headEnd = []byte("\r\n\r\n")

// Read implements [netloop.Handler].
func (g *greeter) Read(b []byte) {
	if g.over {
		return
	}
	scanned := max(len(g.head)-len(headEnd)+1, 0) // no end of the head begins before it
	if len(g.head) > 0 {
		g.head = append(g.head, b...)
		b = g.head
	}
	if i := bytes.Index(b[scanned:], headEnd); i >= 0 {
		end := scanned + i + len(headEnd)
		g.request(b[:end], b[end:])
		return
	}
	if len(g.head) == 0 {
		g.head = bytes.Clone(b)
	}
	if len(g.head) > maxHeadBytes {
		g.refuse(&badRequest{status: http.StatusRequestHeaderFieldsTooLarge, reason: fmt.Sprintf("the head of a request has at most %d bytes", maxHeadBytes)})
	}
}

// request looks at the request of a whole head. What came behind it is the line's, or belongs to net/http as well.
func (g *greeter) request(head, behind []byte) {
	r := g.handler.heads[g.loop.Index()].read(head, g.path)
	if r == nil || len(head) > maxHeadBytes {
		g.passOn(append(bytes.Clone(head), behind...))
		return
	}
	r.RemoteAddr = g.remote.String()
	u, credential, bad := g.handler.examine(r)
	switch {
	case bad != nil:
		g.refuse(bad)
	case credential == nil:
		g.open(u, behind)
	case credential.Token == "":
		// Nothing was presented, so there is nothing to look up that could take long.
		u.principal, bad = g.handler.authenticated(g.handler.opts.Hub.Authenticate(context.Background(), *credential))
		g.decide(u, behind, bad)
	default:
		g.authenticate(u, *credential, bytes.Clone(behind))
	}
}

// authenticate asks a worker, and reads nothing meanwhile.
func (g *greeter) authenticate(u upgrade, credential auth.Credential, behind []byte) {
	select {
	case g.handler.slots <- struct{}{}:
	default:
		g.refuse(busy())
		return
	}
	g.conn.SetReading(false)
	g.handler.opts.Hub.AuthenticateAsync(context.Background(), credential, func(p *auth.Principal, err error) {
		<-g.handler.slots
		g.loop.Post(func() {
			if g.over {
				return
			}
			var bad *badRequest
			u.principal, bad = g.handler.authenticated(p, err)
			g.conn.SetReading(true)
			g.decide(u, behind, bad)
		})
	})
}

func (g *greeter) decide(u upgrade, behind []byte, bad *badRequest) {
	if bad != nil {
		g.refuse(bad)
		return
	}
	g.open(u, behind)
}

// open answers 101 and makes the connection a line.
func (g *greeter) open(u upgrade, behind []byte) {
	if bad := g.handler.enter(); bad != nil {
		g.refuse(bad)
		return
	}
	scratch := &g.handler.heads[g.loop.Index()].answer
	b := appendAnswer((*scratch)[:0], u)
	*scratch = b
	if n, err := g.conn.Write(b); err != nil || n < len(b) {
		// The first bytes of a connection always find room, unless it is broken.
		g.handler.opts.Hub.Leave()
		g.conn.Close()
		return
	}
	line := g.handler.line(g.loop, g.conn, u)
	g.conn.SetHandler(line)
	if len(behind) > 0 {
		line.Read(behind)
	}
}

// refuse answers with what is wrong, and ends the connection.
func (g *greeter) refuse(bad *badRequest) {
	g.over, g.head = true, nil
	b := fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\nContent-Length: %d\r\n",
		bad.status, http.StatusText(bad.status), len(bad.reason)+1)
	if bad.header[0] != "" {
		b = fmt.Appendf(b, "%s: %s\r\n", bad.header[0], bad.header[1])
	}
	b = fmt.Appendf(b, "\r\n%s\n", bad.reason)
	if n, err := g.conn.Write(b); err != nil || n < len(b) {
		g.conn.Close()
		return
	}
	g.conn.Shutdown()
	g.conn.SetReading(true)
	g.conn.SetTimer(time.Now().Add(lingerTimeout))
}

// passOn gives the connection to net/http, with what was read of it.
func (g *greeter) passOn(begun []byte) {
	g.over = true
	nc, err := g.conn.Detach()
	if err != nil {
		g.handler.opts.Hub.Logger().Debug("a connection could not be passed on", "error", err)
		return
	}
	g.rest.pass(&begunConn{Conn: nc, begun: begun})
}

// Writable implements [netloop.Handler].
func (g *greeter) Writable() {}

// Timer implements [netloop.Handler].
func (g *greeter) Timer(time.Time) { g.conn.Close() }

// Closed implements [netloop.Handler].
func (g *greeter) Closed(error) { g.over = true }
