package wire

import (
	"bytes"
	"strconv"
)

// Presence asks for a page of the members of a channel, in the order of their session ids.
type Presence struct {
	Channel ChannelName
	Limit   int64     // of members; 0 means DefaultPage
	After   SessionID // the page begins behind it; empty: with the first
}

// Members answers Presence.
type Members struct {
	Channel  ChannelName
	Position Position // of the channel that tells of the members: the page is as of it
	Count    int64    // of all members, on all pages
	Members  []Member
	Next     SessionID // what to ask for the next page with; empty at the end
}

// Member is one session that has subscribed a channel.
type Member struct {
	UserID    string
	SessionID SessionID
	Device    string // empty: not known
	NodeID    string
	Since     int64  // milliseconds since 1970
	Info      []byte // what it said of itself, a JSON value; empty: nothing. As a payload's bytes
}

// Type is TypePresence.
func (*Presence) Type() Type { return TypePresence }

func (b *Presence) fields(c coder) {
	c.text(at(1, "channel"), (*string)(&b.Channel))
	c.integer(at(2, "limit").atMost(MaxMembers), &b.Limit)
	c.text(at(3, "after"), (*string)(&b.After))
}

// Type is TypeMembers.
func (*Members) Type() Type { return TypeMembers }

func (b *Members) fields(c coder) {
	c.text(at(1, "channel"), (*string)(&b.Channel))
	c.record(at(2, "position"), &b.Position, true)
	c.integer(at(3, "count").always(), &b.Count)
	c.list(at(4, "members").always(), (*members)(&b.Members))
	c.text(at(5, "next"), (*string)(&b.Next))
}

func (b *Member) fields(c coder) {
	c.text(at(1, "userId"), &b.UserID)
	c.text(at(2, "sessionId"), (*string)(&b.SessionID))
	c.text(at(3, "device"), &b.Device)
	c.text(at(4, "nodeId"), &b.NodeID)
	c.integer(at(5, "since"), &b.Since)
	value(c, at(6, "info"), &b.Info, 0)
}

// value shows a JSON value that is no payload and may be missing, which null says too; 0 is no limit.
func value(c coder, f field, v *[]byte, limit int) {
	p := Payload{Bytes: *v}
	if len(p.Bytes) > 0 {
		p.Kind = PayloadJSON
	}
	c.form(f, PayloadJSON, &p)
	if !c.has(f) {
		return
	}
	if limit > 0 && len(p.Bytes) > limit {
		c.refuse(f, "has "+strconv.Itoa(len(p.Bytes))+" bytes: at most "+strconv.Itoa(limit)+" are allowed")
		return
	}
	*v = p.Bytes
	if bytes.Equal(p.Bytes, []byte("null")) {
		*v = nil
	}
}
