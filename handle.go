package magpie

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/magpie-bridge/magpie/internal/hub"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// Handler answers a call. It runs on a goroutine of its own and may block; many run at once. ctx ends when the call's time
// is over, when the caller has canceled it or has gone, and when the gateway is shut down.
//
// The result is carried as what it is: a string as text, a []byte as bytes, nil as nothing, anything else as JSON, of which
// a json.RawMessage is carried byte for byte. It may have 64 KiB, or limits.frame_bytes of the configuration. An [*Error] reaches the
// caller as it is; any other error is logged, and the caller is told internal and nothing of it; so is a panic.
type Handler func(ctx context.Context, r *Request) (any, error)

// CallLimits bound what handlers may cost. Zero values are replaced by the defaults that are given with them.
type CallLimits struct {
	// Workers is how many handlers run at once. 256.
	Workers int
	// Waiting is how many calls may wait for one of them; beyond that they fail with resource_exhausted. 1,024.
	Waiting int
	// Timeout is the time of a call that says nothing of it. 30 s.
	Timeout time.Duration
	// MaxTimeout is the most that a call may ask for. 5 min.
	MaxTimeout time.Duration
}

// Request is a call as its handler sees it. It is for the handler's goroutine, but Progress may be called by any, and it
// may be kept.
type Request struct {
	// Method is what was called.
	Method string
	// UserID is the caller's user, SessionID its session: both are what the gateway knows, not what the caller says.
	UserID, SessionID string
	// Meta is what the caller sent along, such as a trace context.
	Meta map[string]string

	ctx      context.Context //nolint:containedctx // that of this call
	incoming *hub.Incoming
}

// Decode unmarshals the JSON that the call carries into v. Its error is an [*Error] that the handler can return as it is.
func (r *Request) Decode(v any) error {
	if r.incoming.Payload.Kind != wire.PayloadJSON {
		return wire.Errorf(wire.CodeInvalidArgument, "%s wants its argument as JSON, in data", r.Method)
	}
	if err := json.Unmarshal(r.incoming.Payload.Bytes, v); err != nil {
		return wire.Errorf(wire.CodeInvalidArgument, "the argument of %s: %v", r.Method, err)
	}
	return nil
}

// Text returns the text that the call carries; ok is false when it carries something else.
func (r *Request) Text() (text string, ok bool) {
	return string(r.incoming.Payload.Bytes), r.incoming.Payload.Kind == wire.PayloadText
}

// Bytes returns what the call carries, of whichever kind.
func (r *Request) Bytes() []byte { return r.incoming.Payload.Bytes }

// Progress sends a part of the result, in the forms that a result may have. Parts arrive in their order, before the reply.
// It waits while the caller takes no more, and fails when nobody waits for the result any more.
func (r *Request) Progress(part any) error {
	payload, err := resultPayload(part)
	if err != nil {
		return err
	}
	return r.incoming.Progress(r.ctx, payload)
}

// Handle has calls of a method answered by a handler, from now on. Method names are dot-separated words of letters, digits, _
// and -; who may call one is for the rights in the caller's token to say. As with http.ServeMux it panics when the name cannot be used,
// belongs to the gateway (magpie.*) or has a handler already.
func (g *Gateway) Handle(method string, h Handler) {
	err := g.inner.Handle(method, func(ctx context.Context, in *hub.Incoming) (wire.Payload, error) {
		r := &Request{
			Method: in.Method, UserID: in.Caller.UserID, SessionID: string(in.Session), ctx: ctx, incoming: in,
		}
		if len(in.Meta) > 0 {
			r.Meta = make(map[string]string, len(in.Meta))
			for _, p := range in.Meta {
				r.Meta[p.Key] = p.Value
			}
		}
		result, err := h(ctx, r)
		if err != nil {
			return wire.Payload{}, err
		}
		return resultPayload(result)
	})
	if err != nil {
		panic(fmt.Sprintf("magpie: handle %q: %v", method, err))
	}
}

func resultPayload(result any) (wire.Payload, error) {
	switch v := result.(type) {
	case nil:
		return wire.Payload{}, nil
	case string:
		return wire.Payload{Kind: wire.PayloadText, Bytes: []byte(v)}, nil
	case []byte:
		return wire.Payload{Kind: wire.PayloadBytes, Bytes: v}, nil
	}
	return jsonPayload(result)
}

// Typed makes a [Handler] of a function from an argument to a result, both JSON on the wire.
func Typed[In, Out any](f func(ctx context.Context, in In) (Out, error)) Handler {
	return func(ctx context.Context, r *Request) (any, error) {
		var in In
		if err := r.Decode(&in); err != nil {
			return nil, err
		}
		out, err := f(ctx, in)
		if err != nil {
			return nil, err
		}
		data, err := json.Marshal(out)
		return json.RawMessage(data), err
	}
}
