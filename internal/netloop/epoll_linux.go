package netloop

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// epoll waits for the sockets of a loop and reads and writes them.
type epoll struct {
	loop   *Loop
	fd     int
	events []unix.EpollEvent
	busy   bool // the last look at the sockets found events
	iov    [maxIovecs]unix.Iovec

	// loop only. An event carries slot and generation, so that one that was on its way when its connection was closed
	// is never taken for an event of the next owner of the slot, or of the descriptor.
	slots []*fdConn
	gens  []uint32
	free  []uint32

	listening *listening // nil when this loop accepts nothing

	tls *tlsBuffers // nil until there is a TLS line

	mu    sync.Mutex // guards waker, against a wake that comes after the end: the descriptor may be somebody else's then
	waker int        // an eventfd; -1 once closed
}

// eventsPerWait bounds one look at the sockets; what is left is seen by the next.
const eventsPerWait = 256

// maxIovecs bounds the slices of one writev(2); a write of more is a short one.
const maxIovecs = 32

// wakerSlot marks the events of the eventfd.
const wakerSlot = ^uint32(0)

func newEpoll(l *Loop) (poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	waker, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		_ = unix.Close(fd)
		return nil, os.NewSyscallError("eventfd", err)
	}
	p := &epoll{loop: l, fd: fd, waker: waker, events: make([]unix.EpollEvent, eventsPerWait)}
	if err := p.control(unix.EPOLL_CTL_ADD, waker, unix.EPOLLIN, wakerSlot, 0); err != nil {
		p.close()
		return nil, err
	}
	l.buf = make([]byte, readBytes)
	return p, nil
}

func (p *epoll) control(op, fd int, events, slot, gen uint32) error {
	ev := unix.EpollEvent{Events: events, Fd: int32(slot), Pad: int32(gen)}
	return os.NewSyscallError("epoll_ctl", controlSocket(p.fd, op, fd, &ev))
}

func (p *epoll) wait(timeout time.Duration) {
	n, err := p.look(timeout)
	p.busy = n > 0
	if err != nil {
		if !errors.Is(err, unix.EINTR) {
			p.loop.log.Error("waiting for sockets failed", "error", err)
			time.Sleep(time.Millisecond) // never spin on a broken poller
		}
		return
	}
	p.loop.now = time.Now()
	for i := range p.events[:n] {
		ev := &p.events[i]
		slot, gen := uint32(ev.Fd), uint32(ev.Pad)
		if slot == wakerSlot {
			var b [8]byte
			_, _ = unix.Read(p.waker, b[:]) // only clears it
			continue
		}
		if slot == listenerSlot {
			if p.listening != nil {
				p.loop.guard(nil, p.listening.accept)
			}
			continue
		}
		if p.gens[slot] == gen && p.slots[slot] != nil {
			p.slots[slot].event(ev.Events)
		}
	}
}

// look waits for events. A loop that had some a moment ago looks before it waits: only waiting has to tell the scheduler.
func (p *epoll) look(timeout time.Duration) (int, error) {
	if timeout == 0 || p.busy {
		if n, err := pollSockets(p.fd, p.events); n > 0 || err != nil || timeout == 0 {
			return n, err
		}
	}
	ms := -1
	if timeout >= 0 {
		ms = int((timeout + time.Millisecond - 1) / time.Millisecond)
	}
	return unix.EpollWait(p.fd, p.events, ms)
}

func (p *epoll) wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waker < 0 {
		return
	}
	one := [8]byte{1} // the counter is in native order; any non-zero value wakes
	for {
		// EAGAIN would mean that the counter is full: the loop is being woken anyway.
		if _, err := unix.Write(p.waker, one[:]); !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

func (p *epoll) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = unix.Close(p.waker)
	p.waker = -1
	_ = unix.Close(p.fd)
}

func (p *epoll) closeAll(err error) {
	if p.listening != nil {
		p.listening.stop()
	}
	for _, c := range p.slots {
		if c != nil {
			c.closeWith(err)
		}
	}
}

