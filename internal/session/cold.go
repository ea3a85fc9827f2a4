package session

import (
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
