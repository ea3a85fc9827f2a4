package magpieclient

import (
	"context"
	"fmt"
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// ServeOptions say how to serve a method.
type ServeOptions struct {
	// Concurrency is how many calls may be handled at once, at most 10,000; 64 when 0. The gateway gives further calls to
	// others who serve the method, or has them wait.
	Concurrency int
}

// Serve has a handler answer the calls of a method, of which the gateway gives each to one of those who serve it. It
// waits until the gateway has accepted that, and ctx bounds only this. From then on the method is served until the
// service is closed, also over new lines: calls that are in hand when a line breaks are lost, and their handlers'
// contexts end. Calls that are directed to this session or its user come to the same handler.
func (c *Client) Serve(ctx context.Context, method string, handler Handler, opts ServeOptions) (*Service, error) {
	if err := wire.CheckMethod(method); err != nil {
		return nil, errorOf(wire.AsError(err))
	}
	if opts.Concurrency < 0 || opts.Concurrency > wire.MaxConcurrency {
		return nil, errorf(wire.CodeInvalidArgument, "a concurrency of %d: expected 1 to %d, or 0 for %d", opts.Concurrency, wire.MaxConcurrency, wire.DefaultConcurrency)
	}
	if opts.Concurrency == 0 {
		opts.Concurrency = wire.DefaultConcurrency
	}
	s := c.newService(method, handler, opts.Concurrency)
	err := c.enlist(s)
	if err == nil {
		select {
		case <-s.opened:
			err = s.Err()
		case <-ctx.Done():
			err = context.Cause(ctx)
			if failure := c.Err(); failure != nil {
				err = &waitError{cause: err, line: failure}
			}
			s.leave()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("serve %s: %w", method, err)
	}
	return s, nil
}

// announce tells the gateway, on this line or the next one, that the method is served here; c.mu is held.
func (c *Client) announce(s *Service) {
	s.phase = serviceOpening
	if s.timer != nil {
		s.timer.Stop()
	}
	if c.line == nil {
		return
	}
	_, s.requestID = c.newID()
	c.line.push(wire.Frame{
		RequestID: s.requestID,
		Body:      &wire.Serve{Method: s.method, Concurrency: int64(s.concurrency)},
	})
}

// announceAll serves over a new line what was served over the one before, of which the gateway has forgotten it; c.mu is
// held.
func (c *Client) announceAll() {
	for _, s := range c.services {
		if !s.directed {
			c.announce(s)
		}
	}
}

// leave serves no more: at once where the gateway need not know, and otherwise as soon as it does.
func (s *Service) leave() {
	c := s.client
	c.mu.Lock()
	defer c.mu.Unlock()
	switch s.phase {
	case serviceOpening, serviceLive:
		if s.directed || c.line == nil {
			s.end(ErrClosed)
			return
		}
		s.phase = serviceClosing
		if s.timer != nil {
			s.timer.Stop()
		}
		_, s.requestID = c.newID()
		c.line.push(wire.Frame{RequestID: s.requestID, Body: &wire.Unserve{Method: s.method}})
	case serviceClosing, serviceEnded:
	}
}

// endClosing ends the services that were to be closed with the line: the gateway gives them no more calls; c.mu is held.
func (c *Client) endClosing() {
	for _, s := range c.services {
		if s.phase == serviceClosing {
			s.end(ErrClosed)
		}
	}
}

func (c *Client) onServed(requestID string, body *wire.Served) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.services[body.Method]; s != nil && s.phase == serviceOpening && s.requestID == requestID {
		s.live()
	}
}

// onUnserved takes the answer to unserve, or that the gateway gives the method no more calls although nobody asked for
// that.
func (c *Client) onUnserved(requestID string, body *wire.Unserved) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.services[body.Method]
	switch {
	case s == nil || s.directed:
	case s.phase == serviceClosing:
		if requestID == "" || requestID == s.requestID {
			s.end(ErrClosed)
		}
	case requestID == "":
		c.refusedService(s, wire.Errorf(body.Code, "the gateway ended the service: %s", body.Reason))
	}
}

// serviceAsked finds the service whose serve or unserve has that name; c.mu is held.
func (c *Client) serviceAsked(requestID string) *Service {
	for _, s := range c.services {
		if s.requestID == requestID && requestID != "" {
			return s
		}
	}
	return nil
}

// refusedService handles an error in answer to serve or unserve; c.mu is held.
func (c *Client) refusedService(s *Service, e *wire.Error) {
	switch {
	case s.phase == serviceClosing:
		s.end(ErrClosed)
		return
	case !e.Retryable:
		s.end(errorOf(e))
		return
	}
	wait := s.waits.next()
	if e.RetryAfter > 0 {
		wait = e.RetryAfter
	}
	s.phase, s.requestID = serviceOpening, ""
	s.timer = time.AfterFunc(wait, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if s.phase == serviceOpening && s.requestID == "" {
			c.announce(s)
		}
	})
}
