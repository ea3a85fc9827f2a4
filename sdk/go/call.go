package magpieclient

import (
	"context"
	"fmt"
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// callTimeout bounds a call whose context has no deadline: a callee may never answer.
const callTimeout = 30 * time.Second

// CallOptions are the parts of a call that are not always there.
type CallOptions struct {
	To   string            // who is to answer, such as user:42; whoever serves the method when empty
	Meta map[string]string // what travels along, such as a trace context
}

// Reply is what a call brought back.
type Reply struct {
	Meta    map[string]string
	Payload Payload
}

// Call runs a method at a peer and waits for its reply, until the deadline of ctx or for 30 seconds. A call is never
// repeated: when the line breaks it fails with [CodeUnavailable], and may have been carried out. A reply that comes
// after the end of the call is dropped.
func (c *Client) Call(ctx context.Context, method string, payload Payload, opts CallOptions) (*Reply, error) {
	if err := wire.CheckMethod(method); err != nil {
		return nil, errorOf(wire.AsError(err))
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	deadline, _ := ctx.Deadline()
	r, err := c.submit(ctx, &wire.Call{
		Method:    method,
		To:        opts.To,
		TimeoutMs: max(1, time.Until(deadline).Milliseconds()),
		Meta:      pairsOf(opts.Meta),
		Payload:   payload.wire(),
	}, false)
	if err != nil {
		return nil, fmt.Errorf("call %s: %w", method, err)
	}
	<-r.done
	if r.err != nil {
		return nil, fmt.Errorf("call %s: %w", method, r.err)
	}
	reply, ok := r.answer.(*wire.Reply)
	if !ok {
		return nil, fmt.Errorf("call %s: the gateway answered with a %s frame", method, r.answer.Type())
	}
	return &Reply{Meta: mapOf(reply.Meta), Payload: payloadOf(reply.Payload)}, nil
}
