package session

import (
	"math"
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// Timer looks at everything that time decides, and sets the time of the next look.
func (s *Session) Timer(now time.Time) {
	switch s.state {
	case stateNew, stateAuthenticating:
		if s.shard.moment(now) >= s.due {
			s.Goodbye(wire.CloseConnectTimeout, "no connect frame came in time", 0)
			return
		}
		s.line.SetTimer(s.shard.time(s.due))
		return
	case stateClosing:
		s.line.Close()
		return
	case stateLeaving, stateClosed:
		return
	case stateOpen:
	}

	s.look(s.shard.moment(now))
}

// look ends an open session that has been silent, stuck or valid for too long, and pings one whose ping is due.
func (s *Session) look(now moment) {
	settings := &s.shard.settings
	idleAt := s.heard.add(settings.IdleTimeout)
	if s.held {
		idleAt = now.add(settings.IdleTimeout) // what it says is not read now, so silence is no sign
	}
	stuckAt := s.progress.add(settings.WriteTimeout)
	expiresAt := moment(math.MaxInt64)
	if at := s.principal.Expires; at != 0 {
		expiresAt = s.shard.moment(time.UnixMilli(at))
	}
	switch {
	case now >= idleAt:
		s.Goodbye(wire.CloseIdle, "nothing was heard within the heartbeat timeout", 0)
		return
	case s.blocked && now >= stuckAt:
		s.Goodbye(wire.CloseWriteTimeout, "the client took nothing within the write timeout", 0)
		return
	case s.blocked && s.anyTooSlow():
		return
	case now >= expiresAt:
		s.Goodbye(wire.CloseExpired, "the credential has expired: connect again with a new one", 0)
		return
	}
	if now >= s.due {
		s.due = now.add(settings.PingInterval)
		o := s.borrow()
		o.bytes = s.Format().AppendPing(o.bytes)
		s.Flush()
	}
	if !s.blocked {
		stuckAt = now.add(settings.WriteTimeout) // the line may be blocked a moment from now, and nothing tells then
	}
	if !s.Closing() {
		s.line.SetTimer(s.shard.time(min(s.due, idleAt, stuckAt, expiresAt)))
	}
}
