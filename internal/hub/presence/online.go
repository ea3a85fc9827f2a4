package presence

import (
	"slices"
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// user is somebody who is online, or is told to be. The registry's lock guards it.
type user struct {
	id       string
	log      wire.ChannelName // tells of the user
	sessions []holding        // by the lease that holds them
	last     wire.SessionID   // the one that came or went last
	node     string           // where that was
	leaves   moment           // when the user is offline; 0: not
	here     bool
	told     bool // everybody knows that
	busy     bool // a message is on its way
	listed   bool // in the registry's list
	next     moment
}

// holding is how many sessions of a user a node has.
type holding struct {
	lease *Lease
	count int
}

func (u *user) arrive(r *Registry, l *Lease, id wire.SessionID) {
	at := slices.IndexFunc(u.sessions, func(h holding) bool { return h.lease == l })
	if at < 0 {
		u.sessions = append(u.sessions, holding{lease: l})
		at = len(u.sessions) - 1
	}
	u.sessions[at].count++
	u.leaves = 0
	if !u.here {
		u.here, u.last, u.node = true, id, l.Node
		r.list(u, true)
	}
}

func (u *user) depart(r *Registry, l *Lease, id wire.SessionID) {
	at := slices.IndexFunc(u.sessions, func(h holding) bool { return h.lease == l })
	if at < 0 {
		return // it has left with its lease
	}
	if u.sessions[at].count--; u.sessions[at].count == 0 {
		u.sessions = slices.Delete(u.sessions, at, at+1)
	}
	if len(u.sessions) == 0 {
		u.last, u.node = id, l.Node
		u.leaves = r.depart(u, id)
	}
}

// gone implements subject.
func (u *user) gone(r *Registry, _ wire.SessionID, at moment) {
	if u.leaves == at {
		u.leaves, u.here = 0, false
		r.list(u, true)
	}
}

// evict ends what a lease has held.
func (u *user) evict(r *Registry, l Lease) {
	before := len(u.sessions)
	u.sessions = slices.DeleteFunc(u.sessions, func(h holding) bool { return *h.lease == l })
	if len(u.sessions) == 0 && before > 0 {
		u.leaves, u.here = 0, false
		r.list(u, true)
	}
}

// list implements subject.
func (u *user) list(on bool) bool {
	was := u.listed
	u.listed = on
	return !was
}

// step implements subject.
func (u *user) step(r *Registry, now moment) (again moment) {
	switch {
	case u.busy:
		return 0
	case u.here == u.told:
		if !u.here && r.users[u.id] == u {
			delete(r.users, u.id)
		}
		return 0
	case u.next > now:
		return u.next
	}
	m := &onlineMessage{Event: "offline", UserID: u.id, SessionID: string(u.last), NodeID: u.node, Timestamp: time.Now().UnixMilli()}
	if u.here {
		m.Event = "online"
	}
	is := u.here
	u.busy = true
	r.mu.Unlock()
	defer r.mu.Lock()
	r.append(u.log, encode([]any{m}), func(err error) { u.done(r, is, err) })
	return 0
}

// done tells that the message on its way stands in the log, or does not.
func (u *user) done(r *Registry, is bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	u.busy = false
	if err == nil {
		u.told = is
	} else {
		u.next = r.now() + moment(retryAfter)
	}
	r.list(u, true)
}
