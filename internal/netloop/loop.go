package netloop

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// Worker is long work of a loop, done in slices so that no connection waits for it.
type Worker interface {
	// Work does some work, for about the slice of time given, and reports whether there is more to do now.
	Work(slice time.Duration) (more bool)
}

// workSlice bounds the work between two looks at the sockets. Longer slices delay other channels. In shorter ones fewer
// messages ride together: at half a millisecond, some 50 writes, a channel of 10,000 took a tenth more processor time.
const workSlice = time.Millisecond

// poller waits for events on behalf of a loop.
type poller interface {
	// wait blocks until there is an event, a wake or the timeout (negative: none), and handles the events.
	wait(timeout time.Duration)
	// wake ends a wait, also one that has not begun. Safe from any goroutine.
	wake()
	close()
}

// Loop owns connections and runs their handlers. Create it by [NewGroup].
type Loop struct {
	index  int
	log    *slog.Logger
	poller poller
	worker Worker // set before the loop runs; may be nil

	count atomic.Int64 // connections

	// loop only
	now    time.Time // of this round
	wheel  wheel
	conns  map[loopConn]struct{} // of the goroutine driver; the poller knows its own
	closed []closing
	buf    []byte // for reading, by the epoll driver

	mu     sync.Mutex // guards the fields below
	tasks  []func()
	ending bool

	woken atomic.Bool // a wake is on its way
	done  chan struct{}
}

// loopConn is what a loop must be able to do with each of its connections.
type loopConn interface {
	Conn
	closeWith(err error)
	over() bool // it is closed
	common() *life
}

// life is what the connections of both drivers have in common.
type life struct {
	handler Handler // nil until it is made, and again once it was told the end
	timer   timer
}

// expired calls the connection's timer.
func (l *Loop) expired(c *life, now time.Time) {
	l.guard(c, func() { c.handler.Timer(now) })
}

func (c *life) common() *life { return c }

type closing struct {
	conn *life
	err  error
}

// Index tells which loop of its group this is, from 0.
func (l *Loop) Index() int { return l.index }

// SetWorker gives the loop its worker. Call it before [Group.Start].
func (l *Loop) SetWorker(w Worker) { l.worker = w }

// Conns returns the number of connections. Safe for concurrent use.
func (l *Loop) Conns() int { return int(l.count.Load()) }

// Now returns the time at which this round of the loop began: good enough for timeouts, and free of charge. Loop only.
func (l *Loop) Now() time.Time { return l.now }

// Post runs f on the loop, after what was posted before. It reports false, and f never runs, when the loop has ended.
// Safe for concurrent use.
func (l *Loop) Post(f func()) bool {
	l.mu.Lock()
	if l.ending {
		l.mu.Unlock()
		return false
	}
	l.tasks = append(l.tasks, f)
	l.mu.Unlock()
	l.Wake()
	return true
}

// Wake makes the loop look at its tasks and its worker. Safe for concurrent use, and cheap when the loop is awake.
func (l *Loop) Wake() {
	if !l.woken.Swap(true) {
		l.poller.wake()
	}
}

func (l *Loop) run() {
	defer close(l.done)
	defer l.poller.close()
	more := false
	for {
		timeout := l.wheel.wait()
		if more {
			timeout = 0
		}
		l.poller.wait(timeout)
		l.now = time.Now()
		l.woken.Store(false) // before looking: what comes later wakes again
		if l.runTasks() {
			l.end()
			return
		}
		l.wheel.advance(l.now)
		more = false
		if l.worker != nil {
			l.guard(nil, func() { more = l.worker.Work(workSlice) })
		}
		l.reap()
	}
}

// runTasks runs what was posted and reports whether the loop is to end.
func (l *Loop) runTasks() (ending bool) {
	l.mu.Lock()
	tasks := l.tasks
	l.tasks = nil
	ending = l.ending
	l.mu.Unlock()
	for _, task := range tasks {
		l.guard(nil, task)
	}
	return ending
}

// guard runs f. Should it panic, the connection it was for is closed, and all others go on.
func (l *Loop) guard(c *life, f func()) {
	defer func() {
		if p := recover(); p != nil {
			l.log.Error("a handler panicked; its connection is closed", "panic", p, "stack", string(debug.Stack()))
			if conn := l.owner(c); conn != nil {
				conn.closeWith(fmt.Errorf("netloop: handler panicked: %v", p))
			}
		}
	}()
	f()
}

// owner returns the connection that a life is part of. It searches, so that connections need not point to themselves for
// the sake of a panic.
func (l *Loop) owner(of *life) loopConn {
	if of == nil {
		return nil
	}
	for c := range l.conns {
		if c.common() == of {
			return c
		}
	}
	if p, ok := l.poller.(interface{ owner(of *life) loopConn }); ok {
		return p.owner(of)
	}
	return nil
}

// begin makes the handler of a connection. It is set before anything is read, so that it is told the end also when it
// closes the connection at once.
func (l *Loop) begin(c loopConn, o opening) {
	conn := c.common()
	l.guard(conn, func() {
		conn.handler = o.newHandler(l, c)
		if len(o.buffered) > 0 && !c.over() {
			conn.handler.Read(o.buffered)
		}
	})
}

// reap tells handlers that their connections are gone: at the end of a round, so that none is told from within a
// call of its own.
func (l *Loop) reap() {
	for len(l.closed) > 0 {
		batch := l.closed
		l.closed = nil
		for _, c := range batch {
			handler := c.conn.handler
			if handler == nil {
				continue // making it failed
			}
			c.conn.handler = nil // the wheel may hold the connection for a while yet: not all that hangs on it as well
			l.guard(nil, func() { handler.Closed(c.err) })
		}
	}
}

// gone stops what the loop does for a connection that has been closed.
func (l *Loop) gone(c *life, err error) {
	l.count.Add(-1)
	l.wheel.set(c, time.Time{})
	l.closed = append(l.closed, closing{c, err})
}

// end closes what is left.
func (l *Loop) end() {
	for c := range l.conns {
		c.closeWith(ErrLoopClosed)
	}
	if p, ok := l.poller.(interface{ closeAll(err error) }); ok {
		p.closeAll(ErrLoopClosed)
	}
	l.reap()
}

// stop ends the loop after the tasks posted so far.
func (l *Loop) stop() {
	l.mu.Lock()
	l.ending = true
	l.mu.Unlock()
	l.Wake()
	<-l.done
}
