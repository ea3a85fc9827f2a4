package magpieclient

import (
	"context"
	"fmt"
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

const (
	// callTimeout bounds a call whose context has no deadline: a callee may never answer.
	callTimeout = 30 * time.Second
	// gatherMargin is how long before its deadline a call that gathers answers has the gateway send what there is, so
	// that it arrives in time. Of short calls it is an eighth.
	gatherMargin = time.Second
	// progressWindow is how many parts of a result may be under way before the callee needs more credit.
	progressWindow = 16
)

// CallOptions are the parts of a call that are not always there.
type CallOptions struct {
	// To is who is to answer: user:<id>, of whose sessions the first to answer counts, session:<id>, or channel:<name>, of
	// which all subscribers but the caller are asked. When it is empty, one of those who serve the method answers.
	To string
	// Device leaves of a user's sessions only those on that device.
	Device string
	// All asks every session of the user, and gathers their answers in Reply.Answers, for as long as some are missing and
	// the deadline allows. Calls to a channel do so anyway.
	All bool
	// Meta is what travels along, such as a trace context.
	Meta map[string]string
	// OnProgress is given the parts of the result that come before the reply, in their order, by the goroutine that
	// waits in Call. While it takes its time, the callee has to wait. When it is nil the parts are dropped.
	OnProgress func(part Payload)
}

// Reply is what a call brought back.
type Reply struct {
	Meta    map[string]string
	Payload Payload
	Answers []Answer // of a call that gathers answers, in the order in which they came
	Asked   int      // how many sessions such a call reached
}

// Answer is what one of those said who were asked.
type Answer struct {
	UserID, SessionID, Device string
	Payload                   Payload
	Err                       error // an [*Error], when the session refused or failed
}

// Call runs a method at a peer and waits for its reply until the deadline of ctx, or for 30 seconds when it has none;
// a gateway allows 5 minutes. A call is never repeated: when the line breaks it fails with [CodeUnavailable], and may
// have been carried out. When ctx ends, the callee is told that nobody waits any more, and a later reply is dropped.
func (c *Client) Call(ctx context.Context, method string, payload Payload, opts CallOptions) (*Reply, error) {
	if err := wire.CheckMethod(method); err != nil {
		return nil, errorOf(wire.AsError(err))
	}
	call := callOf(method, payload, &opts)
	target, err := call.Target()
	if err != nil {
		return nil, errorOf(wire.AsError(err))
	}
	timeout := callTimeout
	deadline, ok := ctx.Deadline()
	if ok {
		timeout = time.Until(deadline)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel() // the request, too, when OnProgress panics
	deadline, _ = ctx.Deadline()
	r := &request{body: call, deadline: deadline, gathers: target.All}
	if opts.OnProgress != nil {
		r.parts = make(chan Payload, progressWindow)
	}
	if err := c.submit(ctx, r); err != nil {
		return nil, fmt.Errorf("call %s: %w", method, err)
	}
	c.follow(ctx, r, opts.OnProgress)
	if r.err != nil {
		return nil, fmt.Errorf("call %s: %w", method, r.err)
	}
	reply, ok := r.answer.(*wire.Reply)
	if !ok {
		return nil, fmt.Errorf("call %s: the gateway answered with a %s frame", method, r.answer.Type())
	}
	return replyOf(reply), nil
}

func callOf(method string, payload Payload, opts *CallOptions) *wire.Call {
	call := &wire.Call{
		Method:  method,
		To:      opts.To,
		Device:  opts.Device,
		Meta:    pairsOf(opts.Meta),
		Payload: payload.wire(),
	}
	if opts.All {
		call.Answers = wire.AnswersAll
	}
	return call
}

func replyOf(r *wire.Reply) *Reply {
	reply := &Reply{Meta: mapOf(r.Meta), Payload: payloadOf(r.Payload), Asked: int(r.Asked)}
	for i := range r.Answers {
		a := &r.Answers[i]
		answer := Answer{UserID: a.UserID, SessionID: string(a.SessionID), Device: a.Device, Payload: payloadOf(a.Payload)}
		if a.Err != nil {
			answer.Err = errorOf(a.Err)
		}
		reply.Answers = append(reply.Answers, answer)
	}
	return reply
}

// timeLeft is how long the gateway is to wait for the answer of a call, in milliseconds.
func (r *request) timeLeft() int64 {
	left := time.Until(r.deadline)
	if r.gathers {
		left -= min(left/8, gatherMargin)
	}
	return max(1, left.Milliseconds())
}

// follow hands out the parts of a result as they come, until the call has ended.
func (c *Client) follow(ctx context.Context, r *request, take func(Payload)) {
	for waiting := true; waiting; {
		select {
		case part := <-r.parts:
			take(part)
			c.mu.Lock()
			c.took(r)
			c.mu.Unlock()
		case <-r.done:
			waiting = false
		}
	}
	for len(r.parts) > 0 && ctx.Err() == nil {
		take(<-r.parts)
	}
}

// onProgress takes a part of a call's result.
func (c *Client) onProgress(requestID string, body *wire.Progress) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.requests[requestID]
	if r == nil {
		return
	}
	if r.parts == nil {
		c.took(r)
		return
	}
	select {
	case r.parts <- payloadOf(body.Payload):
	default:
		c.line.push(wire.Frame{RequestID: r.id, Body: &wire.Cancel{}})
		c.finish(r, nil, errorf(wire.CodeInternal, "the gateway sent more parts of the result than it was given credit for"))
	}
}

// took counts a part that was taken, and gives credit for more once half of the window is used; c.mu is held.
func (c *Client) took(r *request) {
	if c.requests[r.id] != r || c.line == nil {
		return
	}
	r.taken++
	if r.taken >= progressWindow/2 {
		c.line.push(wire.Frame{RequestID: r.id, Body: &wire.Credit{Count: r.taken}})
		r.taken = 0
	}
}

// keptReply copies a reply out of the decoder's memory.
func keptReply(r *wire.Reply) *wire.Reply {
	kept := *r
	kept.Payload = kept.Payload.Clone()
	for i := range kept.Answers { // the list itself is not the decoder's
		kept.Answers[i].Payload = kept.Answers[i].Payload.Clone()
	}
	return &kept
}
