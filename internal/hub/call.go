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

// Call runs the method that c names, on behalf of a principal.
func (h *Hub) Call(by *auth.Principal, c *wire.Call) (wire.Payload, error) {
	payload, err := h.call(by, c)
	if err != nil {
		h.Metrics.CallErrors.Add(1)
	} else {
		h.Metrics.Calls.Add(1)
	}
	return payload, err
}

func (h *Hub) call(by *auth.Principal, c *wire.Call) (wire.Payload, error) {
	if err := wire.CheckMethod(c.Method); err != nil {
		return wire.Payload{}, err
	}
	if err := by.May(auth.Call, wire.ChannelName(c.Method)); err != nil {
		return wire.Payload{}, err
	}
	if c.To != "" {
		return wire.Payload{}, wire.Errorf(wire.CodeUnimplemented, "calls to a peer are not served by this gateway: leave out \"to\" and name a method of the gateway, such as magpie.echo")
	}
	method, ok := h.methods[c.Method]
	if !ok {
		return wire.Payload{}, wire.Errorf(wire.CodeNotFound, "nobody serves the method %q: the gateway itself serves magpie.echo", c.Method)
	}
	return method(c)
}
