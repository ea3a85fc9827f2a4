package hub

import (
	"context"
	"strings"
	"time"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/hub/presence"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// newHere begins a new incarnation of the node.
func newHere(opts *Options) *presence.Node {
	return opts.Presence.Node(presence.Lease{Node: opts.NodeID, Incarnation: uint64(time.Now().UnixMilli())})
}

// Here is this node's part of who is here; nil where no channel has presence.
func (h *Hub) Here() *presence.Node { return h.here }

// HasPresence reports whether the members of a channel are told of.
func (h *Hub) HasPresence(name wire.ChannelName) bool { return h.opts.Presence.Covers(name) }

// TellsOnline reports whether users are told of.
func (h *Hub) TellsOnline() bool { return h.opts.Presence.Online() }

// WhoIsHere counts members and users.
func (h *Hub) WhoIsHere() presence.Size { return h.opts.Presence.Size() }

// Members makes a page of the members of a channel on behalf of a principal, and calls done exactly once: on any goroutine,
// possibly before it returns.
func (h *Hub) Members(by *auth.Principal, q *wire.Presence, done func(*wire.Members, error)) {
	if h.closed.Load() {
		done(nil, wire.Errorf(wire.CodeUnavailable, "node %s has shut down: ask another", h.opts.NodeID))
		return
	}
	if err := h.MaySeeMembers(by, q.Channel); err != nil {
		done(nil, err)
		return
	}
	h.opts.Presence.Page(q, done)
}

// MaySeeMembers checks the name, the principal's right to see the channel's members, and whether it has presence.
func (h *Hub) MaySeeMembers(by *auth.Principal, name wire.ChannelName) error {
	if err := name.Check(); err != nil {
		return err
	}
	if err := h.may(by, auth.Presence, name); err != nil {
		return err
	}
	if !h.HasPresence(name) {
		return wire.Errorf(wire.CodeFailedPrecondition, "channel %q has no presence: its namespace has to say so, with \"presence: true\"", name)
	}
	return nil
}

// mayFollow checks the right to follow a channel that tells of who is here. tells is false for all others.
func (h *Hub) mayFollow(by *auth.Principal, name wire.ChannelName) (tells bool, _ error) {
	if of, ok := strings.CutPrefix(string(name), presence.MembersPrefix); ok {
		return true, h.MaySeeMembers(by, wire.ChannelName(of))
	}
	of, ok := strings.CutPrefix(string(name), presence.OnlinePrefix)
	if !ok {
		return false, nil
	}
	if err := by.May(auth.Presence, wire.ChannelName(auth.UserChannelPrefix+of)); err != nil {
		return true, err
	}
	if !h.TellsOnline() {
		return true, wire.Errorf(wire.CodeFailedPrecondition, "this gateway does not tell who is online: its configuration has to say \"presence.online: true\"")
	}
	return true, nil
}

// MembersWait is [Hub.Members] for callers that may block.
func (h *Hub) MembersWait(ctx context.Context, by *auth.Principal, q *wire.Presence) (*wire.Members, error) {
	if q.Limit < 0 || q.Limit > wire.MaxMembers {
		return nil, wire.Errorf(wire.CodeInvalidArgument, "limit is %d: expected 1 to %d, or 0 for the usual", q.Limit, wire.MaxMembers)
	}
	if err := h.screenMembers(ctx, by, q.Channel); err != nil {
		return nil, err
	}
	type outcome struct {
		page *wire.Members
		err  error
	}
	done := make(chan outcome, 1)
	h.Members(by, q, func(page *wire.Members, err error) { done <- outcome{page, err} })
	select {
	case o := <-done:
		return o.page, o.err
	case <-ctx.Done():
		return nil, wire.Errorf(wire.CodeDeadlineExceeded, "the page was not made in time: ask again")
	}
}

// screenMembers asks the embedding program, for whom to see the members of a channel is to read the one that tells of them.
func (h *Hub) screenMembers(ctx context.Context, by *auth.Principal, name wire.ChannelName) error {
	if h.hooks.Subscribe == nil || by.Method == auth.MethodInternal {
		return nil
	}
	if err := h.MaySeeMembers(by, name); err != nil {
		return err
	}
	return h.screen(ctx, func(ctx context.Context) error {
		return h.hooks.Subscribe(ctx, Client{Principal: by}, presence.MembersPrefix+name)
	})
}
