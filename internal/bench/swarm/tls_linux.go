package swarm

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Lines over TLS dial and shake hands in goroutines, since crypto/tls can do that in no other way. Then they are lines of
// the epoll like the others: crypto/tls reads a socket that does not block, and is told by a temporary error, after which
// it goes on where it was, that there is nothing to read.

// handshakeTimeout is how long dialling and shaking hands may take.
const handshakeTimeout = 30 * time.Second

// wakerIndex marks the events of the eventfd; neither a line nor the epoll of the express lines has it.
const wakerIndex = -2

// shaker gathers the handshakes that are done.
type shaker struct {
	mu    sync.Mutex // guards the fields below
	done  []handshake
	waker int // an eventfd; -1 before the first handshake, and once closed
	ended bool
}

type handshake struct {
	line  *Line
	inner *records
	conn  *tls.Conn
	err   error
}

// records is the connection beneath TLS.
type records struct {
	net.Conn        // until the handshake is done
	fd       int    // from then on; -1 before
	empty    bool   // the socket was read to its end
	sealed   []byte // records that are not yet written
}

type nothingYet struct{}

func (nothingYet) Error() string   { return "nothing to read yet" }
func (nothingYet) Timeout() bool   { return true }
func (nothingYet) Temporary() bool { return true } // crypto/tls goes by it

// Read implements [net.Conn].
func (r *records) Read(b []byte) (int, error) {
	if r.fd < 0 {
		return r.Conn.Read(b)
	}
	if r.empty {
		return 0, nothingYet{}
	}
	n, err := unix.Read(r.fd, b)
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		return 0, nothingYet{}
	case err != nil:
		return 0, os.NewSyscallError("read", err)
	case n == 0:
		return 0, io.EOF
	}
	r.empty = n < len(b)
	return n, nil
}

// Write implements [net.Conn].
func (r *records) Write(b []byte) (int, error) {
	if r.fd < 0 {
		return r.Conn.Write(b)
	}
	r.sealed = append(r.sealed, b...)
	return len(b), nil
}

// dialSecure begins a line over TLS.
func (s *Swarm) dialSecure(l *Line) error {
	if err := s.openWaker(); err != nil {
		return err
	}
	go func() {
		h := handshake{line: l, inner: &records{fd: -1}}
		h.err = s.shake(&h)
		s.shaken(h)
	}()
	return nil
}

func (s *Swarm) openWaker() error {
	s.shaker.mu.Lock()
	defer s.shaker.mu.Unlock()
	if s.shaker.waker >= 0 {
		return nil
	}
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return os.NewSyscallError("eventfd", err)
	}
	s.shaker.waker = fd
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: wakerIndex}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(s.epoll, unix.EPOLL_CTL_ADD, fd, &event))
}

// shake dials and shakes hands. It runs in a goroutine of its own.
func (s *Swarm) shake(h *handshake) error {
	ctx, cancel := context.WithTimeout(context.Background(), handshakeTimeout)
	defer cancel()
	var d net.Dialer
	if source := sourceOf(s.opts.Address, h.line.index); source.IsValid() {
		d.LocalAddr = &net.TCPAddr{IP: source.AsSlice()}
		d.Control = func(_, _ string, c syscall.RawConn) error {
			return c.Control(func(fd uintptr) {
				_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
			})
		}
	}
	nc, err := d.DialContext(ctx, "tcp", s.opts.Address.String())
	if err != nil {
		return fmt.Errorf("connect line %d: %w", h.line.index, err)
	}
	h.inner.Conn = nc
	h.conn = tls.Client(h.inner, s.opts.TLS)
	if err := h.conn.HandshakeContext(ctx); err != nil {
		return errors.Join(fmt.Errorf("shake hands over TLS with %s: %w", s.opts.Address, err), nc.Close())
	}
	return nil
}

// shaken passes a handshake on to the goroutine of the swarm.
func (s *Swarm) shaken(h handshake) {
	s.shaker.mu.Lock()
	defer s.shaker.mu.Unlock()
	if s.shaker.ended {
		if h.err == nil {
			_ = h.inner.Close()
		}
		return
	}
	s.shaker.done = append(s.shaker.done, h)
	_, _ = unix.Write(s.shaker.waker, []byte{1, 0, 0, 0, 0, 0, 0, 0}) // any number wakes
}

// welcome takes the lines whose handshakes are done.
func (s *Swarm) welcome() {
	s.shaker.mu.Lock()
	done := s.shaker.done
	s.shaker.done = nil
	var b [8]byte
	_, _ = unix.Read(s.shaker.waker, b[:]) // only clears it
	s.shaker.mu.Unlock()
	for _, h := range done {
		err := h.err
		if err == nil && h.line.state != gone {
			err = h.line.secureBy(h)
		}
		if h.err == nil {
			_ = h.inner.Close() // the line has a descriptor of its own
		}
		if err != nil {
			h.line.fail(err)
		}
	}
}

// endHandshakes lets those that are still under way close their connections themselves.
func (s *Swarm) endHandshakes() {
	s.shaker.mu.Lock()
	defer s.shaker.mu.Unlock()
	s.shaker.ended = true
	for _, h := range s.shaker.done {
		if h.err == nil {
			_ = h.inner.Close()
		}
	}
	if s.shaker.waker >= 0 {
		_ = unix.Close(s.shaker.waker)
		s.shaker.waker = -1
	}
}

// secureBy gives the line its socket.
func (l *Line) secureBy(h handshake) error {
	raw, err := h.inner.Conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return err
	}
	var dupErr error
	err = raw.Control(func(fd uintptr) { l.fd, dupErr = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) })
	if err := errors.Join(err, dupErr); err != nil {
		l.fd = -1
		return err
	}
	h.inner.fd = l.fd
	l.inner, l.conn = h.inner, h.conn
	if err := l.register(); err != nil {
		return err
	}
	l.greet()
	return nil
}

// receive reads what has come, without blocking.
func (l *Line) receive(b []byte) (int, error) {
	if l.conn == nil {
		return unix.Read(l.fd, b)
	}
	n, err := l.conn.Read(b)
	switch _, nothing := errors.AsType[nothingYet](err); {
	case n > 0:
		return n, nil // an error comes again
	case nothing:
		return 0, unix.EAGAIN
	case errors.Is(err, io.EOF):
		return 0, nil
	}
	return 0, err
}

// seal makes records of what is to be sent over TLS, and returns where what is to be written is.
func (l *Line) seal() *[]byte {
	if l.rpc != nil {
		return &l.rpc.out
	}
	if l.conn == nil {
		return &l.out
	}
	if len(l.out) > 0 {
		_, _ = l.conn.Write(l.out) // it writes to memory, and fails only on a line that is over, whose reads tell
		l.out = l.out[:0]
	}
	return &l.inner.sealed
}
