package session

import (
	"cmp"
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// Goodbye ends the session: no more messages, then the goodbye with its code, then the end of the line, for which the
// client has a few seconds. retryAfter tells it when to come back, 0 leaves that to it.
func (s *Session) Goodbye(code wire.CloseCode, reason string, retryAfter time.Duration) {
	if s.Closing() {
		return
	}
	if code != wire.CloseTakenOver {
		s.retire(resumable(code))
	}
	s.dropAll()
	s.depart(reason)
	s.send(&wire.Frame{Body: &wire.Goodbye{Code: code, Reason: reason, RetryAfterMs: retryAfter.Milliseconds()}})
	s.end(code, reason)
}

// Refuse ends the session because its client closed the line, or broke its framing: there is no use in a frame then.
func (s *Session) Refuse(code wire.CloseCode, reason string) {
	if s.Closing() {
		return
	}
	s.retire(resumable(code))
	s.dropAll()
	s.depart(reason)
	s.end(code, reason)
}

// depart ends what others have to do with the session, once it is no longer there for them.
func (s *Session) depart(reason string) {
	if s.state != stateOpen {
		return
	}
	s.state = stateLeaving
	s.withdrawAll()
	s.dropCalls()
	s.dropServing()
	s.offline()
	h := s.shard.settings.Hub
	h.Directory().Leave(s.principal, s.place())
	if h.Hooks().Disconnect != nil {
		h.Departed(s.client(), cmp.Or(reason, "the client closed the line"))
	}
}

// end sends the framing's own end and lets the line run out.
func (s *Session) end(code wire.CloseCode, reason string) {
	o := s.borrow()
	o.bytes = s.Format().AppendClose(o.bytes, code, reason)
	s.state = stateClosing
	s.due = s.shard.now().add(closeTimeout)
	s.line.SetTimer(s.shard.time(s.due))
	s.flush()
	if s.held {
		s.held = false
		s.line.SetReading(true) // the client's own end must be seen
	}
}

// Closed tells that the line is gone. It is the last call.
func (s *Session) Closed(error) {
	if s.state == stateClosed {
		return
	}
	s.retire(true)
	s.dropAll()
	s.depart("the line broke")
	s.settle(0)
	s.discard()
	s.state = stateClosed
	s.shard.leave(s)
	s.shard.settings.Hub.Leave()
}
