package magpieclient

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// maxWaiting bounds the calls of one method that wait for a handler. The gateway keeps to the concurrency by itself;
// beyond it come calls to this session or its user, and those in the place of others that were canceled but still run.
const maxWaiting = 1024

// servicePhase is where a service is in its life.
type servicePhase uint8

const (
	serviceOpening servicePhase = iota // served has not come yet, on this line
	serviceLive                        // calls come
	serviceClosing                     // calls still come, until the gateway has taken note
	serviceEnded                       // for good
)

// Service is a method that this client serves: by [Client.Serve] or by [Client.Handle]. All of its methods may be
// called by any goroutine.
type Service struct {
	client      *Client
	method      string
	handler     Handler
	concurrency int
	directed    bool          // only calls to this session, its user or its channels come: the gateway is told nothing
	opened      chan struct{} // closed when the gateway has accepted it for the first time, or with serviceEnded
	done        chan struct{} // closed with serviceEnded

	// Guarded by Client.mu.
	phase     servicePhase
	requestID string // of the serve or unserve that is unanswered
	wasOpened bool
	waits     backoff
	timer     *time.Timer // serves again after the gateway refused for now
	err       error       // why it ended
	running   int         // handlers
	waiting   []*Request
	idle      chan struct{} // closed when no call is in hand; nil while nobody waits for that
}

// Handle has a handler answer the calls of a method that are directed to this session, to its user or to a channel that
// it subscribes to. Others do not learn of it, as they do with [Client.Serve]; at most 64 such calls run at once. Calls
// of methods without a handler are answered with [CodeUnimplemented].
//
// As with http.ServeMux it panics when the name cannot be used, or has a handler already.
func (c *Client) Handle(method string, handler Handler) *Service {
	s := c.newService(method, handler, wire.DefaultConcurrency)
	s.directed = true
	err := wire.CheckMethod(method)
	if err == nil {
		err = c.enlist(s)
	}
	if err != nil {
		panic(fmt.Sprintf("magpie: handle %q: %v", method, err))
	}
	return s
}

func (c *Client) newService(method string, handler Handler, concurrency int) *Service {
	return &Service{
		client:      c,
		method:      method,
		handler:     handler,
		concurrency: concurrency,
		opened:      make(chan struct{}),
		done:        make(chan struct{}),
		waits:       newBackoff(),
	}
}

// enlist has the calls of the service's method come to it.
func (c *Client) enlist(s *Service) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.services[s.method] != nil {
		return errorf(wire.CodeAlreadyExists, "this client has a handler of the method: close that one first")
	}
	if c.ctx.Err() != nil {
		if s.directed {
			s.end(c.failure)
			return nil // no call comes any more
		}
		return c.failure
	}
	c.services[s.method] = s
	if s.directed {
		s.live()
	} else {
		c.announce(s)
	}
	c.wantLine()
	return nil
}

// live lets Serve return; Client.mu is held.
func (s *Service) live() {
	s.phase = serviceLive
	s.requestID = ""
	s.waits.reset()
	if !s.wasOpened {
		s.wasOpened = true
		close(s.opened)
	}
}

// end lets no more calls come; those in hand go on. Client.mu is held.
func (s *Service) end(err error) {
	if s.phase == serviceEnded {
		return
	}
	s.phase = serviceEnded
	s.err = err
	if s.client.services[s.method] == s {
		delete(s.client.services, s.method)
	}
	if s.timer != nil {
		s.timer.Stop()
	}
	if !s.wasOpened {
		close(s.opened)
	}
	close(s.done)
}

// Method is the method's name.
func (s *Service) Method() string { return s.method }

// Done is closed when no more calls come: the service was closed, the client was, or the gateway took the method away.
// Calls in hand may go on.
func (s *Service) Done() <-chan struct{} { return s.done }

// Err tells why no more calls come; it is nil while they do.
func (s *Service) Err() error {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	return s.err
}

// Close serves the method no more, and waits until the calls in hand are answered, or until ctx is done: then they go
// on. A handler must not close its own service, or it would wait for itself.
func (s *Service) Close(ctx context.Context) error {
	s.leave()
	err := await(ctx, s.done)
	if err == nil {
		err = await(ctx, s.quiet())
	}
	if err != nil {
		return fmt.Errorf("close the service %s: %w", s.method, err)
	}
	return nil
}

func await(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	default:
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// quiet is closed when no call is in hand.
func (s *Service) quiet() <-chan struct{} {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	if s.idle == nil {
		s.idle = make(chan struct{})
	}
	idle := s.idle
	s.tellIdle()
	return idle
}

// tellIdle wakes those who wait until no call is in hand, if that is so; Client.mu is held.
func (s *Service) tellIdle() {
	if s.idle != nil && s.running == 0 && len(s.waiting) == 0 {
		close(s.idle)
		s.idle = nil
	}
}

// onCall has a call of the gateway handled, or refuses it.
func (c *Client) onCall(l *line, requestID string, body *wire.Call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.services[body.Method]
	switch {
	case c.ctx.Err() != nil: // the line is at its end
	case s == nil:
		refusal := wire.Errorf(wire.CodeUnimplemented, "this client does not serve the method %q", body.Method)
		l.answer(wire.Frame{RequestID: requestID, Body: refusal})
	case c.calls[requestID] != nil:
		c.log.Warn("the gateway gave two calls the same name", "requestId", requestID)
	case s.running < s.concurrency:
		s.running++
		r := newRequest(s, l, requestID, body)
		c.calls[requestID] = r
		s.start(r)
	case len(s.waiting) < maxWaiting:
		r := newRequest(s, l, requestID, body)
		c.calls[requestID] = r
		s.waiting = append(s.waiting, r)
	default:
		refusal := wire.Errorf(wire.CodeResourceExhausted, "%d calls of the method %q wait already", maxWaiting, body.Method)
		l.answer(wire.Frame{RequestID: requestID, Body: refusal})
	}
}

// start runs a call on a goroutine, and those that wait after it. The caller is the line's reader, or a goroutine that
// was started here: so the client does not end meanwhile.
func (s *Service) start(r *Request) {
	s.client.handlers.Go(func() {
		defer s.next()
		r.run()
	})
}

// next goes on with the calls that wait.
func (s *Service) next() {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	if len(s.waiting) > 0 {
		r := s.waiting[0]
		s.waiting = slices.Delete(s.waiting, 0, 1)
		s.start(r)
		return
	}
	s.running--
	s.tellIdle()
}

// onCancel ends a call whose result nobody waits for any more.
func (c *Client) onCancel(requestID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.calls[requestID]; r != nil {
		c.drop(r)
	}
}

// onCredit lets a handler send more parts of its result.
func (c *Client) onCredit(requestID string, count int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.calls[requestID]; r != nil {
		r.credited(count)
	}
}

// drop ends a call without an answer; c.mu is held.
func (c *Client) drop(r *Request) {
	r.end()
	s := r.service
	if i := slices.Index(s.waiting, r); i >= 0 {
		s.waiting = slices.Delete(s.waiting, i, i+1)
		s.tellIdle()
	}
}

// dropCalls ends the calls that came over a line, with the line; c.mu is held.
func (c *Client) dropCalls() {
	for _, r := range c.calls {
		c.drop(r)
	}
}
