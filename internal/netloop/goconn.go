package netloop

import (
	"errors"
	"io"
	"net"
	"time"
)

// goConn is a connection of the goroutine driver. Its reader hands each read to the loop and waits until it has been
// taken; its writer lives only while it has something to write.
type goConn struct {
	life
	loop *Loop
	nc   net.Conn

	// loop only
	closed   bool
	taken    chan struct{} // lets the reader go on
	paused   bool
	kept     []byte // arrived while paused; the reader waits for taken
	out      []byte // being written
	writing  bool
	starved  bool // a Write was cut short: Writable is owed
	shutdown bool // end the sending side once the writer is done
}

// The buffers of a connection of the goroutine driver. The first is held for as long as the connection lives.
const (
	goReadBytes  = 4 << 10
	goWriteBytes = 64 << 10
)

// lastWriteTimeout bounds the write that was under way when the peer ended its own side.
const lastWriteTimeout = 5 * time.Second

func (l *Loop) adoptGoroutine(nc net.Conn, o opening) error {
	c := &goConn{loop: l, nc: nc, taken: make(chan struct{}, 1)}
	l.count.Add(1)
	ok := l.Post(func() {
		l.conns[c] = struct{}{}
		l.begin(c, o)
		if !c.closed {
			go c.readLoop()
		}
	})
	if !ok {
		l.count.Add(-1)
		_ = nc.Close()
		return ErrLoopClosed
	}
	return nil
}

func (c *goConn) over() bool { return c.closed }

func (c *goConn) readLoop() {
	buf := make([]byte, goReadBytes)
	for {
		n, err := c.nc.Read(buf)
		if n > 0 && !c.loop.Post(func() { c.arrived(buf[:n]) }) {
			return
		}
		if n > 0 {
			<-c.taken
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = io.EOF
			}
			c.loop.Post(func() { c.closeWith(err) })
			return
		}
	}
}

func (c *goConn) arrived(b []byte) {
	if c.paused && !c.closed {
		c.kept = b
		return
	}
	if !c.closed {
		c.loop.guard(&c.life, func() { c.handler.Read(b) })
	}
	c.taken <- struct{}{}
}

// Write implements [Conn]: it takes what the writer can hold, when the writer is idle.
func (c *goConn) Write(b []byte) (int, error) {
	if c.closed {
		return 0, net.ErrClosed
	}
	if len(b) == 0 {
		return 0, nil
	}
	if c.writing {
		c.starved = true
		return 0, nil
	}
	n := min(len(b), goWriteBytes)
	c.starved = n < len(b)
	c.out = append(c.out[:0], b[:n]...)
	c.writing = true
	go c.writeOut(c.out)
	return n, nil
}

// writev implements gatherer.
func (c *goConn) writev(parts [][]byte) (int, error) {
	if c.closed {
		return 0, net.ErrClosed
	}
	if c.writing {
		c.starved = true
		return 0, nil
	}
	n, size := 0, 0
	c.out = c.out[:0]
	for _, part := range parts {
		size += len(part)
		took := min(len(part), goWriteBytes-n)
		c.out = append(c.out, part[:took]...)
		n += took
	}
	c.starved = n < size
	c.writing = true
	go c.writeOut(c.out)
	return n, nil
}

func (c *goConn) writeOut(b []byte) {
	_, err := c.nc.Write(b)
	if !c.loop.Post(func() { c.wrote(err) }) {
		_ = c.nc.Close()
	}
}

func (c *goConn) wrote(err error) {
	c.writing = false
	if cap(c.out) > goReadBytes {
		c.out = nil // a burst must not be remembered by an idle connection
	}
	if c.closed {
		c.hangUp()
		return
	}
	if err != nil {
		c.closeWith(err)
		return
	}
	if c.starved {
		c.starved = false
		c.loop.guard(&c.life, c.handler.Writable)
	}
	if c.shutdown && !c.writing {
		c.closeWrite()
	}
}

// SetTimer implements [Conn].
func (c *goConn) SetTimer(at time.Time) {
	if !c.closed {
		c.loop.wheel.set(&c.life, at)
	}
}

// SetReading implements [Conn].
func (c *goConn) SetReading(on bool) {
	c.paused = !on
	if on && c.kept != nil {
		b := c.kept
		c.kept = nil
		if !c.loop.Post(func() { c.arrived(b) }) {
			c.taken <- struct{}{} // the loop ends, and the reader with it
		}
	}
}

// Shutdown implements [Conn].
func (c *goConn) Shutdown() {
	c.shutdown = true
	if !c.writing && !c.closed {
		c.closeWrite()
	}
}

func (c *goConn) closeWrite() {
	c.shutdown = false
	if half, ok := c.nc.(interface{ CloseWrite() error }); ok {
		// Not on the loop: TLS tells its peer, and waits until there is room to. A connection that is gone already is
		// told by its reader.
		go func() { _ = half.CloseWrite() }()
	}
}

// Close implements [Conn].
func (c *goConn) Close() { c.closeWith(nil) }

func (c *goConn) closeWith(err error) {
	if c.closed {
		return
	}
	c.closed = true
	delete(c.loop.conns, c)
	if c.writing && errors.Is(err, io.EOF) {
		// The peer has ended its own side only, and may wait for what was taken to be written: the writer hangs up.
		_ = c.nc.SetWriteDeadline(time.Now().Add(lastWriteTimeout))
	} else {
		c.hangUp()
	}
	c.SetReading(true) // let the reader see the end
	c.loop.gone(&c.life, err)
}

// hangUp closes the connection beneath; not on the loop, since TLS says goodbye first, and waits until there is room
// to.
func (c *goConn) hangUp() {
	go func() { _ = c.nc.Close() }()
}
