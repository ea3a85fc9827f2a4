package hub

import (
	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// Method is a method of the gateway itself. It runs where the call came in, so it must not block. The payload of its
// reply may be that of the call.
type Method func(c *wire.Call) (wire.Payload, error)

// builtin returns the methods that every gateway answers.
func builtin() map[string]Method {
	return map[string]Method{
		// magpie.echo answers with the payload it was given: how a client tests the line, and its own code.
		"magpie.echo": func(c *wire.Call) (wire.Payload, error) { return c.Payload, nil },
	}
}

// Call runs the method that c names, on behalf of a principal, if it is one of the gateway's own. Otherwise it returns the
// handler that serves it, which is to be run on a worker.
func (h *Hub) Call(by *auth.Principal, c *wire.Call) (wire.Payload, Handler, error) {
	payload, handler, err := h.call(by, c)
	if handler == nil {
		h.Answered(err)
	}
	return payload, handler, err
}

func (h *Hub) call(by *auth.Principal, c *wire.Call) (payload wire.Payload, handler Handler, err error) {
	if err := wire.CheckMethod(c.Method); err != nil {
		return payload, nil, err
	}
	if err := by.May(auth.Call, wire.ChannelName(c.Method)); err != nil {
		return payload, nil, err
	}
	if c.To != "" {
		return payload, nil, wire.Errorf(wire.CodeUnimplemented, "calls to a peer are not served by this gateway: leave out \"to\" and name a method of the gateway, such as magpie.echo")
	}
	if method, ok := h.methods[c.Method]; ok {
		payload, err = method(c)
		return payload, nil, err
	}
	if handler, ok := h.handlers.Load(c.Method); ok {
		return payload, handler.(Handler), nil
	}
	return payload, nil, wire.Errorf(wire.CodeNotFound, "nobody serves the method %q: the gateway itself serves magpie.echo", c.Method)
}
