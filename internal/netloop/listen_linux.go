package netloop

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// listenerSlot marks the events of the listening socket.
const listenerSlot = wakerSlot - 1

const (
	// acceptsPerEvent bounds the connections accepted between two looks at those that are there.
	acceptsPerEvent = 64
	// acceptPause is how long nothing is accepted once descriptors or memory have run out: the kernel would tell of the
	// waiting connections over and over.
	acceptPause = 100 * time.Millisecond
	// keepAliveSeconds is the time between the kernel's own probes of a silent line, far below the heartbeat's.
	keepAliveSeconds = 15
)

// listening is the socket whose connections a loop accepts. Loop only.
type listening struct {
	poller   *epoll
	fd       int
	accepted func(fd int, remote netip.AddrPort)
	from     unix.RawSockaddrAny // of the connection accepted last
	life                         // of the pause: a timer, and this as its handler
	stopped  bool
}

// Read implements [Handler]; there is nothing to read.
func (l *listening) Read([]byte) {}

// Writable implements [Handler]; nothing is written.
func (l *listening) Writable() {}

// Timer implements [Handler]: the pause is over.
func (l *listening) Timer(time.Time) { l.arm() }

// Closed implements [Handler]; it is not a connection.
func (l *listening) Closed(error) {}

func (p *epoll) listen(ln net.Listener, accepted func(int, netip.AddrPort)) (stop func(), err error) {
	socket, ok := ln.(*net.TCPListener)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	fd, err := duplicate(socket)
	if err != nil {
		return nil, err
	}
	if err := setInherited(fd); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	l := &listening{poller: p, fd: fd, accepted: accepted}
	l.handler = l
	if !p.loop.Post(func() { p.listening = l; l.arm() }) {
		_ = unix.Close(fd)
		return nil, ErrLoopClosed
	}
	// The socket lives on, out of the runtime's own poller: there, each new connection would wake a thread that has
	// nothing to do, which took a tenth of the time of connecting.
	_ = ln.Close()
	return func() { p.loop.Post(l.stop) }, nil
}

func (l *listening) arm() {
	if l.stopped {
		return
	}
	if err := l.poller.control(unix.EPOLL_CTL_ADD, l.fd, unix.EPOLLIN, listenerSlot, 0); err != nil {
		l.poller.loop.log.Error("connections cannot be accepted now", "error", err)
		l.rest()
	}
}

func (l *listening) disarm() {
	_ = l.poller.control(unix.EPOLL_CTL_DEL, l.fd, 0, listenerSlot, 0) // it may be disarmed already
}

// rest accepts nothing for a while.
func (l *listening) rest() {
	l.disarm()
	l.poller.loop.wheel.set(&l.life, time.Now().Add(acceptPause))
}

func (l *listening) stop() {
	if l.stopped {
		return
	}
	l.stopped = true
	l.disarm()
	_ = unix.Close(l.fd)
	l.poller.listening = nil
}

func (l *listening) accept() {
	for range acceptsPerEvent {
		fd, err := acceptSocket(l.fd, &l.from)
		switch {
		case err == nil:
			// Not inherited from the listener. It fails only when the peer is gone, which is noticed later.
			_ = setSocketOption(fd, unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, notSentLowWater)
			l.accepted(fd, addrPort(&l.from))
		case errors.Is(err, unix.EAGAIN):
			return
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.ECONNABORTED):
		default:
			l.poller.loop.log.Error("connections cannot be accepted now: raise the limit of open files, or lower limits.connections",
				"error", os.NewSyscallError("accept4", err), "againIn", acceptPause)
			l.rest()
			return
		}
	}
}

// setInherited gives the listener what its connections inherit: what package net does for each of them, and a bound of
// what the kernel holds for it. Once here saves five system calls a connection.
func setInherited(fd int) error {
	return os.NewSyscallError("setsockopt", errors.Join(
		setSocketOption(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
		setSocketOption(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1),
		setSocketOption(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, keepAliveSeconds),
		setSocketOption(fd, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, keepAliveSeconds),
		setSocketOption(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, sendBufferBytes),
	))
}

func addrPort(from *unix.RawSockaddrAny) netip.AddrPort {
	port := func(p *uint16) uint16 {
		b := (*[2]byte)(unsafe.Pointer(p)) //nolint:gosec // in the order of the network
		return uint16(b[0])<<8 | uint16(b[1])
	}
	switch from.Addr.Family {
	case unix.AF_INET:
		a := (*unix.RawSockaddrInet4)(unsafe.Pointer(from)) //nolint:gosec // as its family says
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), port(&a.Port))
	case unix.AF_INET6:
		a := (*unix.RawSockaddrInet6)(unsafe.Pointer(from)) //nolint:gosec // as its family says
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr).Unmap(), port(&a.Port))
	}
	return netip.AddrPort{}
}

// take begins a connection that was accepted; it has been counted.
func (p *epoll) take(fd int, newHandler func(*Loop, Taken) Handler) {
	p.add(fd, opening{newHandler: func(l *Loop, c Conn) Handler { return newHandler(l, c.(*fdConn)) }})
}

// SetHandler implements [Taken].
func (c *fdConn) SetHandler(h Handler) { c.handler = h }

// Detach implements [Taken].
func (c *fdConn) Detach() (net.Conn, error) {
	if c.over() {
		return nil, net.ErrClosed
	}
	p, fd := c.poller, int(c.fd)
	_ = c.control(unix.EPOLL_CTL_DEL) // the descriptor lives on
	c.fd, c.handler = -1, nil
	p.release(c)
	p.loop.count.Add(-1)
	p.loop.wheel.set(&c.life, time.Time{})
	return ownedConn(fd)
}

// leave returns the connection for a last word, with a descriptor of its own: the loop may close it now.
func (c *fdConn) leave() (net.Conn, error) {
	_ = c.control(unix.EPOLL_CTL_DEL) // closing would not do it while there is another
	fd, err := unix.FcntlInt(uintptr(c.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return ownedConn(fd)
}

// ownedConn makes a connection of a descriptor, which is its own from now on.
func ownedConn(fd int) (net.Conn, error) {
	file := os.NewFile(uintptr(fd), "")
	nc, err := net.FileConn(file) // duplicates the descriptor
	return nc, errors.Join(err, file.Close())
}

var (
	_ acceptor     = (*epoll)(nil)
	_ Taken        = (*fdConn)(nil)
	_ syscall.Conn = (*net.TCPListener)(nil)
)
