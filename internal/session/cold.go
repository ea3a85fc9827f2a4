package session

import (
	"strings"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// fetch has what a cursor is to deliver next brought from the store below its log. The cursor rests until then. What is
// fetched counts as in flight, so that a client cannot have more fetched than it could have published.
func (s *Session) fetch(sub *subscription, next wire.Offset) {
	sub.fetching = true
	s.inFlight++
	t := sub.topic
	t.log.Fetch(next, func() {
		s.shard.loop.Post(func() { s.arrived(t) })
	})
}

// arrived goes on with a cursor that rested.
func (s *Session) arrived(t *topic) {
	if s.state == stateClosed {
		return
	}
	s.inFlight--
	for i := range s.subs {
		if s.subs[i].topic == t {
			s.subs[i].fetching = false
			s.shard.pumpLater(s)
			break
		}
	}
	s.hold()
}

// seeks reports whether where a subscription begins has to be looked up in the store below the channel's log, and
// subscribes when it is known. As with a channel that is not there yet, nothing is read from the session meanwhile.
func (s *Session) seeks(requestID string, t *topic, b *wire.Subscribe) bool {
	later := ownSubscribe(b)
	requestID = strings.Clone(requestID)
	known := t.log.Seek(b.From, func(first wire.Offset) {
		s.shard.loop.Post(func() { s.found(requestID, t, later, first) })
	})
	if !known {
		s.inFlight += maxInFlight
	}
	return !known
}

// found subscribes from the entry at first on.
func (s *Session) found(requestID string, t *topic, b *wire.Subscribe, first wire.Offset) {
	sh := s.shard
	current := sh.holds(t)
	s.resumeReading(func() {
		if !current { // the last of its subscribers has left meanwhile
			s.follow(requestID, b)
			return
		}
		s.open(requestID, t, t.log.OpenAt(first), b.Info)
		s.choose(t, b)
	})
	if current && len(t.cursors) == 0 {
		sh.release(t)
	}
}
