package magpieclient

import (
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// item is one entry of a subscription's queue: an event, or nil where only the position moved.
type item struct {
	event Event
	after wire.Position // where the subscription stands once the item is consumed
	of    *cursor       // that moves with it
}

// cursor decides what each frame of a subscription means: new, repeated, or preceded by a hole. It moves only when an
// item was accepted, so that what found no room is asked for again:
//
//	consumed <= last <= the gateway's cursor
type cursor struct {
	channel wire.ChannelName
	from    wire.Start    // where to begin while known is false
	last    wire.Position // of the last item accepted
	known   bool          // last names a place
	owed    bool          // the gateway began elsewhere than we asked, and has not yet said what is missing
	asked   wire.Position // while owed: where we had asked to begin

	repeated uint64 // messages dropped because they had been delivered
	jumps    uint64 // holes that the gateway did not explain
}

func newCursor(channel wire.ChannelName, from wire.Start) cursor {
	k := cursor{channel: channel, from: from}
	if from.Kind == wire.StartPosition {
		k.last, k.known = wire.Position{Epoch: from.Epoch, Offset: from.Offset}, true
	}
	return k
}

// place is the position after which the gateway is to begin.
func (k *cursor) place() wire.Position {
	if k.owed {
		return k.asked // or the gap that is owed would never be told
	}
	return k.last
}

// start says where the gateway is to begin.
func (k *cursor) start() wire.Start {
	if !k.known {
		return k.from
	}
	p := k.place()
	return wire.Start{Kind: wire.StartPosition, Epoch: p.Epoch, Offset: p.Offset}
}

// subscribed takes the place where the gateway begins. Unless it continues right after our own, a gap has to follow.
func (k *cursor) subscribed(s *wire.Subscribed) {
	if k.known && !k.owed {
		k.asked = k.last
	}
	k.owed = k.known && s.Position != k.asked
	k.last, k.known = s.Position, true
}

// judge gives the items that a frame of the subscription brings.
func (k *cursor) judge(body wire.Body) []item {
	switch body := body.(type) {
	case *wire.Message:
		return k.message(body)
	case *wire.Gap:
		return []item{k.gap(body)}
	case *wire.PositionUpdate:
		if moved, ok := k.position(body.Position); ok {
			return []item{moved}
		}
	}
	return nil
}

// message judges one message: nothing when it was delivered before, a gap first when entries are missing before it.
func (k *cursor) message(m *wire.Message) []item {
	before := m.Prev
	if before == 0 {
		before = m.Offset - 1
	}
	if m.Offset <= k.last.Offset {
		k.repeated++
		return nil
	}
	delivered := item{event: messageOf(m, k.last.Epoch), after: wire.Position{Epoch: k.last.Epoch, Offset: m.Offset}}
	if before <= k.last.Offset && !k.owed {
		return []item{delivered}
	}
	k.jumps++
	missing := &Gap{
		Channel:    string(k.channel),
		Epoch:      string(k.last.Epoch),
		FromOffset: min(uint64(k.last.Offset)+1, uint64(before)),
		ToOffset:   uint64(before),
		Reason:     GapUnexplained,
	}
	return []item{{event: missing, after: wire.Position{Epoch: k.last.Epoch, Offset: before}}, delivered}
}

// gap takes a hole that the gateway explains. It moves us to its end, unless we stand beyond it: a gap that follows
// subscribed tells of the entries before the place where delivery begins.
func (k *cursor) gap(g *wire.Gap) item {
	after := k.last
	switch {
	case g.Epoch != "" && g.Epoch != k.last.Epoch:
		after = wire.Position{Epoch: g.Epoch, Offset: g.ToOffset}
	case (g.Reason == wire.GapRetention || g.Reason == wire.GapDamage) && g.ToOffset > k.last.Offset:
		after.Offset = g.ToOffset
	}
	return item{
		event: gapOf(k.channel, g),
		after: after,
	}
}

func gapOf(channel wire.ChannelName, g *wire.Gap) *Gap {
	return &Gap{
		Channel:    string(channel),
		Epoch:      string(g.Epoch),
		FromOffset: uint64(g.FromOffset),
		ToOffset:   uint64(g.ToOffset),
		Reason:     g.Reason,
	}
}

// position takes a move over skipped entries; ok is false when it leads nowhere new.
func (k *cursor) position(p wire.Position) (moved item, ok bool) {
	if p.Epoch != k.last.Epoch || p.Offset <= k.last.Offset {
		return item{}, false
	}
	return item{after: p}, true
}

// accept moves the cursor to an item that found its place in the queue.
func (k *cursor) accept(it item) {
	k.last, k.owed = it.after, false
}

func messageOf(m *wire.Message, epoch wire.Epoch) *Message {
	return &Message{
		Channel:   string(m.Channel),
		Position:  Position{Epoch: string(epoch), Offset: uint64(m.Offset)},
		ID:        m.MessageID,
		Key:       m.Key,
		Publisher: m.Publisher,
		Time:      time.UnixMilli(m.Timestamp),
		Tags:      mapOf(m.Tags),
		Meta:      mapOf(m.Meta),
		Payload:   payloadOf(m.Payload),
	}
}
