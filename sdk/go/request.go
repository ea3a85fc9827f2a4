package magpieclient

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// request is something that was asked and waits for its answer. It is open from submit to finish.
type request struct {
	number uint64 // orders the requests
	id     string
	body   wire.Body
	repeat bool // may be asked again: history, and a publish, which its message id makes idempotent
	done   chan struct{}

	deadline time.Time    // of a call
	gathers  bool         // answers, until the deadline
	parts    chan Payload // of a call's result, on their way to its OnProgress; nil when there is none

	// Guarded by Client.mu until done is closed.
	sent   bool // on the present line
	waits  backoff
	timer  *time.Timer // asks again after the gateway refused for now
	unhook func() bool // stops watching the asker's context
	taken  int64       // parts of a call's result for which no credit was given yet
	answer wire.Body
	err    error
}

// submit asks r of the gateway: over the present line, or over the next one. The request ends when ctx does.
func (c *Client) submit(ctx context.Context, r *request) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx.Err() != nil {
		return c.failure
	}
	r.done = make(chan struct{})
	r.waits = newBackoff()
	r.number, r.id = c.newID()
	c.requests[r.id] = r
	r.unhook = context.AfterFunc(ctx, func() { c.abandon(r, context.Cause(ctx)) })
	c.send(r)
	c.wantLine()
	return nil
}

// submitRepeatable asks what may be asked again, once fewer than MaxInFlight of such requests are unanswered.
func (c *Client) submitRepeatable(ctx context.Context, what string, body wire.Body) (*request, error) {
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("%s: %w", what, context.Cause(ctx))
	case <-c.ctx.Done():
		return nil, fmt.Errorf("%s: %w", what, c.Err())
	}
	r := &request{body: body, repeat: true}
	if err := c.submit(ctx, r); err != nil {
		<-c.slots
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return r, nil
}

// newID names a request; c.mu is held. Names are never used again, so that a late answer finds nobody.
func (c *Client) newID() (number uint64, id string) {
	c.lastID++
	return c.lastID, strconv.FormatUint(c.lastID, 36)
}

// send puts the request on the line, if there is one; c.mu is held.
func (c *Client) send(r *request) {
	if c.line == nil {
		return
	}
	if r.timer != nil {
		r.timer.Stop()
	}
	if call, ok := r.body.(*wire.Call); ok { // sent once only: nobody reads it yet
		call.TimeoutMs = r.timeLeft()
	}
	r.sent = true
	c.line.push(wire.Frame{RequestID: r.id, Body: r.body})
}

// abandon ends a request whose asker waits no more. The gateway is told where that saves it work.
func (c *Client) abandon(r *request, cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.requests[r.id] != r {
		return
	}
	if !r.repeat && r.sent && c.line != nil {
		c.line.push(wire.Frame{RequestID: r.id, Body: &wire.Cancel{}})
	}
	if c.failure != nil && c.line == nil {
		cause = &waitError{cause: cause, line: c.failure}
	}
	c.finish(r, nil, cause)
}

// finish ends an open request; c.mu is held.
func (c *Client) finish(r *request, answer wire.Body, err error) {
	delete(c.requests, r.id)
	r.answer, r.err = answer, err
	r.unhook()
	if r.timer != nil {
		r.timer.Stop()
	}
	if r.repeat {
		<-c.slots
	}
	close(r.done)
	if len(c.requests) == 0 && c.quiet != nil {
		close(c.quiet)
		c.quiet = nil
	}
}

// refused handles an error in answer to a request: what may be asked again and succeed then, is; c.mu is held.
func (c *Client) refused(r *request, e *wire.Error) {
	if !r.repeat || !e.Retryable {
		c.finish(r, nil, errorOf(e))
		return
	}
	wait := r.waits.next()
	if e.RetryAfter > 0 {
		wait = e.RetryAfter
	}
	r.sent = false
	r.timer = time.AfterFunc(wait, func() { c.resend(r) })
}

func (c *Client) resend(r *request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.requests[r.id] == r && !r.sent {
		c.send(r)
	}
}

// resendAll puts every open request on a new line, in order; c.mu is held.
func (c *Client) resendAll() {
	open := slices.SortedFunc(maps.Values(c.requests), func(a, b *request) int { return cmp.Compare(a.number, b.number) })
	for _, r := range open {
		c.send(r)
	}
}

// failSent ends, with the line they were sent on, the requests that must not be asked twice; c.mu is held.
func (c *Client) failSent() {
	for _, r := range c.requests {
		if r.sent && !r.repeat {
			c.finish(r, nil, errorf(wire.CodeUnavailable, "the line broke before the reply came; the call may have been carried out"))
		}
		r.sent = false
	}
}

// waitError is the end of somebody's patience while there was no line.
type waitError struct{ cause, line error }

func (e *waitError) Error() string {
	return e.cause.Error() + ": no line to the gateway: " + e.line.Error()
}

func (e *waitError) Unwrap() []error { return []error{e.cause, e.line} }
