package magpieclient

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// Client keeps a line to a gateway. All of its methods may be called by any goroutine.
type Client struct {
	opts   Options
	log    *slog.Logger
	ctx    context.Context // done once the client is closed
	cancel context.CancelFunc
	ended  chan struct{} // closed when nothing of the client runs any more
	slots  chan struct{} // holds a token for each request in flight that may be asked again
	demand chan struct{} // tells a reader that holds a full subscription that somebody else needs the line

	handlers sync.WaitGroup // the goroutines that run what the owner gave us: handlers of calls, and OnSubscription

	mu            sync.Mutex // guards the fields below
	state         State
	failure       error         // why the line is down, or why the client is closed
	settled       chan struct{} // closed when the first attempt has succeeded or failed
	isSettled     bool
	line          *line         // nil while there is none
	met           chan struct{} // closed when a gateway has accepted us for the first time
	limit         int           // of a frame, as the gateway said last; 0 before the first
	resumeToken   string        // of the session of the last line
	lastID        uint64
	requests      map[string]*request
	quiet         chan struct{} // closed when no request is open; nil while nobody waits for that
	subscriptions map[wire.ChannelName]*Subscription
	takers        map[wire.ChannelName][]*Subscription // patterns that have the channel on this line; each list never changes
	services      map[string]*Service                  // by method
	calls         map[string]*Request                  // of the gateway, over the present line, that are not answered
}

// Dial opens a client and waits for its line. It returns the reason when the first attempt fails; from then on the
// client comes back by itself.
func Dial(ctx context.Context, opts Options) (*Client, error) {
	c, err := New(opts)
	if err != nil {
		return nil, err
	}
	select {
	case <-c.settled:
	case <-ctx.Done():
		c.shut(ErrClosed)
		return nil, context.Cause(ctx)
	}
	c.mu.Lock()
	failure := c.failure
	c.mu.Unlock()
	if failure != nil {
		c.shut(ErrClosed)
		return nil, failure
	}
	return c, nil
}

// New opens a client whose line is made in the background, for as long as it takes.
func New(opts Options) (*Client, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := &Client{
		opts:          opts,
		log:           opts.Logger,
		ctx:           ctx,
		cancel:        cancel,
		ended:         make(chan struct{}),
		slots:         make(chan struct{}, opts.MaxInFlight),
		demand:        make(chan struct{}, 1),
		settled:       make(chan struct{}),
		met:           make(chan struct{}),
		requests:      make(map[string]*request),
		subscriptions: make(map[wire.ChannelName]*Subscription),
		takers:        make(map[wire.ChannelName][]*Subscription),
		services:      make(map[string]*Service),
		calls:         make(map[string]*Request),
	}
	go c.run()
	return c, nil
}

// State tells what the line does now.
func (c *Client) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// Err tells why the line is down; it is nil while the line is open.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failure
}

// Flush waits until nothing that was asked is unanswered, or until ctx is done.
func (c *Client) Flush(ctx context.Context) error {
	c.mu.Lock()
	if len(c.requests) == 0 {
		c.mu.Unlock()
		return nil
	}
	if c.quiet == nil {
		c.quiet = make(chan struct{})
	}
	quiet := c.quiet
	c.mu.Unlock()
	select {
	case <-quiet:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Close ends the line and waits until nothing of the client runs any more. What is unanswered fails with [ErrClosed]:
// call [Client.Flush] first to wait for it. The contexts of handlers end, and they are waited for, so that none of them
// may call Close: call [Service.Close] first to have them finish. Only the first call does anything.
func (c *Client) Close() error {
	c.shut(ErrClosed)
	return nil
}

func (c *Client) shut(err error) {
	c.end(err)
	<-c.ended
}

// run makes one line after another.
func (c *Client) run() {
	defer close(c.ended)
	waits := newBackoff()
	for c.ctx.Err() == nil {
		c.setState(StateChange{State: StateConnecting})
		opened, err := c.serve()
		if c.ctx.Err() != nil {
			break
		}
		cause, _ := errors.AsType[*lineError](err)
		c.forgetSession(cause.err)
		if cause.final {
			c.end(cause.err)
			break
		}
		if !opened.IsZero() && time.Since(opened) >= stableAfter {
			waits.reset()
		}
		wait := waits.next()
		if cause.retryAfter > 0 {
			wait = cause.retryAfter
		}
		c.setState(StateChange{State: StateWaiting, Err: cause.err, RetryIn: wait})
		sleep(c.ctx, wait)
	}
	c.setState(StateChange{State: StateClosed, Err: c.Err()})
	c.handlers.Wait()
}

// serve makes a line and runs it until it ends. It tells when the gateway had accepted us, and why the line ended,
// which is always a [*lineError].
func (c *Client) serve() (opened time.Time, err error) {
	l, err := c.dial()
	if err != nil {
		return time.Time{}, err
	}
	opened = time.Now()
	c.attach(l)
	err = l.run(c)
	c.detach(l)
	return opened, err
}

// attach makes l the line, and asks for everything that is wanted over it. The state is told first: whoever waits for
// it hears of the line before anything comes of it.
func (c *Client) attach(l *line) {
	c.setState(StateChange{
		State:     StateConnected,
		SessionID: string(l.hello.SessionID),
		UserID:    l.hello.UserID,
		NodeID:    l.hello.NodeID,
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.line = l
	if c.limit == 0 {
		close(c.met)
	}
	c.limit = usualFrameBytes
	if l.hello.MaxFrameBytes > 0 {
		c.limit = int(min(l.hello.MaxFrameBytes, math.MaxInt32))
	}
	c.resumeToken = l.hello.ResumeToken
	c.reopenAll(l.hello.Resumed)
	c.announceAll()
	c.resendAll()
}

// detach forgets the line with the calls that came over it, and fails what must not be asked twice.
func (c *Client) detach(l *line) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.line == l {
		c.line = nil
	}
	c.failSent()
	c.dropCalls()
	c.endClosing()
}

// end closes the client for err: everything that waits fails with it.
func (c *Client) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx.Err() != nil {
		return
	}
	c.failure = err
	c.settle()
	c.cancel()
	for _, s := range c.subscriptions {
		s.end(err)
	}
	for _, s := range c.services {
		s.end(err)
	}
	for _, r := range c.requests {
		c.finish(r, nil, err)
	}
}

func (c *Client) setState(change StateChange) {
	c.mu.Lock()
	c.state = change.State
	switch change.State {
	case StateConnected:
		c.failure = nil
		c.settle()
	case StateWaiting:
		c.failure = change.Err
		c.settle()
	case StateConnecting, StateClosed:
	}
	c.mu.Unlock()
	if c.opts.OnState != nil {
		c.opts.OnState(change)
	}
}

// settle tells Dial that the first attempt is over; c.mu is held.
func (c *Client) settle() {
	if !c.isSettled {
		c.isSettled = true
		close(c.settled)
	}
}
