package session

import (
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/magpie-bridge/magpie/internal/hub/keep"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// Introduce lets the shards of a node find each other, so that a session can be taken from one loop to another. It is
// called once, before the loops run.
func Introduce(shards []*Shard) {
	for _, sh := range shards {
		sh.peers = shards
	}
	if len(shards) > 0 {
		shards[0].settings.Hub.SetLines(lines(shards))
	}
}

// maxHops bounds how often a session that moves about is followed.
const maxHops = 8

// resumption looks for the session that a client wants to go on with. It belongs to the session on the new line, but
// visits the loop of the old one. Meanwhile nothing is read from the new line, as while a token is looked at.
type resumption struct {
	session   *Session // on the new line
	to        keep.Place
	requestID string
	id        wire.SessionID
	positions []wire.ChannelPosition
	hops      int
}

// admit opens the session, once it is known which one it is. Who wants to go on with one that cannot be found has a new
// one instead: that is no fault.
func (s *Session) admit(requestID string, r *wire.Resume) {
	keeper := s.shard.settings.Keeper
	if r == nil || keeper == nil {
		s.welcome(requestID)
		return
	}
	id, ok := s.shard.seal.Open(r.Token, s.principal.UserID)
	if !ok {
		keeper.Metrics.Refused.Add(1)
		s.welcome(requestID)
		return
	}
	w := &resumption{session: s, to: s.place(), requestID: requestID, id: id, positions: r.Positions}
	if kept, ok := keeper.Take(id, w.to); ok {
		keeper.Metrics.Resumed.Add(1)
		s.goOn(w, kept)
		return
	}
	s.state = stateAuthenticating
	at, known := keeper.Where(id)
	if !known {
		at, known = s.shard.origin(id)
	}
	if !known || !w.visit(at) {
		w.load()
	}
}

// place is where the session lives.
func (s *Session) place() keep.Place { return keep.Place{Loop: s.shard.index, Slot: s.slot} }

// origin reads from an id where its session lives if it was never resumed; see [Session.ID].
func (sh *Shard) origin(id wire.SessionID) (at keep.Place, ok bool) {
	rest, ok := strings.CutPrefix(string(id), sh.settings.Hub.NodeID()+"-")
	if !ok {
		return at, false
	}
	return parsePlace(rest)
}

// parsePlace reads a place as it stands in ids; what follows there is passed over.
func parsePlace(text string) (at keep.Place, ok bool) {
	loop, rest, _ := strings.Cut(text, "-")
	slot, _, _ := strings.Cut(rest, "-")
	index, err := strconv.ParseUint(loop, 36, 31)
	if err != nil {
		return at, false
	}
	number, err := strconv.ParseUint(slot, 36, 32)
	return keep.Place{Loop: int(index), Slot: uint32(number)}, err == nil
}

// visit goes to a place for the session; false when there is no such loop any more.
func (w *resumption) visit(at keep.Place) bool {
	peers := w.session.shard.peers
	if at.Loop >= len(peers) {
		return false
	}
	sh := peers[at.Loop]
	return sh.loop.Post(func() { w.arrived(sh, at) })
}

// arrived runs on the loop where the session may live.
func (w *resumption) arrived(sh *Shard, at keep.Place) {
	keeper := sh.settings.Keeper
	if kept, ok := sh.fence(w.id, at.Slot, w.to); ok {
		w.answer(kept, &keeper.Metrics.Fenced)
		return
	}
	if kept, ok := keeper.Take(w.id, w.to); ok { // its line has just broken
		w.answer(kept, &keeper.Metrics.Resumed)
		return
	}
	if next, known := keeper.Where(w.id); known && next != at && w.hops < maxHops { // somebody else was quicker
		w.hops++
		if w.visit(next) {
			return
		}
	}
	w.load()
}

// fence takes the session from the line in a slot, if it lives there: nothing more is sent to it, and the line is closed.
func (sh *Shard) fence(id wire.SessionID, slot uint32, to keep.Place) (keep.Session, bool) {
	if int(slot) >= len(sh.sessions) {
		return keep.Session{}, false
	}
	s := sh.sessions[slot]
	if s == nil || s.state != stateOpen || s.ID() != id {
		return keep.Session{}, false
	}
	kept := s.remains()
	sh.settings.Keeper.Move(id, to)
	s.Goodbye(wire.CloseTakenOver, "the session goes on on another line", 0)
	return kept, true
}

// answer brings the session to the new line. Should that be gone as well, the session is kept.
func (w *resumption) answer(kept keep.Session, result *atomic.Int64) {
	s := w.session
	keeper := s.shard.settings.Keeper
	posted := s.shard.loop.Post(func() {
		if s.state != stateAuthenticating {
			keeper.Keep(kept)
			return
		}
		result.Add(1)
		s.state = stateNew
		s.goOn(w, kept)
		s.Flush()
	})
	if !posted {
		keeper.Keep(kept)
	}
}

// load looks for the session on disk.
func (w *resumption) load() {
	loading := w.session.shard.settings.Keeper.Load(w.id, func(kept keep.Session, ok bool) {
		w.session.shard.loop.Post(func() { w.loaded(kept, ok) })
	})
	if !loading {
		w.session.shard.loop.Post(func() { w.loaded(keep.Session{}, false) })
	}
}

func (w *resumption) loaded(kept keep.Session, ok bool) {
	s := w.session
	if s.state != stateAuthenticating {
		return // closed meanwhile
	}
	keeper := s.shard.settings.Keeper
	ok = ok && kept.User == s.principal.UserID
	if ok && !keeper.Adopt(w.id, w.to) {
		if at, known := keeper.Where(w.id); known && w.hops < maxHops && w.visit(at) { // somebody else was quicker
			w.hops++
			return
		}
		ok = false
	}
	s.state = stateNew
	if ok {
		keeper.Metrics.Loaded.Add(1)
		s.goOn(w, kept)
	} else {
		keeper.Metrics.Gone.Add(1)
		s.welcome(w.requestID)
	}
	s.Flush()
}

// goOn opens the session as the one that was found, with the subscriptions that it had, and those that its client has
// positions for: what was subscribed at the last moment may not have been written down.
func (s *Session) goOn(w *resumption, kept keep.Session) {
	sh := s.shard
	r := &reopening{session: s, from: make(map[wire.ChannelName]wire.Start, len(w.positions))}
	known := make(map[wire.ChannelName]bool, len(kept.Channels))
	for _, name := range kept.Channels {
		if known[name] = true; name.IsPattern() {
			r.patterns = append(r.patterns, name)
		} else {
			r.channels = append(r.channels, name)
		}
	}
	for _, p := range w.positions {
		r.from[p.Channel] = wire.Start{Kind: wire.StartPosition, Epoch: p.Position.Epoch, Offset: p.Position.Offset}
	}
	sh.given[s.slot], sh.reopening[s.slot] = w.id, r
	s.inFlight += maxInFlight // nothing is read until all are open
	s.welcome(w.requestID)
	r.revive(kept.Joined, known, w.positions)
	if sh.settings.Hub.Hooks().Subscribe != nil {
		r.screen()
		return
	}
	r.goOn()
}

// retire says what becomes of the session when its line ends. Where that may be resumed, it is kept.
func (s *Session) retire(resumable bool) {
	sh := s.shard
	keeper := sh.settings.Keeper
	if keeper == nil || s.state != stateOpen {
		return
	}
	if resumable {
		keeper.Keep(s.remains())
	} else if _, resumed := sh.given[s.slot]; resumed || keeper.Saves() {
		keeper.Forget(s.ID())
	}
}

// remains is what there is to keep of the session.
func (s *Session) remains() keep.Session {
	kept := keep.Session{ID: s.ID(), User: s.principal.UserID, Channels: make([]wire.ChannelName, 0, len(s.subs))}
	x := s.shard.expansions[s.slot]
	for i := range s.subs {
		t := s.subs[i].topic
		name := t.log.Name()
		switch own := !x.alone(name); { // a client asks for what it filters itself, from its position on
		case own && t.sifted == nil && !s.subs[i].exclude && !s.subs[i].conflate:
			kept.Channels = append(kept.Channels, name)
		case x.kept(name):
			kept.Joined = append(kept.Joined, name)
		}
	}
	kept.Channels = append(kept.Channels, x.keptPatterns()...)
	if r := s.shard.reopening[s.slot]; r != nil {
		for _, name := range r.channels {
			if r.joined[name] {
				kept.Joined = append(kept.Joined, name)
			} else {
				kept.Channels = append(kept.Channels, name)
			}
		}
	}
	return kept
}
