package swarm

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// eventsPerTurn bounds one look at the sockets.
	eventsPerTurn = 512
	// readBytes is the room for one read; what a line has more is read in the next turn.
	readBytes = 256 << 10
)

// Swarm holds lines. It is for one goroutine.
type Swarm struct {
	opts    Options
	handler Handler
	epoll   int
	express int // an epoll of those lines, itself watched by the other; -1 when there are none
	events  []unix.EpollEvent
	first   []unix.EpollEvent // of express
	lines   []*Line           // by index; nil where there is none
	request []byte
	buf     []byte
	shaker  shaker
	unsent  []*Line // those to write to at the end of the turn
	keys    uint32  // of the masks
	start   time.Time
	heard   time.Duration // when the last read was done
	reads   uint64
	halfway int // lines that have sent half of their request, and will send no more
}

// New returns a swarm without lines, and raises the limit of open files if it has to.
func New(opts Options, h Handler) (*Swarm, error) {
	if err := raiseFileLimit(); err != nil {
		return nil, err
	}
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	s := &Swarm{
		opts:    opts,
		handler: h,
		epoll:   fd,
		express: -1,
		events:  make([]unix.EpollEvent, eventsPerTurn),
		request: request(opts),
		buf:     make([]byte, readBytes),
		keys:    0x9e3779b9,
		shaker:  shaker{waker: -1},
		start:   time.Now(),
	}
	if opts.GRPC {
		s.request = greeting2(opts)
	}
	if opts.Express > 0 {
		err = s.openExpress()
	}
	return s, err
}

func (s *Swarm) openExpress() error {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	s.express = fd
	s.first = make([]unix.EpollEvent, s.opts.Express)
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: -1}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(s.epoll, unix.EPOLL_CTL_ADD, fd, &event))
}

// epollOf is where a line is watched.
func (s *Swarm) epollOf(index int) int {
	if index < s.opts.Express {
		return s.express
	}
	return s.epoll
}

// Dial begins to open the line of an index, which has to be free. What comes of it is told to the handler. It must not
// be called by the handler: events that are on their way would be taken for those of the new line.
func (s *Swarm) Dial(index int) error {
	for index >= len(s.lines) {
		s.lines = append(s.lines, nil)
	}
	l := &Line{swarm: s, index: index, fd: -1, state: dialling, interest: unix.EPOLLIN | unix.EPOLLOUT}
	s.lines[index] = l
	begin := s.dialPlain
	if s.opts.TLS != nil {
		begin = s.dialSecure
	}
	if err := begin(l); err != nil {
		l.Drop()
		return err
	}
	return nil
}

// dialPlain begins a line without TLS.
func (s *Swarm) dialPlain(l *Line) (err error) {
	if l.fd, err = s.socket(l.index); err != nil {
		return err
	}
	return l.register()
}

// socket makes a socket that is being connected.
func (s *Swarm) socket(index int) (int, error) {
	family := unix.AF_INET
	if s.opts.Address.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open the socket of line %d: %w", index, err)
	}
	if err := s.connect(fd, index); err != nil && !errors.Is(err, unix.EINPROGRESS) {
		_ = unix.Close(fd)
		return -1, fmt.Errorf("connect line %d to %s: %w", index, s.opts.Address, err)
	}
	return fd, nil
}

func (s *Swarm) connect(fd, index int) error {
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1) // slower without it, not wrong
	if source := sourceOf(s.opts.Address, index); source.IsValid() {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
		if err := unix.Bind(fd, sockaddr(netip.AddrPortFrom(source, 0))); err != nil {
			return err
		}
	}
	return unix.Connect(fd, sockaddr(s.opts.Address))
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}

// Turn waits for the sockets at most that long, in whole milliseconds, tells the handler what came, and writes what was
// queued.
func (s *Swarm) Turn(wait time.Duration) error {
	s.Flush()
	n, err := unix.EpollWait(s.epoll, s.events, int(wait/time.Millisecond))
	if err != nil {
		if errors.Is(err, unix.EINTR) {
			return nil
		}
		return os.NewSyscallError("epoll_wait", err)
	}
	for i := range s.events[:n] {
		if s.express >= 0 && i%expressEvery == 0 {
			s.lookFirst()
		}
		switch at := s.events[i].Fd; {
		case at == wakerIndex:
			s.welcome()
		case at >= 0 && s.lines[at] != nil:
			s.lines[at].event(s.events[i].Events)
		}
	}
	s.Flush()
	return nil
}

// expressEvery is how many lines have their turn between two looks at those that come first.
const expressEvery = 16

func (s *Swarm) lookFirst() {
	n, err := unix.EpollWait(s.express, s.first, 0)
	if err != nil {
		return // interrupted: the next look is near
	}
	for i := range s.first[:n] {
		if l := s.lines[s.first[i].Fd]; l != nil {
			l.event(s.first[i].Events)
		}
	}
}

// Flush writes what was queued, as far as the kernel takes it.
func (s *Swarm) Flush() {
	for i := 0; i < len(s.unsent); i++ { // a line that breaks may queue for another
		l := s.unsent[i]
		l.queued = false
		if l.state != gone {
			l.write()
		}
	}
	clear(s.unsent)
	s.unsent = s.unsent[:0]
}

// Now is the time since the swarm was made.
func (s *Swarm) Now() time.Duration { return time.Since(s.start) }

// Heard is when the messages that the handler is being told about were read. It is cheaper than asking the clock for
// each of them.
func (s *Swarm) Heard() time.Duration { return s.heard }

// Halfway is how many lines have sent the half of their request that Options.Halfway asks for.
func (s *Swarm) Halfway() int { return s.halfway }

// Reads is how often something was read. Messages that a server writes together are commonly read together.
func (s *Swarm) Reads() uint64 { return s.reads }

// Line returns the line of an index, or nil when there is none.
func (s *Swarm) Line(index int) *Line {
	if index >= len(s.lines) {
		return nil
	}
	return s.lines[index]
}

// Close drops every line.
func (s *Swarm) Close() {
	for _, l := range s.lines {
		if l != nil {
			l.Drop()
		}
	}
	s.endHandshakes()
	if s.express >= 0 {
		_ = unix.Close(s.express)
	}
	_ = unix.Close(s.epoll)
}

// nextKey is a mask (xorshift).
func (s *Swarm) nextKey() uint32 {
	s.keys ^= s.keys << 13
	s.keys ^= s.keys >> 17
	s.keys ^= s.keys << 5
	return s.keys
}
