package magpieclient

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// Member is a session that has subscribed a channel.
type Member struct {
	UserID    string
	SessionID string
	Device    string // empty: not known
	NodeID    string
	Since     time.Time
	Info      json.RawMessage // what it says of itself; nil: nothing
}

// MembersPage is a part of the members of a channel, in the order of their session ids.
type MembersPage struct {
	Channel string
	// Position is that of the channel that tells of the members, see [MembersChannel]: subscribed from there, it tells of
	// everything that has changed since, and of nothing that the page has already.
	Position Position
	Count    int // of all members, on all pages
	Members  []Member
	Next     string // what to ask for the next page with; empty at the end
}

// PresenceOptions say which of the members are wanted. The zero value begins with the first.
type PresenceOptions struct {
	// After is the Next of the page before.
	After string
	// Limit is how many members a page may have, at most 1,000; 100 when 0. A page of those who say much of themselves has
	// fewer.
	Limit int
}

// MembersChannel names the channel that tells of the members of another.
func MembersChannel(channel string) string { return wire.SystemPrefix + "members." + channel }

// OnlineChannel names the channel that tells when a user comes online and goes.
func OnlineChannel(userID string) string { return wire.SystemPrefix + "online." + userID }

// Presence tells who is in a channel: the first page of its members. It is asked for again when the line breaks or the
// gateway refuses for now, until ctx is done.
func (c *Client) Presence(ctx context.Context, channel string) (*MembersPage, error) {
	return c.presence(ctx, channel, PresenceOptions{})
}

// PresencePages gives one page after another to the end, and an error in the place of the page that could not be had. Each is
// as of its own position; what comes behind that of the first makes all of them true.
func (c *Client) PresencePages(ctx context.Context, channel string, opts PresenceOptions) iter.Seq2[*MembersPage, error] {
	return func(yield func(*MembersPage, error) bool) {
		for {
			page, err := c.presence(ctx, channel, opts)
			if !yield(page, err) || err != nil || page.Next == "" {
				return
			}
			opts.After = page.Next
		}
	}
}

func (c *Client) presence(ctx context.Context, channel string, opts PresenceOptions) (*MembersPage, error) {
	body := &wire.Presence{Channel: wire.ChannelName(channel), Limit: int64(opts.Limit), After: wire.SessionID(opts.After)}
	if err := body.Channel.Check(); err != nil {
		return nil, errorOf(wire.AsError(err))
	}
	if opts.Limit < 0 || opts.Limit > wire.MaxMembers {
		return nil, errorf(wire.CodeInvalidArgument, "a page of %d members: expected 1 to %d, or 0 for the usual", opts.Limit, wire.MaxMembers)
	}
	what := "presence of " + channel
	r, err := c.submitRepeatable(ctx, what, body)
	if err != nil {
		return nil, err
	}
	<-r.done
	if r.err != nil {
		return nil, fmt.Errorf("%s: %w", what, r.err)
	}
	page, ok := r.answer.(*wire.Members)
	if !ok {
		return nil, fmt.Errorf("%s: the gateway answered with a %s frame", what, r.answer.Type())
	}
	return membersOf(page), nil
}

// membersOf makes a page of a frame that nobody else has.
func membersOf(p *wire.Members) *MembersPage {
	page := &MembersPage{
		Channel:  string(p.Channel),
		Position: positionOf(p.Position),
		Count:    int(p.Count),
		Members:  make([]Member, len(p.Members)),
		Next:     string(p.Next),
	}
	for i, m := range p.Members {
		page.Members[i] = Member{
			UserID: m.UserID, SessionID: string(m.SessionID), Device: m.Device, NodeID: m.NodeID,
			Since: time.UnixMilli(m.Since), Info: m.Info,
		}
	}
	return page
}

// keptMembers copies a page out of the decoder's memory.
func keptMembers(p *wire.Members) *wire.Members {
	kept := *p
	for i := range kept.Members { // the list itself is not the decoder's
		kept.Members[i].Info = bytes.Clone(kept.Members[i].Info)
	}
	return &kept
}
