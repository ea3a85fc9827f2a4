package magpieclient

import (
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// holdLimit is how long the line may stand still for one slow consumer. It is far below the time after which gateways
// give up a client that takes nothing.
const holdLimit = 5 * time.Second

// offer puts an item into the subscription's queue. When there is no room, the line is not read until there is: the
// gateway then sends no more, and the cursor lags. But a reader that stands still brings no answers either, and a
// consumer that waits for one would wait for ever. So as soon as anybody else needs the line, or after holdLimit, the
// subscription is parked instead: it is closed at the gateway, and opened again at the last item accepted once its
// queue is half empty. It reports whether the item was accepted.
func (c *Client) offer(l *line, s *Subscription, it item) bool {
	select {
	case s.queue <- it:
	default:
		if !c.hold(l, s, it) {
			return false
		}
	}
	c.mu.Lock()
	it.of.accept(it)
	c.mu.Unlock()
	return true
}

// hold waits for room in a full queue.
func (c *Client) hold(l *line, s *Subscription, it item) bool {
	l.held.Store(true)
	defer func() {
		l.touch()
		l.held.Store(false)
	}()
	select {
	case <-c.demand: // may be an old one; lineIsWanted tells
	default:
	}
	if !c.lineIsWanted(s) {
		timer := time.NewTimer(holdLimit)
		defer timer.Stop()
		select {
		case s.queue <- it:
			return true
		case <-c.demand:
		case <-timer.C:
		case <-s.done:
			return false
		case <-l.ctx.Done():
			return false
		}
	}
	c.park(l, s)
	return false
}

// lineIsWanted reports whether anybody but s waits for what the line brings.
func (c *Client) lineIsWanted(s *Subscription) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.requests) > 0 || len(c.services) > 0 || len(c.calls) > 0 {
		return true
	}
	for _, other := range c.subscriptions {
		if other != s && other.phase != phaseParked {
			return true
		}
	}
	return false
}

// wantLine tells a reader that stands still that somebody waits for what comes next.
func (c *Client) wantLine() {
	select {
	case c.demand <- struct{}{}:
	default:
	}
}

// park closes the subscription at the gateway, to be opened again where it stands.
func (c *Client) park(l *line, s *Subscription) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.phase != phaseLive {
		return
	}
	s.phase = phaseParked
	s.parked.Store(true)
	s.parkings++
	c.part(s)
	_, id := c.newID()
	l.push(wire.Frame{RequestID: id, Body: &wire.Unsubscribe{Channel: s.cursor.channel}})
	c.unparkIfRoom(s) // the consumer may have looked just before it could see that it is parked
}

// relieve opens a parked subscription again once its consumer has made room.
func (c *Client) relieve(s *Subscription) {
	if !s.parked.Load() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unparkIfRoom(s)
}

func (c *Client) unparkIfRoom(s *Subscription) {
	if s.phase == phaseParked && len(s.queue) <= cap(s.queue)/2 {
		s.parked.Store(false)
		c.open(s)
	}
}
