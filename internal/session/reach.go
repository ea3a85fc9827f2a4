package session

import (
	"slices"
	"sync"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/hub"
	"github.com/magpie-bridge/magpie/internal/hub/keep"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// lines bring calls to the sessions of a node's shards (hub.Lines).
type lines []*Shard

// Reach brings a call to the sessions that it is directed at.
func (l lines) Reach(x *hub.Exchange) {
	switch x.To.Kind {
	case wire.TargetUser:
		l.reachUser(x)
	case wire.TargetSession:
		l.reachSession(x)
	case wire.TargetChannel:
		l.reachMembers(x)
	case wire.TargetService: // is not directed at sessions
	}
}

func (l lines) reachUser(x *hub.Exchange) {
	user, device := x.To.Name, x.To.Device
	var there []hub.Resident
	if len(l) > 0 {
		there = l[0].settings.Hub.Directory().Of(user)
	}
	there = slices.DeleteFunc(there, func(r hub.Resident) bool { return device != "" && r.Principal.Device() != device })
	switch {
	case len(there) == 0 && device != "":
		x.Fail(x.From, wire.Errorf(wire.CodeNotFound, "user %q is not connected here with the device %q", user, device))
		return
	case len(there) == 0:
		x.Fail(x.From, wire.Errorf(wire.CodeNotFound, "user %q is not connected here", user))
		return
	case len(there) > wire.MaxAnswers:
		x.Fail(x.From, errCrowd("the user", len(there)))
		return
	}
	is := func(s *Session) bool { return s.principal.UserID == user }
	if len(there) == 1 && !x.To.All {
		l.bring(x, there[0].At, is)
		return
	}
	candidates := make([]hub.Candidate, len(there))
	for i, r := range there {
		candidates[i] = hub.Candidate{Principal: r.Principal, Bring: func(x *hub.Exchange) { l.bring(x, r.At, is) }}
	}
	hub.Several(x, candidates)
}

func errCrowd(who string, n int) error {
	err := wire.Errorf(wire.CodeResourceExhausted, "%s has %d sessions, and at most %d are asked at once: publish a message to so many", who, n, wire.MaxAnswers)
	err.Retryable = false
	return err
}

func (l lines) reachSession(x *hub.Exchange) {
	id := wire.SessionID(x.To.Name)
	at, ok := l.where(id)
	if !ok {
		x.Fail(x.From, wire.Errorf(wire.CodeNotFound, "session %q is not connected here", id))
		return
	}
	l.bring(x, at, func(s *Session) bool {
		return s.ID() == id && (!x.OwnOnly || s.principal.UserID == x.Caller.UserID)
	})
}

// where finds the place of a session; it may have left it meanwhile.
func (l lines) where(id wire.SessionID) (at keep.Place, ok bool) {
	if len(l) == 0 {
		return at, false
	}
	if keeper := l[0].settings.Keeper; keeper != nil {
		if at, ok = keeper.Where(id); ok {
			return at, at.Loop < len(l)
		}
	}
	at, ok = l[0].origin(id)
	return at, ok && at.Loop < len(l)
}

// bring brings a call to the session at a place, if it is the one that is meant.
func (l lines) bring(x *hub.Exchange, at keep.Place, is func(*Session) bool) {
	sh := l[at.Loop]
	arrive := func() {
		s := sh.at(at.Slot)
		if s == nil || !is(s) {
			x.Fail(sh, wire.Errorf(wire.CodeNotFound, "the session that is asked is not connected here, or the credential has no right to reach it"))
			return
		}
		sh.servingOf(s).takeDirect(x)
	}
	if x.From == hub.Home(sh) {
		arrive()
		return
	}
	x.Keep()
	if !sh.loop.Post(arrive) {
		x.Fail(x.From, errLeft(x.Method))
	}
}

// at returns the open session in a slot, or nil.
func (sh *Shard) at(slot uint32) *Session {
	if int(slot) >= len(sh.sessions) {
		return nil
	}
	if s := sh.sessions[slot]; s != nil && s.Open() {
		return s
	}
	return nil
}

// reachMembers asks all who have subscribed a channel, but for the caller.
func (l lines) reachMembers(x *hub.Exchange) {
	x.Keep()
	m := &muster{lines: l, exchange: x, open: len(l)}
	for _, sh := range l {
		if !sh.loop.Post(func() { m.add(sh.members(wire.ChannelName(x.To.Name), x.Session)) }) {
			m.add(nil, 0)
		}
	}
}

// muster gathers who is in a channel, loop by loop.
type muster struct {
	lines    lines
	exchange *hub.Exchange

	mu         sync.Mutex // guards the fields below
	open       int        // loops that have not said yet
	count      int
	candidates []hub.Candidate
}

// member is a session that has subscribed a channel.
type member struct {
	principal *auth.Principal
	id        wire.SessionID
	at        keep.Place
}

// members returns who else has subscribed a channel on this loop, and how many they are. More than may be asked are not named.
func (sh *Shard) members(name wire.ChannelName, but wire.SessionID) (all []member, count int) {
	sh.views(name, func(t *topic) { count += len(t.cursors) })
	if count > wire.MaxAnswers+1 { // one of them may be left out
		return nil, count
	}
	sh.views(name, func(t *topic) {
		for _, c := range t.cursors {
			if s := sh.at(c.slot); s != nil && s.ID() != but {
				all = append(all, member{s.principal, s.ID(), s.place()})
			}
		}
	})
	return all, len(all)
}

func (m *muster) add(members []member, count int) {
	m.mu.Lock()
	m.count += count
	for _, one := range members {
		is := func(s *Session) bool { return s.ID() == one.id }
		m.candidates = append(m.candidates, hub.Candidate{
			Principal: one.principal, Bring: func(x *hub.Exchange) { m.lines.bring(x, one.at, is) },
		})
	}
	m.open--
	last := m.open == 0
	m.mu.Unlock()
	if !last {
		return
	}
	x := m.exchange
	switch {
	case m.count > wire.MaxAnswers:
		x.Fail(nil, errCrowd("the channel", m.count))
	case m.count == 0:
		x.Back.Answer(nil, x, &wire.Reply{}, nil)
	default:
		hub.Several(x, m.candidates)
	}
}
