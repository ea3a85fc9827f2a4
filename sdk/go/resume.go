package magpieclient

import (
	"errors"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// positionsBytes bounds the positions of a connect frame, which has to fit into what the gateway accepts; it may be less.
// Subscriptions that find no room are asked for one by one, and those that say something of the client, to say it again.
const positionsBytes = 32 << 10

// resumption is what a connect frame says to go on with the session before; nil when there is none. The subscriptions
// that it names are carried: if the session is resumed, the gateway opens them unasked.
func (c *Client) resumption() *wire.Resume {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.resumeToken == "" {
		return nil
	}
	r := &wire.Resume{Token: c.resumeToken}
	room := min(positionsBytes, c.limit/2)
	for name, s := range c.subscriptions {
		p := s.cursor.place()
		room -= len(name) + len(p.Epoch) + 64 // the rest is names of fields and an offset
		s.carried = s.wasOpened && s.filter == "" && s.info == nil && s.members == nil && s.choice == choice{} && s.phase != phaseParked && room > 0 && len(r.Positions) < wire.MaxPositions
		if s.carried {
			r.Positions = append(r.Positions, wire.ChannelPosition{Channel: name, Position: p})
		}
	}
	return r
}

// carry waits for the gateway to open what it carries over to a resumed session; c.mu is held.
func (s *Subscription) carry() {
	s.phase, s.requestID = phaseOpening, ""
	if s.timer != nil {
		s.timer.Stop()
	}
}

// openedUnasked takes a subscription that the gateway opened unasked: because it carries it over to a resumed session, or
// because somebody told it to. One that nobody here wants is closed; c.mu is held.
func (c *Client) openedUnasked(body *wire.Subscribed) {
	s := c.subscriptions[body.Channel]
	switch {
	case s == nil && c.opts.OnSubscription != nil && !body.Channel.IsPattern():
		c.handOut(body)
	case s == nil && c.line != nil:
		_, id := c.newID()
		c.line.push(wire.Frame{RequestID: id, Body: &wire.Unsubscribe{Channel: body.Channel}})
	case s != nil && s.carried && s.phase == phaseOpening && s.requestID == "":
		s.carried = false
		s.live(body)
	}
}

// forgetSession sees to it that a session that goes on on another line is not taken back from there.
func (c *Client) forgetSession(cause error) {
	if closed, ok := errors.AsType[*CloseError](cause); ok && wire.CloseCode(closed.Code) == wire.CloseTakenOver { //nolint:gosec // a close code has 16 bits
		c.mu.Lock()
		defer c.mu.Unlock()
		c.resumeToken = ""
	}
}
