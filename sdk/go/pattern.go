package magpieclient

import (
	"maps"
	"slices"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// membership is what a subscription to a pattern has besides: a cursor for each of its channels. The cursor of a channel is
// kept over lines, and while the channel has not joined on this one.
type membership struct {
	cursors  map[wire.ChannelName]*cursor // guarded by Client.mu
	consumed map[string]Position          // guarded by Subscription.mu
}

// newMembership begins with the positions that are known.
func newMembership(positions map[string]Position) *membership {
	m := &membership{cursors: make(map[wire.ChannelName]*cursor), consumed: maps.Clone(positions)}
	if m.consumed == nil {
		m.consumed = make(map[string]Position)
	}
	for name, p := range positions {
		k := newCursor(wire.ChannelName(name), At(p).start)
		m.cursors[k.channel] = &k
	}
	return m
}

// expand adds to what the gateway is asked with for a pattern: the channels that are known go on from where they stand, and
// once it was open, those that are not have appeared since.
func (c *Client) expand(s *Subscription, b *wire.Subscribe) {
	if s.wasOpened {
		b.From = After(0).start
	}
	room := min(positionsBytes, c.limit/2)
	for name, k := range s.members.cursors {
		p := k.place()
		room -= len(name) + len(p.Epoch) + 64 // the rest is names of fields and an offset
		if !k.known || room <= 0 || len(b.Positions) == wire.MaxPositions {
			continue // what comes again of it is dropped
		}
		b.Positions = append(b.Positions, wire.ChannelPosition{Channel: name, Position: p})
	}
}

// reopenPattern asks for a pattern over a new line. A session that is resumed has it already, but not from where it stands
// here: it is begun anew. c.mu is held.
func (c *Client) reopenPattern(s *Subscription, resumed bool) {
	if resumed && s.wasOpened && s.filter == "" && s.choice == (choice{}) && c.line != nil {
		_, id := c.newID()
		c.line.push(wire.Frame{RequestID: id, Body: &wire.Unsubscribe{Channel: s.cursor.channel}})
	}
	c.open(s)
}

// joined takes a channel that has joined by a pattern; c.mu is held.
func (c *Client) joined(body *wire.Subscribed) {
	s := c.subscriptions[body.Pattern]
	if s == nil || s.members == nil || s.phase != phaseLive {
		return // it is about to be begun anew
	}
	k := s.members.cursors[body.Channel]
	if k == nil {
		k = &cursor{channel: body.Channel}
		s.members.cursors[body.Channel] = k
	}
	if again := k.known && k.last.Epoch == body.Position.Epoch && body.Position.Offset < k.last.Offset; !again {
		k.subscribed(body)
	}
	s.mu.Lock()
	if _, known := s.members.consumed[string(body.Channel)]; !known {
		s.members.consumed[string(body.Channel)] = positionOf(k.place())
	}
	s.mu.Unlock()
	if takers := c.takers[body.Channel]; !slices.Contains(takers, s) {
		c.takers[body.Channel] = append(slices.Clip(takers), s) // whoever delivers has the list of before
	}
}

// part has a pattern be given nothing more of its channels, until they join again; c.mu is held.
func (c *Client) part(s *Subscription) {
	if s.members == nil {
		return
	}
	for name := range s.members.cursors {
		c.leave(name, s)
	}
}

// leave does so for one channel; c.mu is held.
func (c *Client) leave(name wire.ChannelName, s *Subscription) {
	rest := slices.DeleteFunc(slices.Clone(c.takers[name]), func(other *Subscription) bool { return other == s })
	if len(rest) == 0 {
		delete(c.takers, name)
		return
	}
	c.takers[name] = rest
}

// parted takes what the gateway says of a channel that it does not deliver to a pattern, or no longer; c.mu is held.
func (c *Client) parted(body *wire.Unsubscribed) {
	for _, s := range c.takers[body.Channel] {
		delete(s.members.cursors, body.Channel)
		c.leave(body.Channel, s)
	}
	c.log.Warn("the gateway does not deliver a channel that a pattern stands for",
		"channel", body.Channel, "code", body.Code, "reason", body.Reason)
}

// Positions is where each channel of a pattern stands after the last event that Next gave: what [SubscribeOptions] takes to go
// on from there. Of a subscription to one channel it has that one.
func (s *Subscription) Positions() map[string]Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.members == nil {
		return map[string]Position{s.Channel(): s.consumed}
	}
	return maps.Clone(s.members.consumed)
}
