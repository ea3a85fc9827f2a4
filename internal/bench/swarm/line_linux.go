package swarm

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// state is how far a line has come. It only moves forward.
type state byte

const (
	dialling  state = iota // TCP's handshake is under way
	upgrading              // the request is sent
	open                   // frames go both ways
	gone                   // closed
)

// Line is one WebSocket line of a swarm, for the goroutine of the swarm alone.
type Line struct {
	swarm    *Swarm
	index    int
	fd       int
	interest uint32
	state    state
	queued   bool   // it is among the swarm's unsent
	in       []byte // read, and not yet a whole frame
	out      []byte // not yet written, or, over TLS, not yet sealed
	conn     *tls.Conn
	inner    *records // of conn
	rpc      *rpc     // instead of WebSocket; nil without
}

// Index is what the line was dialled as.
func (l *Line) Index() int { return l.index }

// Send queues a message, which is written at the end of the turn.
func (l *Line) Send(message []byte, binary bool) {
	switch {
	case l.state == gone:
	case l.rpc != nil:
		l.rpc.send(message)
		l.later()
	case binary:
		l.queue(opBinary, message)
	default:
		l.queue(opText, message)
	}
}

func (l *Line) queue(op byte, payload []byte) {
	if l.state == gone {
		return
	}
	l.out = appendFrame(l.out, op, payload, l.swarm.nextKey())
	l.later()
}

// later has the line written to at the end of the turn.
func (l *Line) later() {
	if !l.queued {
		l.queued = true
		l.swarm.unsent = append(l.swarm.unsent, l)
	}
}

// Drop ends the line at once, by a reset: no port is kept waiting, so that lines can be opened by the ten thousand.
func (l *Line) Drop() {
	if l.state == gone {
		return
	}
	l.state = gone
	l.swarm.lines[l.index] = nil
	if l.fd < 0 {
		return // still shaking hands
	}
	_ = unix.SetsockoptLinger(l.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	_ = unix.Close(l.fd) // also takes it out of the epoll
}

// fail ends the line because of an error.
func (l *Line) fail(err error) {
	if l.state == gone {
		return
	}
	l.Drop()
	l.swarm.handler.Closed(l, err)
}

func (l *Line) event(events uint32) {
	if l.state == dialling {
		l.dialled()
		return
	}
	if events&unix.EPOLLOUT != 0 {
		l.write()
	}
	if events&(unix.EPOLLIN|unix.EPOLLHUP|unix.EPOLLERR) != 0 && l.state != gone {
		l.read()
	}
}

// dialled ends TCP's handshake and begins that of WebSocket.
func (l *Line) dialled() {
	code, err := unix.GetsockoptInt(l.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && code != 0 {
		err = unix.Errno(code)
	}
	if err != nil {
		l.fail(fmt.Errorf("connect to %s: %w", l.swarm.opts.Address, err))
		return
	}
	l.greet()
}

// register adds the line to the epoll.
func (l *Line) register() error {
	event := unix.EpollEvent{Events: l.interest, Fd: int32(l.index)}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(l.swarm.epollOf(l.index), unix.EPOLL_CTL_ADD, l.fd, &event))
}

// greet asks for the upgrade.
func (l *Line) greet() {
	l.state = upgrading
	l.watch(unix.EPOLLIN)
	if l.swarm.opts.GRPC {
		l.rpc = newRPC(l.swarm.request, func(message []byte) { l.swarm.handler.Message(l, message) })
		l.write()
		return
	}
	request := l.swarm.request
	if l.swarm.opts.Halfway {
		request = request[:len(request)/2]
		l.swarm.halfway++
	}
	l.out = append(l.out, request...)
	l.write()
}

// read takes what has come.
func (l *Line) read() {
	if l.inner != nil {
		l.inner.empty = false
	}
	more := true
	for more && l.state != gone {
		more = l.readOnce() && l.inner != nil // no event tells of what crypto/tls has read already
	}
}

// readOnce reports whether there was anything. The buffer is the swarm's: a line keeps only the beginning of a frame that
// is not whole.
func (l *Line) readOnce() bool {
	buf := l.swarm.buf
	kept := copy(buf, l.in)
	if kept == len(buf) { // a long message: it gets a buffer of its own
		buf = append(l.in, make([]byte, readBytes)...)
		kept = len(l.in)
	}
	n, err := l.receive(buf[kept:])
	l.swarm.heard = l.swarm.Now()
	switch {
	case n > 0:
		l.swarm.reads++
		l.keep(l.consume(buf[:kept+n]))
	case err == nil:
		l.fail(io.ErrUnexpectedEOF)
	case !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR):
		l.fail(os.NewSyscallError("read", err))
	}
	return n > 0
}

func (l *Line) keep(rest []byte) {
	if len(rest) > 0 || len(l.in) > 0 {
		l.in = append(l.in[:0], rest...)
	}
	if len(l.in) == 0 {
		l.in = nil
	}
}

// consume hands over whole frames from the beginning of b and returns the rest.
func (l *Line) consume(b []byte) []byte {
	if l.rpc != nil {
		return l.consumeRPC(b)
	}
	if l.state == upgrading {
		rest, done, err := readAnswer(b)
		if err != nil {
			l.fail(err)
			return nil
		}
		if !done {
			return rest
		}
		b = rest
		l.state = open
		l.swarm.handler.Upgraded(l)
	}
	for l.state == open {
		op, payload, size, err := readFrame(b)
		if err != nil {
			l.fail(err)
			return nil
		}
		if size == 0 {
			return b
		}
		b = b[size:]
		switch op {
		case opText, opBinary:
			l.swarm.handler.Message(l, payload)
		case opPing:
			l.queue(opPong, payload)
		case opClose:
			l.fail(closeError(payload))
		}
	}
	return nil
}

// consumeRPC is consume of a gRPC stream.
func (l *Line) consumeRPC(b []byte) []byte {
	for l.state != gone {
		f, size, err := readFrame2(b)
		if err == nil && size > 0 {
			err = l.rpc.take(f)
		}
		if err != nil {
			l.fail(err)
			return nil
		}
		if size == 0 {
			break
		}
		b = b[size:]
		if l.state == upgrading && l.rpc.opened {
			l.state = open
			l.swarm.handler.Upgraded(l)
		}
	}
	if len(l.rpc.out) > 0 {
		l.later()
	}
	return b
}

func (l *Line) write() {
	out := l.seal()
	for len(*out) > 0 {
		n, err := unix.Write(l.fd, *out)
		switch {
		case err == nil:
			*out = (*out)[:copy(*out, (*out)[n:])]
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			l.watch(unix.EPOLLIN | unix.EPOLLOUT)
			return
		default:
			l.fail(os.NewSyscallError("write", err))
			return
		}
	}
	l.watch(unix.EPOLLIN)
}

// watch tells the epoll what to look for from now on.
func (l *Line) watch(interest uint32) {
	if interest == l.interest {
		return
	}
	l.interest = interest
	event := unix.EpollEvent{Events: interest, Fd: int32(l.index)}
	if err := unix.EpollCtl(l.swarm.epollOf(l.index), unix.EPOLL_CTL_MOD, l.fd, &event); err != nil {
		l.fail(os.NewSyscallError("epoll_ctl", err))
	}
}
