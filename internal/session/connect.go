package session

import (
	"context"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// begin handles the first frame. It reports whether the frame is still to be dispatched.
func (s *Session) begin(f *wire.Frame, data []byte) (dispatch bool) {
	connect, ok := f.Body.(*wire.Connect)
	switch {
	case ok && connect.Token != "":
		s.authenticate(f.RequestID, connect)
		return false
	case s.principal == nil:
		s.fail(f.RequestID, wire.Errorf(wire.CodeUnauthenticated, "this gateway wants to know who you are: send {\"type\":\"connect\",\"requestId\":\"1\",\"token\":\"...\"} first, with a JSON Web Token or an API key"))
		return false
	case ok:
		s.introduced(f.RequestID, connect)
		return false
	case s.shard.settings.Hub.Hooks().Connect != nil:
		s.screenEntry("", nil, s.replay(data))
		return false
	default:
		s.welcome("")
		return s.state == stateOpen // it is not when the credential has expired meanwhile
	}
}

// authenticate asks a worker whom the token stands for. Nothing is read until the answer is there.
func (s *Session) authenticate(requestID string, b *wire.Connect) {
	s.state = stateAuthenticating
	credential := auth.Credential{Token: b.Token, Source: auth.SourceFrame}
	said := &wire.Connect{Device: b.Device, Resume: b.Resume}
	s.shard.settings.Hub.AuthenticateAsync(context.Background(), credential, func(p *auth.Principal, err error) {
		s.shard.loop.Post(func() { s.authenticated(requestID, said, p, err) })
	})
}

func (s *Session) authenticated(requestID string, b *wire.Connect, p *auth.Principal, err error) {
	if s.state != stateAuthenticating {
		return // closed meanwhile
	}
	s.state = stateNew
	if err != nil {
		s.fail(requestID, err)
		s.Goodbye(wire.CloseUnauthorized, "the token was refused", 0)
		return
	}
	s.principal = p
	s.introduced(requestID, b)
	s.Flush()
}

// introduced goes on once it is known who the client is. Which of the user's devices it is, it may say itself where its
// credential does not.
func (s *Session) introduced(requestID string, b *wire.Connect) {
	if device := b.Device; device != "" {
		if err := auth.CheckID(device); err != nil {
			s.fail(requestID, wire.Errorf(wire.CodeInvalidArgument, "device %s", err))
			return
		}
		s.principal = s.principal.OnDevice(device)
	}
	if s.shard.settings.Hub.Hooks().Connect == nil {
		s.admit(requestID, b.Resume)
		return
	}
	resume := b.Resume
	s.screenEntry(requestID, resume, func() { s.admit(requestID, resume) })
}

// welcome opens the session: connected comes before everything else.
func (s *Session) welcome(requestID string) {
	settings := &s.shard.settings
	if err := settings.Hub.Directory().Enter(s.principal, s.place()); err != nil {
		s.fail(requestID, err)
		s.Goodbye(wire.CloseUserFull, "the user has as many sessions as one may have", 0)
		return
	}
	s.state = stateOpen
	s.online()
	_, resumed := s.shard.given[s.slot]
	connected := &wire.Connected{
		SessionID:         s.ID(),
		Resumed:           resumed,
		UserID:            s.principal.UserID,
		NodeID:            settings.Hub.NodeID(),
		ServerTime:        settings.Now().UnixMilli(),
		ExpiresAt:         s.principal.Expires,
		HeartbeatInterval: settings.PingInterval.Milliseconds(),
		HeartbeatTimeout:  settings.IdleTimeout.Milliseconds(),
		MaxFrameBytes:     int64(settings.MaxFrameBytes),
		MaxSubscriptions:  int64(settings.MaxSubscriptions),
	}
	if settings.Keeper != nil {
		connected.ResumeToken = s.shard.seal.Token(connected.SessionID, s.principal.UserID)
		s.changed()
	}
	s.send(&wire.Frame{RequestID: requestID, Body: connected})
	now := settings.Now()
	s.due = s.shard.moment(now).add(settings.PingInterval)
	s.Timer(now)
}
