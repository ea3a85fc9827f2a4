package magpieclient

import (
	"github.com/magpie-bridge/magpie/internal/wire"
)

// dispatch does what a frame of the gateway asks for. It runs on the line's reader; only the delivery of an event may
// make it wait (hold.go). The frame's body is the decoder's: what outlives this call is a copy.
func (c *Client) dispatch(l *line, f *wire.Frame) {
	switch body := f.Body.(type) {
	case *wire.Message:
		c.deliver(l, body.Channel, body)
	case *wire.Gap:
		c.deliver(l, body.Channel, body)
	case *wire.PositionUpdate:
		c.deliver(l, body.Channel, body)
	case *wire.Subscribed:
		c.onSubscribed(f.RequestID, body)
	case *wire.Unsubscribed:
		c.onUnsubscribed(f.RequestID, body)
	case *wire.Published:
		answer := *body
		c.onAnswer(f.RequestID, &answer)
	case *wire.Page:
		c.onAnswer(f.RequestID, keptPage(body))
	case *wire.Members:
		c.onAnswer(f.RequestID, keptMembers(body))
	case *wire.Reply:
		c.onAnswer(f.RequestID, keptReply(body))
	case *wire.Progress:
		c.onProgress(f.RequestID, body)
	case *wire.Served:
		c.onServed(f.RequestID, body)
	case *wire.Unserved:
		c.onUnserved(f.RequestID, body)
	case *wire.Error:
		c.onError(f.RequestID, body)
	case *wire.Call:
		c.onCall(l, f.RequestID, body)
	case *wire.Cancel:
		c.onCancel(f.RequestID)
	case *wire.Credit:
		c.onCredit(f.RequestID, body.Count)
	case *wire.Ping:
		l.answer(wire.Frame{RequestID: f.RequestID, Body: &wire.Pong{}})
	case *wire.Goodbye:
		l.parting(body)
	}
}

// deliver puts the events of a frame into the queues of its subscription, and of the patterns that have its channel.
func (c *Client) deliver(l *line, channel wire.ChannelName, body wire.Body) {
	c.mu.Lock()
	s, takers := c.subscriptions[channel], c.takers[channel]
	c.mu.Unlock()
	if s != nil {
		c.deliverTo(l, s, channel, body)
	}
	for _, s := range takers {
		c.deliverTo(l, s, channel, body)
	}
}

// deliverTo does so for one of them. What comes while the subscription is being opened belongs to the cursor it had before.
func (c *Client) deliverTo(l *line, s *Subscription, channel wire.ChannelName, body wire.Body) {
	c.mu.Lock()
	k := &s.cursor
	if s.members != nil {
		k = s.members.cursors[channel]
	}
	if k == nil || s.phase != phaseLive {
		c.mu.Unlock()
		return
	}
	items := k.judge(body)
	c.mu.Unlock()
	for _, it := range items {
		it.of = k
		if !c.offer(l, s, it) {
			return
		}
	}
}

func (c *Client) onSubscribed(requestID string, body *wire.Subscribed) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case body.Pattern != "":
		c.joined(body)
		return
	case requestID == "":
		c.openedUnasked(body)
		return
	}
	if s := c.subscriptions[body.Channel]; s != nil && s.phase == phaseOpening && s.requestID == requestID {
		s.live(body)
	}
}

// onUnsubscribed ends a subscription that the gateway ended. An answer to our own unsubscribe tells nothing new.
func (c *Client) onUnsubscribed(requestID string, body *wire.Unsubscribed) {
	if requestID != "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.subscriptions[body.Channel]
	switch {
	case s == nil:
		c.parted(body)
	case s.phase == phaseLive:
		s.end(errorf(body.Code, "the gateway ended the subscription: %s", body.Reason))
	case s.carried && s.phase == phaseOpening && s.requestID == "":
		s.carried = false
		c.refusedSubscription(s, wire.Errorf(body.Code, "the gateway did not open the subscription again: %s", body.Reason))
	}
}

func (c *Client) onAnswer(requestID string, body wire.Body) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.requests[requestID]; r != nil {
		c.finish(r, body, nil)
	}
}

func (c *Client) onError(requestID string, body *wire.Error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.requests[requestID]; r != nil {
		c.refused(r, body)
		return
	}
	if s := c.serviceAsked(requestID); s != nil {
		c.refusedService(s, body)
		return
	}
	for _, s := range c.subscriptions {
		if s.phase == phaseOpening && s.requestID == requestID {
			c.refusedSubscription(s, body)
			return
		}
	}
	c.log.Warn("the gateway reports an error", "code", body.Code, "message", body.Message)
}

// tooLarge fails a request that the gateway would answer by closing the line.
func (c *Client) tooLarge(requestID string, size int, limit int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.requests[requestID]; r != nil {
		c.finish(r, nil, errorf(wire.CodeInvalidArgument, "the frame has %d bytes: this gateway accepts %d", size, limit))
	}
}