// owner returns the connection that a life is part of.
func (p *epoll) owner(of *life) loopConn {
	for _, c := range p.slots {
		if c != nil && &c.life == of {
			return c
		}
	}
	return nil
}

// takes reports whether nc is a plain socket, or TLS over one that can change over.
func (p *epoll) takes(nc net.Conn) bool {
	switch nc.(type) {
	case *net.TCPConn, *net.UnixConn:
		return true
	}
	return switchable(nc) != nil
}

// The kernel must not become the queue of a slow reader: these bound what it holds for a connection.
const (
	sendBufferBytes = 128 << 10 // SO_SNDBUF; the kernel doubles it for its own book-keeping
	notSentLowWater = 16 << 10  // TCP_NOTSENT_LOWAT: writable again below that much unsent
)

// adopt takes the socket from the runtime's poller: the descriptor is duplicated, and the original closed.
func (p *epoll) adopt(nc net.Conn, o opening) error {
	add := p.add
	if inner := switchable(nc); inner != nil {
		secure := nc.(*tls.Conn)
		add = func(fd int, o opening) { p.addTLS(fd, secure, inner, o) }
		nc = inner.TCPConn // TLS must not say goodbye
	}
	fd, err := duplicate(nc.(syscall.Conn))
	_ = nc.Close()
	if err != nil {
		return fmt.Errorf("netloop: take a connection over: %w", err)
	}
	_ = setSocketOption(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, sendBufferBytes)
	_ = setSocketOption(fd, unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, notSentLowWater) // not on Unix sockets
	p.loop.count.Add(1)
	if !p.loop.Post(func() { add(fd, o) }) {
		p.loop.count.Add(-1)
		_ = unix.Close(fd)
		return ErrLoopClosed
	}
	return nil
}

func duplicate(c syscall.Conn) (int, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	dup := -1
	var dupErr error
	err = raw.Control(func(fd uintptr) {
		dup, dupErr = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
	})
	if err = errors.Join(err, dupErr); err != nil {
		return 0, err
	}
	if err := unix.SetNonblock(dup, true); err != nil {
		_ = unix.Close(dup)
		return 0, err
	}
	return dup, nil
}

func (p *epoll) add(fd int, o opening) {
	c := &fdConn{poller: p, fd: int32(fd), interest: unix.EPOLLIN}
	if n := len(p.free); n > 0 {
		c.slot = p.free[n-1]
		p.free = p.free[:n-1]
		p.slots[c.slot] = c
	} else {
		c.slot = uint32(len(p.slots))
		p.slots = append(p.slots, c)
		p.gens = append(p.gens, 0)
	}
	err := c.control(unix.EPOLL_CTL_ADD)
	p.loop.begin(c, o)
	if err != nil {
		c.closeWith(err)
	}
}

// release frees a connection's slot for another.
func (p *epoll) release(c *fdConn) {
	p.slots[c.slot] = nil
	p.gens[c.slot]++
	p.free = append(p.free, c.slot)
}

// fdConn is a connection that its loop reads and writes itself. All of it is for the loop alone.
type fdConn struct {
	life
	poller   *epoll
	fd       int32 // -1 once it is closed, or somebody else's
	slot     uint32
	interest uint32 // what epoll was asked to watch for
}

func (c *fdConn) over() bool { return c.fd < 0 }

// control is epoll_ctl(2) for the connection.
func (c *fdConn) control(op int) error {
	p := c.poller
	return p.control(op, int(c.fd), c.interest, c.slot, p.gens[c.slot])
}

func (c *fdConn) event(events uint32) {
	loop := c.poller.loop
	if events&unix.EPOLLOUT != 0 {
		c.watch(c.interest &^ unix.EPOLLOUT)
		loop.guard(&c.life, c.handler.Writable)
	}
	broken := events&(unix.EPOLLHUP|unix.EPOLLERR) != 0
	switch {
	case c.over():
	case c.interest&unix.EPOLLIN == 0:
		// Reading is stopped, perhaps since this event was told: what waits is read later, if the line is whole.
		if broken {
			c.closeWith(c.socketError())
		}
	case broken || events&unix.EPOLLIN != 0:
		c.read()
	}
}

