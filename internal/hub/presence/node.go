package presence

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/hub/keep"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// Node is one node's part of a registry. It is safe for concurrent use. That of a nil registry is nil, and knows of nobody.
type Node struct {
	registry *Registry
	lease    *Lease // guarded by the registry's lock
	anew     bool   // of Keep alone: the members have not been told to enter once more
}

// Node returns the part of the node that holds a lease.
func (r *Registry) Node(l Lease) *Node {
	if r == nil {
		return nil
	}
	return &Node{registry: r, lease: &l}
}

// Entrance is what a member says when it enters a channel.
type Entrance struct {
	Session wire.SessionID
	Who     *auth.Principal
	At      keep.Place
	Info    []byte // what it says of itself, a JSON value; empty: nothing, or what it has said before. It is copied.
}

// Enter makes a session a member of a channel that has presence. One that has left and is in its time of grace has never been
// away; one that is a member already may say something else of itself.
func (n *Node) Enter(name wire.ChannelName, e Entrance) {
	r := n.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	r.room(name).enter(r, n.lease, e)
}

// Leave tells that the session at a place has left a channel. When it lives at another place by now, nothing happens.
func (n *Node) Leave(name wire.ChannelName, id wire.SessionID, at keep.Place) {
	r := n.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	if m := r.rooms[name]; m != nil {
		m.leave(r, id, at)
	}
}

// Arrive counts a session of a user in.
func (n *Node) Arrive(userID string, id wire.SessionID) {
	if n == nil || !n.registry.opts.Online {
		return
	}
	r := n.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	u := r.users[userID]
	if u == nil {
		userID = strings.Clone(userID)
		log := wire.ChannelName(OnlinePrefix + userID)
		if log.Check() != nil {
			return // no channel can tell of such a user
		}
		u = &user{id: userID, log: log}
		r.users[userID] = u
	}
	u.arrive(r, n.lease, id)
}

// Depart counts a session of a user out that Arrive has counted in.
func (n *Node) Depart(userID string, id wire.SessionID) {
	if n == nil || !n.registry.opts.Online {
		return
	}
	r := n.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	if u := r.users[userID]; u != nil {
		u.depart(r, n.lease, id)
	}
}

// Keep renews the node's lease until ctx ends, and then releases it. Of other nodes whose leases end it tells that their
// members left. When its own has ended, as after a long standstill, its members have left too: it begins anew, and again is
// called to have them enter once more.
func (n *Node) Keep(ctx context.Context, leases Leases, ttl time.Duration, again func()) {
	ticker := time.NewTicker(ttl / 3)
	defer ticker.Stop()
	for {
		n.renew(leases, ttl, again)
		ended, err := leases.Ended()
		if err != nil {
			n.registry.opts.Logger.Warn("whose leases have ended could not be asked", "error", err)
		}
		for _, l := range ended {
			n.registry.Evict(l)
		}
		select {
		case <-ctx.Done():
			_ = leases.Release(n.Lease()) // it ends by itself otherwise
			return
		case <-ticker.C:
		}
	}
}

func (n *Node) renew(leases Leases, ttl time.Duration, again func()) {
	err := leases.Renew(n.Lease(), ttl)
	if errors.Is(err, ErrLeaseEnded) {
		n.begin()
		err = leases.Renew(n.Lease(), ttl)
	}
	if err == nil && n.anew {
		n.anew = false
		again()
	}
	if err != nil {
		n.registry.opts.Logger.Warn("the lease of this node could not be renewed", "error", err)
	}
}

// begin takes the next incarnation.
func (n *Node) begin() {
	r := n.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	n.lease = &Lease{n.lease.Node, n.lease.Incarnation + 1}
	n.anew = true
}

// Lease returns the lease that the node's members are held by.
func (n *Node) Lease() Lease {
	n.registry.mu.Lock()
	defer n.registry.mu.Unlock()
	return *n.lease
}
