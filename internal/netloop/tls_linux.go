package netloop

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A TLS line without a goroutine: crypto/tls works on a connection that never blocks. What the loop reads from the socket
// is laid before it, and when that is used up it is told so by an error that is temporary, which leaves it as it was, with
// the beginning of a record in its own buffer. What it writes goes to the socket, and what the kernel does not take is
// kept.
//
//	handler <- plaintext  - tlsLine - tls.Conn - switchConn - records -> fdConn

const (
	// plainBytes is the most a record carries (RFC 8446, section 5.1).
	plainBytes = 16 << 10
	// maxUnsent bounds what waits for the kernel's room. Only answers to key updates can be more than a record and a few
	// alerts: a peer that asks for them and reads nothing.
	maxUnsent = 64 << 10
)

// errNothingYet tells crypto/tls that the bytes end here for now.
var errNothingYet net.Error = nothingYet{}

type nothingYet struct{}

func (nothingYet) Error() string   { return "netloop: nothing to read yet" }
func (nothingYet) Timeout() bool   { return true }
func (nothingYet) Temporary() bool { return true } // crypto/tls goes by it

var errUnread = errors.New("netloop: the peer makes TLS answer and reads none of it")

// tlsBuffers are what the TLS lines of a loop share. Loop only.
type tlsBuffers struct {
	plain  [plainBytes]byte // read; longer reads of a handler would gain nothing
	gather [plainBytes]byte // to be written as one record
}

// switchConn is the connection beneath TLS: a socket until the handshake is done, and then a part of a loop.
type switchConn struct {
	*net.TCPConn
	line *tlsLine // nil until the loop has it; loop only from then on
}

// switchListener makes its connections ready to change over.
type switchListener struct{ net.Listener }

// Accept implements [net.Listener].
func (l switchListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if socket, ok := nc.(*net.TCPConn); ok && err == nil {
		return &switchConn{TCPConn: socket}, nil
	}
	return nc, err
}

func (p *epoll) beneathTLS(ln net.Listener) net.Listener { return switchListener{ln} }

// Read implements [net.Conn].
func (c *switchConn) Read(b []byte) (int, error) {
	switch {
	case c.line == nil:
		return c.TCPConn.Read(b)
	case len(c.line.raw) == 0:
		return 0, errNothingYet
	}
	n := copy(b, c.line.raw)
	c.line.raw = c.line.raw[n:]
	return n, nil
}

// Write implements [net.Conn].
func (c *switchConn) Write(b []byte) (int, error) {
	if c.line == nil {
		return c.TCPConn.Write(b)
	}
	return c.line.send(b)
}

// Close implements [net.Conn]. The loop closes its sockets itself.
func (c *switchConn) Close() error {
	if c.line == nil {
		return c.TCPConn.Close()
	}
	return nil
}

