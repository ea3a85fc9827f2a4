package netloop

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"sync/atomic"
	"time"
)

// Driver says who reads and writes the sockets.
type Driver string

// The drivers.
const (
	DriverAuto      Driver = "auto"      // epoll where there is one, and where the connection is a plain socket
	DriverEpoll     Driver = "epoll"     // epoll; an error elsewhere than on Linux
	DriverGoroutine Driver = "goroutine" // goroutines, everywhere
)

// Options configure a [Group]. The zero value is right for most.
type Options struct {
	Loops  int    // 0: one for each core
	Driver Driver // "": DriverAuto
	Logger *slog.Logger
}

// Group is the loops of a process. It is safe for concurrent use.
type Group struct {
	loops []*Loop
	next  atomic.Uint32
}

// NewGroup makes the loops; [Group.Start] sets them going.
func NewGroup(opts Options) (*Group, error) {
	if opts.Loops <= 0 {
		opts.Loops = runtime.NumCPU()
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	g := &Group{}
	for i := range opts.Loops {
		l := &Loop{
			index: i,
			log:   opts.Logger,
			now:   time.Now(),
			conns: make(map[loopConn]struct{}),
			done:  make(chan struct{}),
		}
		l.wheel = newWheel(l.now, l.expired)
		if err := l.choosePoller(opts.Driver); err != nil {
			for _, made := range g.loops {
				made.poller.close()
			}
			return nil, err
		}
		g.loops = append(g.loops, l)
	}
	return g, nil
}

func (l *Loop) choosePoller(driver Driver) error {
	switch driver {
	case DriverGoroutine:
		l.poller = newSleeper()
		return nil
	case DriverEpoll, DriverAuto, "":
		p, err := newEpoll(l)
		if err == nil {
			l.poller = p
			return nil
		}
		if driver == DriverEpoll || !errors.Is(err, errors.ErrUnsupported) {
			return fmt.Errorf("netloop: start an epoll loop: %w", err)
		}
		l.poller = newSleeper()
		return nil
	default:
		return fmt.Errorf("netloop: driver %q: expected auto, epoll or goroutine", driver)
	}
}

// Loops returns the loops in the order of their index.
func (g *Group) Loops() []*Loop { return g.loops }

// Start sets the loops going.
func (g *Group) Start() {
	for _, l := range g.loops {
		go l.run()
	}
}

// Close ends the loops: what is still connected is closed with [ErrLoopClosed]. Call it after Start.
func (g *Group) Close() {
	for _, l := range g.loops {
		l.stop()
	}
}

// Adopt takes a connection over. newHandler is called on the loop that was chosen; buffered are bytes that were read
// from the connection already, and reach the handler first. The caller must not touch nc any more, also when an
// error is returned: it is closed then.
func (g *Group) Adopt(nc net.Conn, buffered []byte, newHandler func(*Loop, Conn) Handler) error {
	l := g.pick()
	o := opening{newHandler, buffered}
	if p, ok := l.poller.(adopter); ok && p.takes(nc) {
		return p.adopt(nc, o)
	}
	return l.adoptGoroutine(nc, o)
}

// pick returns the loops in turn.
func (g *Group) pick() *Loop { return g.loops[(g.next.Add(1)-1)%uint32(len(g.loops))] }

// opening is how a connection begins on its loop.
type opening struct {
	newHandler func(*Loop, Conn) Handler
	buffered   []byte
}

// adopter is a poller that reads and writes sockets itself.
type adopter interface {
	takes(nc net.Conn) bool
	adopt(nc net.Conn, o opening) error
}
