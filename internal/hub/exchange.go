package hub

import (
	"sync"
	"time"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// Home is the loop that somebody lives on, nil for those that live on none. It is only compared: two that live on the
// same loop may reach each other without a detour.
type Home any

// Back is the caller's side of an exchange: where it goes what the callee says. Its methods are called by any goroutine;
// from is the loop they are called on. What they are given is valid until they return.
type Back interface {
	// Part takes a part of the result.
	Part(from Home, x *Exchange, part wire.Payload)
	// Answer takes the end. It is called once, and nothing after it.
	Answer(from Home, x *Exchange, reply *wire.Reply, err error)
}

// Callee is the other side: whoever has the call in hand. Its methods are called by any goroutine.
type Callee interface {
	// Cancel tells that nobody waits any more. The callee may have answered meanwhile.
	Cancel(from Home)
	// Credit allows that many more parts.
	Credit(from Home, count int64)
}

// Exchange is one call on its way from a caller to a callee and back. The fields above mu are set before it is
// dispatched, and are not changed after that.
type Exchange struct {
	Method   string
	To       wire.Target
	Caller   *auth.Principal
	Session  wire.SessionID // of the caller; empty where it has none
	Deadline time.Time
	Meta     wire.Pairs
	Payload  wire.Payload
	Back     Back
	From     Home // of the caller
	// OwnOnly has only sessions of the caller's own user asked.
	OwnOnly bool
	// Naming has the session that is asked note its name in Asked, before it answers.
	Naming bool
	Asked  wire.SessionID

	failed  bool       // no callee gave the answer; whoever gives it
	kept    bool       // the payload is the exchange's own; whoever has the exchange in hand
	mu      sync.Mutex // guards the fields below
	callee  Callee     // nil until somebody has the call in hand
	waiting *service   // in whose queue the call waits
	over    bool       // nobody waits for an answer
	credit  int64      // given before there was a callee
}

// Keep makes the exchange own what it carries, which until then may be the memory of a decoder. Whoever does not deliver
// it at once calls it.
func (x *Exchange) Keep() {
	if !x.kept {
		x.kept = true
		x.Payload = x.Payload.Clone()
	}
}

// Taken tells who has the call in hand now, and returns the credit that was given meanwhile. ok is false when nobody waits
// for an answer any more: then there is nothing to do.
func (x *Exchange) Taken(by Callee) (credit int64, ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.over {
		return 0, false
	}
	x.callee, x.waiting = by, nil
	credit, x.credit = x.credit, 0
	return credit, true
}

// Cancel ends the exchange on behalf of the caller, who hears nothing more of it.
func (x *Exchange) Cancel(from Home) {
	callee, queue := x.end()
	if queue != nil {
		queue.forget(x)
	}
	if callee != nil {
		callee.Cancel(from)
	}
}

// Expire ends the exchange because its time is over. It reports whether the callee answers all the same: with what it has.
func (x *Exchange) Expire(from Home) bool {
	x.mu.Lock()
	callee := x.callee
	x.mu.Unlock()
	switch c := callee.(type) {
	case *gathering:
		c.expire(from)
		return true
	case *handling: // its context has the same deadline, and is to end by that
		x.end()
	default:
		x.Cancel(from)
	}
	return false
}

func (x *Exchange) end() (Callee, *service) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.over {
		return nil, nil
	}
	x.over = true
	callee, queue := x.callee, x.waiting
	x.callee, x.waiting = nil, nil
	return callee, queue
}

// Credit allows the callee that many more parts.
func (x *Exchange) Credit(from Home, count int64) {
	x.mu.Lock()
	callee := x.callee
	if callee == nil {
		x.credit += count
	}
	x.mu.Unlock()
	if callee != nil {
		callee.Credit(from, count)
	}
}

// Fail answers in place of a callee.
func (x *Exchange) Fail(from Home, err error) {
	x.end()
	x.failed = true
	x.Back.Answer(from, x, nil, err)
}

// queued notes where the call waits; false when nobody waits for an answer any more.
func (x *Exchange) queued(in *service) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.waiting = in
	return !x.over
}

// gone reports whether nobody waits for an answer any more.
func (x *Exchange) gone() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.over
}
