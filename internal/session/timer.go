package session

import (
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// Timer looks at everything that time decides, and sets the time of the next look.
func (s *Session) Timer(now time.Time) {
	settings := &s.shard.settings
	switch s.state {
	case stateNew, stateAuthenticating:
		if !now.Before(s.deadline) {
			s.Goodbye(wire.CloseConnectTimeout, "no connect frame came in time", 0)
			return
		}
		s.line.SetTimer(s.deadline)
		return
	case stateClosing:
		s.line.Close()
		return
	case stateClosed:
		return
	case stateOpen:
	}

	idleAt := s.heard.Add(settings.IdleTimeout)
	if s.held {
		idleAt = now.Add(settings.IdleTimeout) // what it says is not read now, so silence is no sign
	}
	stuckAt := s.progress.Add(settings.WriteTimeout)
	expiresAt := s.principal.ExpiresAt
	switch {
	case !now.Before(idleAt):
		s.Goodbye(wire.CloseIdle, "nothing was heard within the heartbeat timeout", 0)
		return
	case s.blocked && !now.Before(stuckAt):
		s.Goodbye(wire.CloseWriteTimeout, "the client took nothing within the write timeout", 0)
		return
	case !expiresAt.IsZero() && !now.Before(expiresAt):
		s.Goodbye(wire.CloseExpired, "the credential has expired: connect again with a new one", 0)
		return
	}
	if !now.Before(s.pinged.Add(settings.PingInterval)) {
		s.pinged = now
		s.borrow()
		s.outbox = s.format.AppendPing(s.outbox)
		s.Flush()
	}

	next := s.pinged.Add(settings.PingInterval)
	if idleAt.Before(next) {
		next = idleAt
	}
	if !s.blocked {
		stuckAt = now.Add(settings.WriteTimeout) // the line may be blocked a moment from now, and nothing tells then
	}
	if stuckAt.Before(next) {
		next = stuckAt
	}
	if !expiresAt.IsZero() && expiresAt.Before(next) {
		next = expiresAt
	}
	if !s.Closing() {
		s.line.SetTimer(next)
	}
}
