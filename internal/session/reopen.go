package session

import (
	"github.com/magpie-bridge/magpie/internal/hub/keep"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// reopenAtOnce is how many subscriptions of a resumed session are opened before it is the turn of others, and how many
// channels are brought into memory for it at the same time.
const reopenAtOnce = 32

// reopening opens the subscriptions that a resumed session had, some at a time. Until it is done nothing is read from the
// client, so that whatever it asks for comes after.
type reopening struct {
	session  *Session
	channels []wire.ChannelName        // that are left
	patterns []wire.ChannelName        // that the session had
	joined   map[wire.ChannelName]bool // which of the channels it had by patterns alone
	from     map[wire.ChannelName]wire.Start
	refused  map[wire.ChannelName]error // by a hook
	asked    int                        // the first so many of these have been asked for
	paused   bool                       // until the line has room
}

// goOn opens the next subscriptions, as far as their channels are in memory.
func (r *reopening) goOn() {
	s := r.session
	if s.state != stateOpen {
		return
	}
	r.ask()
	for r.asked > 0 {
		name := r.channels[0]
		later := func() { s.shard.loop.Post(r.goOn) }
		if s.shard.topics[name] == nil && !s.shard.settings.Hub.Prepare(s.principal, name, later) {
			s.Flush()
			return
		}
		r.channels = r.channels[1:]
		r.asked--
		s.reopen(name, r.from[name], r.refused[name])
	}
	if len(r.channels) == 0 {
		r.end()
		return
	}
	s.Flush()
	if r.paused = s.waiting() > s.maxOutbox(); !r.paused {
		s.shard.loop.Post(r.goOn)
	}
}

// ask has the channels brought into memory that come next.
func (r *reopening) ask() {
	if r.asked > 0 {
		return
	}
	s := r.session
	for _, name := range r.channels[:min(len(r.channels), reopenAtOnce)] {
		if s.shard.topics[name] == nil {
			s.shard.settings.Hub.Prepare(s.principal, name, func() {})
		}
		r.asked++
	}
}

func (r *reopening) end() {
	s := r.session
	delete(s.shard.reopening, s.slot)
	s.inFlight -= maxInFlight
	s.Flush()
	s.catchUp()
}

// resumeReopening goes on when the line has room again.
func (s *Session) resumeReopening() {
	s.resumeJoining()
	if len(s.shard.reopening) == 0 {
		return
	}
	if r := s.shard.reopening[s.slot]; r != nil && r.paused && s.waiting() <= s.maxOutbox() {
		r.paused = false
		s.shard.loop.Post(r.goOn)
	}
}

// reopen opens one subscription, unasked. What stands against it ends it: the client is told why.
func (s *Session) reopen(name wire.ChannelName, from wire.Start, err error) {
	var t *topic
	if limit := s.shard.settings.MaxSubscriptions; err == nil && len(s.subs) >= limit {
		err = wire.Errorf(wire.CodeResourceExhausted, "a session may have %d subscriptions", limit)
	}
	if err == nil {
		t, err = s.shard.topic(s, name)
	}
	if err != nil {
		s.sendUnsubscribed(name, err)
		return
	}
	s.restart(t, t.log.Open(from))
}

// changed notes that what there is to keep of the session is another than is on disk.
func (s *Session) changed() {
	sh := s.shard
	if sh.unsaved == nil {
		return
	}
	if len(sh.unsaved) == 0 {
		sh.settings.Keeper.Due(func() { sh.loop.Post(sh.save) })
	}
	sh.unsaved[s.slot] = struct{}{}
}

// saveAtOnce bounds the subscriptions that are told to the keeper before it is the turn of others.
const saveAtOnce = 2048

// save tells the keeper of the sessions that have changed.
func (sh *Shard) save() {
	done := 0
	for slot := range sh.unsaved {
		if done >= saveAtOnce {
			sh.loop.Post(sh.save)
			return
		}
		delete(sh.unsaved, slot)
		if s := sh.sessions[slot]; s != nil && s.state == stateOpen {
			sh.settings.Keeper.Live(s.remains())
			done += 1 + len(s.subs)
		}
	}
}

// resumable reports whether a session whose line ends with this code can be resumed: whichever side says it, the codes of
// Magpie up to 4499 are for lines that are to be made again.
func resumable(code wire.CloseCode) bool {
	return code >= 4000 && code.Reconnect() && code != wire.CloseTakenOver
}

// newRoster makes what a shard needs for sessions that outlive their lines.
func (sh *Shard) newRoster(keeper *keep.Keeper) {
	sh.peers = []*Shard{sh}
	sh.given = make(map[uint32]wire.SessionID)
	sh.reopening = make(map[uint32]*reopening)
	if keeper == nil {
		return
	}
	sh.seal = keeper.NewSeal()
	if keeper.Saves() {
		sh.unsaved = make(map[uint32]struct{})
	}
}