// SetDeadline implements [net.Conn]. Nothing waits on a loop, so there is nothing to limit.
func (c *switchConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline implements [net.Conn].
func (c *switchConn) SetReadDeadline(t time.Time) error {
	if c.line == nil {
		return c.TCPConn.SetReadDeadline(t)
	}
	return nil
}

// SetWriteDeadline implements [net.Conn].
func (c *switchConn) SetWriteDeadline(t time.Time) error {
	if c.line == nil {
		return c.TCPConn.SetWriteDeadline(t)
	}
	return nil
}

// switchable returns what is beneath a TLS connection that a loop can take over, or nil.
func switchable(nc net.Conn) *switchConn {
	secure, ok := nc.(*tls.Conn)
	if !ok || !secure.ConnectionState().HandshakeComplete {
		return nil
	}
	inner, _ := secure.NetConn().(*switchConn)
	return inner
}

// addTLS begins a TLS line, whose socket is fd from now on.
func (p *epoll) addTLS(fd int, secure *tls.Conn, inner *switchConn, o opening) {
	if p.tls == nil {
		p.tls = new(tlsBuffers)
	}
	inner.TCPConn = new(net.TCPConn) // it was closed
	line := &tlsLine{conn: secure, reading: true}
	p.add(fd, opening{newHandler: func(l *Loop, c Conn) Handler {
		line.socket = c.(*fdConn)
		inner.line = line
		line.handler = o.newHandler(l, line)
		return line
	}})
	p.loop.guard(&line.socket.life, func() {
		if len(o.buffered) > 0 && !line.socket.over() {
			line.handler.Read(o.buffered)
		}
		line.drain() // crypto/tls may have read on behind the handshake
	})
}

// tlsLine is a TLS connection on a loop: the handler of its socket, and the connection of its own handler. Loop only.
type tlsLine struct {
	socket  *fdConn
	conn    *tls.Conn
	handler Handler
	raw     []byte // records, or parts of them, that crypto/tls has not taken yet; the loop's buffer, or its own if halted
	unsent  []byte // records, or parts of them, that the kernel has not taken yet
	broken  error  // of a write within crypto/tls
	reading bool
	halted  bool // reading was stopped before all that had come was handed over
	starved bool // a Write was cut short: Writable is owed
}

// Read implements [Handler] for the socket.
func (c *tlsLine) Read(b []byte) {
	c.raw = b // it was used up, or the socket would not be read
	c.drain()
}

// drain hands over what has come, until reading is stopped.
func (c *tlsLine) drain() {
	plain := c.socket.poller.tls.plain[:]
	for c.reading && !c.socket.over() {
		n, err := 0, error(nil)
		for n < len(plain) && err == nil {
			var more int
			more, err = c.conn.Read(plain[n:])
			n += more
		}
		if n > 0 {
			c.handler.Read(plain[:n])
		}
		if err == nil || !c.reading || c.socket.over() {
			continue // an error comes again
		}
		c.settle()
		if err != errNothingYet { //nolint:errorlint // crypto/tls passes it on as it is
			c.socket.closeWith(err)
			return
		}
		c.halted, c.raw = false, nil
		c.socket.SetReading(true)
		return
	}
	c.halted, c.raw = true, bytes.Clone(c.raw)
}

// Writable implements [Handler] for the socket.
func (c *tlsLine) Writable() {
	unsent := c.unsent
	c.unsent = nil
	if _, err := c.send(unsent); err == nil && len(c.unsent) == 0 && c.starved {
		c.starved = false
		c.handler.Writable()
	}
	c.settle()
}

// Timer implements [Handler] for the socket.
func (c *tlsLine) Timer(now time.Time) { c.handler.Timer(now) }

// Closed implements [Handler] for the socket.
func (c *tlsLine) Closed(err error) { c.handler.Closed(err) }

// send passes records to the kernel, and keeps what it does not take. It is called from within crypto/tls, which holds
// locks of its own: what could lead back there is left to settle.
func (c *tlsLine) send(records []byte) (int, error) {
	n, err := 0, c.broken
	for len(c.unsent) == 0 && n < len(records) && err == nil {
		var took int
		took, err = writeSocket(int(c.socket.fd), records[n:])
		n += took
		if errors.Is(err, unix.EINTR) {
			err = nil
		}
	}
	switch {
	case err != nil && !errors.Is(err, unix.EAGAIN):
		c.broken = os.NewSyscallError("write", err)
	case len(c.unsent)+len(records)-n > maxUnsent:
		c.broken = errUnread
	default:
		c.unsent = append(c.unsent, records[n:]...)
		return len(records), nil
	}
	return n, c.broken
}

// settle follows whatever made crypto/tls write.
func (c *tlsLine) settle() {
	if c.broken != nil {
		c.socket.closeWith(c.broken)
	} else if len(c.unsent) > 0 || c.starved {
		c.socket.watch(c.socket.interest | unix.EPOLLOUT)
	}
}

// Write implements [Conn]. It takes record after record, as long as the kernel has room for them.
func (c *tlsLine) Write(b []byte) (int, error) {
	if c.socket.over() {
		return 0, net.ErrClosed
	}
	n := 0
	for n < len(b) && len(c.unsent) == 0 {
		took, err := c.conn.Write(b[n:min(n+plainBytes, len(b))])
		if err != nil {
			c.socket.closeWith(err)
			return n, err
		}
		n += took
	}
	if n < len(b) {
		c.starved = true
	}
	c.settle()
	return n, nil
}

// writev implements gatherer: small parts share a record.
func (c *tlsLine) writev(parts [][]byte) (int, error) {
	n, batch := 0, c.socket.poller.tls.gather[:0]
	for _, part := range parts {
		for len(part) > 0 {
			room := min(len(part), plainBytes-len(batch))
			batch, part = append(batch, part[:room]...), part[room:]
			if len(batch) < plainBytes {
				continue
			}
			took, err := c.Write(batch)
			n += took
			if err != nil || took < len(batch) {
				return n, err
			}
			batch = batch[:0]
		}
	}
	took, err := c.Write(batch)
	return n + took, err
}

// SetTimer implements [Conn].
func (c *tlsLine) SetTimer(at time.Time) { c.socket.SetTimer(at) }

// SetReading implements [Conn]. The socket is read again once what had come before was handed over.
func (c *tlsLine) SetReading(on bool) {
	c.reading = on
	if on && c.halted {
		c.socket.poller.loop.Post(func() { c.socket.poller.loop.guard(&c.socket.life, c.drain) })
		return
	}
	c.socket.SetReading(on)
}

// Shutdown implements [Conn].
func (c *tlsLine) Shutdown() {
	if !c.socket.over() {
		_ = c.conn.CloseWrite() // a connection that is gone already is told by settle, or by the next event
		c.settle()
	}
}

// Close implements [Conn].
func (c *tlsLine) Close() { c.socket.Close() }

// part implements parting: it tells the peer, unless it is gone.
func (c *tlsLine) part(err error) {
	if _, gone := errors.AsType[*os.SyscallError](err); gone || c.broken != nil {
		return
	}
	_ = c.conn.Close()
	if !errors.Is(err, io.EOF) || len(c.unsent) == 0 {
		return
	}
	// The peer has ended its own side only, and may wait for what was taken to be written.
	last := c.unsent
	c.unsent = nil
	if nc, err := c.socket.leave(); err == nil {
		go func() {
			_ = nc.SetWriteDeadline(time.Now().Add(lastWriteTimeout))
			_, _ = nc.Write(last)
			_ = nc.Close()
		}()
	}
}
