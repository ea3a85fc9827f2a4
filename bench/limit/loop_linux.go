package main

import (
	"errors"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

const (
	eventsPerWait = 256
	readBytes     = 64 << 10
	backlog       = 4096
	// sendBuffer is what Magpie bounds a connection's to, too.
	sendBuffer = 128 << 10
)

// loop owns everything; there is one, on one thread.
type loop struct {
	epoll    int
	listener int
	events   []unix.EpollEvent
	buf      []byte
	lines    map[int32]*line // by descriptor
	channels map[int]*channel
	dirty    []*channel // those with readers that may be behind
	out      []byte     // what is written to one line alone
}

func newLoop(where netip.AddrPort) (*loop, error) {
	listener, err := listen(where)
	if err != nil {
		return nil, err
	}
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	l := &loop{
		epoll:    epoll,
		listener: listener,
		events:   make([]unix.EpollEvent, eventsPerWait),
		buf:      make([]byte, readBytes),
		lines:    make(map[int32]*line),
		channels: make(map[int]*channel),
	}
	return l, l.watch(unix.EPOLL_CTL_ADD, listener, unix.EPOLLIN)
}

func listen(where netip.AddrPort) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, os.NewSyscallError("socket", err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return 0, os.NewSyscallError("setsockopt", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Port: int(where.Port()), Addr: where.Addr().As4()}); err != nil {
		return 0, os.NewSyscallError("bind", err)
	}
	return fd, os.NewSyscallError("listen", unix.Listen(fd, backlog))
}

func (l *loop) watch(op, fd int, events uint32) error {
	event := unix.EpollEvent{Events: events, Fd: int32(fd)}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(l.epoll, op, fd, &event))
}

// run looks at the sockets and serves the channels, in turn and for ever.
func (l *loop) run() error {
	for {
		wait := -1
		if len(l.dirty) > 0 {
			wait = 0
		}
		n, err := unix.EpollWait(l.epoll, l.events, wait)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return os.NewSyscallError("epoll_wait", err)
		}
		for i := range max(n, 0) {
			l.event(l.events[i])
		}
		l.serve()
	}
}

func (l *loop) event(e unix.EpollEvent) {
	if int(e.Fd) == l.listener {
		l.accept()
		return
	}
	c := l.lines[e.Fd]
	if c == nil {
		return
	}
	if e.Events&unix.EPOLLOUT != 0 {
		l.writable(c)
	}
	if e.Events&^unix.EPOLLOUT != 0 {
		l.read(c)
	}
}

func (l *loop) accept() {
	for {
		fd, _, err := unix.Accept4(l.listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if err != nil {
			return // nobody is waiting, or nobody can be taken
		}
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, sendBuffer)
		if l.watch(unix.EPOLL_CTL_ADD, fd, unix.EPOLLIN) != nil {
			_ = unix.Close(fd)
			continue
		}
		l.lines[int32(fd)] = &line{fd: fd}
	}
}

func (l *loop) close(c *line) {
	if c.closed {
		return
	}
	c.closed = true
	if c.channel != nil {
		c.channel.remove(c)
	}
	delete(l.lines, int32(c.fd))
	_ = unix.Close(c.fd)
}