// read takes one buffer's worth: the epoll is level-triggered, so the rest comes with the next round, after the
// others have had their turn.
func (c *fdConn) read() {
	n, err := readSocket(int(c.fd), c.poller.loop.buf)
	switch {
	case n > 0:
		c.poller.loop.guard(&c.life, func() { c.handler.Read(c.poller.loop.buf[:n]) })
	case err == nil:
		c.closeWith(io.EOF)
	case !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR):
		c.closeWith(os.NewSyscallError("read", err))
	}
}

func (c *fdConn) socketError() error {
	if code, err := unix.GetsockoptInt(int(c.fd), unix.SOL_SOCKET, unix.SO_ERROR); err == nil && code != 0 {
		return os.NewSyscallError("read", syscall.Errno(code))
	}
	return io.EOF
}

// Write implements [Conn].
func (c *fdConn) Write(b []byte) (int, error) {
	if c.over() {
		return 0, net.ErrClosed
	}
	for {
		n, err := writeSocket(int(c.fd), b)
		if !errors.Is(err, unix.EINTR) {
			return c.took(n, len(b), err)
		}
	}
}

// took is what the kernel did with size bytes. A short write means that it has no more room.
func (c *fdConn) took(n, size int, err error) (int, error) {
	if err != nil && !errors.Is(err, unix.EAGAIN) {
		err = os.NewSyscallError("write", err)
		c.closeWith(err)
		return 0, err
	}
	if n < size {
		c.watch(c.interest | unix.EPOLLOUT)
	}
	return n, nil
}

// writev implements gatherer.
func (c *fdConn) writev(parts [][]byte) (int, error) {
	if c.over() {
		return 0, net.ErrClosed
	}
	size := 0
	iov := c.poller.iov[:0]
	for _, part := range parts {
		size += len(part)
		if len(part) > 0 && len(iov) < cap(iov) {
			iov = append(iov, unix.Iovec{Base: unsafe.SliceData(part), Len: uint64(len(part))}) //nolint:gosec // as long as it is told
		}
	}
	defer clear(iov)
	for {
		n, err := writeSocketv(int(c.fd), iov)
		if !errors.Is(err, unix.EINTR) {
			return c.took(n, size, err)
		}
	}
}

// watch tells epoll what to look for from now on.
func (c *fdConn) watch(interest uint32) {
	if c.over() || interest == c.interest {
		return
	}
	c.interest = interest
	if err := c.control(unix.EPOLL_CTL_MOD); err != nil {
		c.closeWith(err)
	}
}

// SetTimer implements [Conn].
func (c *fdConn) SetTimer(at time.Time) {
	if !c.over() {
		c.poller.loop.wheel.set(&c.life, at)
	}
}

// SetReading implements [Conn].
func (c *fdConn) SetReading(on bool) {
	if on {
		c.watch(c.interest | unix.EPOLLIN)
	} else {
		c.watch(c.interest &^ unix.EPOLLIN)
	}
}

// Shutdown implements [Conn].
func (c *fdConn) Shutdown() {
	if !c.over() {
		_ = unix.Shutdown(int(c.fd), unix.SHUT_WR) // a connection that is gone already is told by the next event
	}
}

// Close implements [Conn].
func (c *fdConn) Close() { c.closeWith(nil) }

// parting is a [Handler] that has something to do with its socket before it is closed.
type parting interface {
	part(err error)
}

func (c *fdConn) closeWith(err error) {
	if c.over() {
		return
	}
	if h, ok := c.handler.(parting); ok {
		h.part(err)
	}
	fd := int(c.fd)
	c.fd = -1
	p := c.poller
	p.release(c)
	closeSocket(fd) // also takes it out of the epoll: there is no other descriptor of this socket
	p.loop.gone(&c.life, err)
}
