package session

import (
	"bytes"
	"context"

	"github.com/magpie-bridge/magpie/internal/hub"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// client is the session as the hooks of the embedding program see it.
func (s *Session) client() hub.Client { return hub.Client{Principal: s.principal, Session: s.ID()} }

// screen asks a hook and, when it allows it, goes on. Nothing is read from the session meanwhile, so that what it asks for
// next still comes after.
func (s *Session) screen(requestID string, ask func(ctx context.Context) error, goOn func()) {
	s.inFlight += maxInFlight
	s.shard.settings.Hub.Screen(ask, func(err error) {
		s.shard.loop.Post(func() {
			s.resumeReading(func() {
				if err != nil {
					s.fail(requestID, err)
					return
				}
				goOn()
			})
		})
	})
}

// screenEntry asks whether the session may be opened. next is what is to follow when it may.
func (s *Session) screenEntry(requestID string, r *wire.Resume, next func()) {
	h := s.shard.settings.Hub
	c := s.client()
	if r != nil && s.shard.seal != nil {
		if id, ok := s.shard.seal.Open(r.Token, s.principal.UserID); ok {
			c.Session = id
		}
	}
	s.state = stateAuthenticating
	h.Screen(func(ctx context.Context) error { return h.Hooks().Connect(ctx, c) }, func(err error) {
		posted := s.shard.loop.Post(func() { s.screened(requestID, c, err, next) })
		if !posted && err == nil {
			h.Departed(c, "the gateway was shut down before the session was open")
		}
	})
}

func (s *Session) screened(requestID string, c hub.Client, err error, next func()) {
	switch {
	case s.state != stateAuthenticating && err == nil:
		s.shard.settings.Hub.Departed(c, "the line broke before the session was open")
		return
	case s.state != stateAuthenticating:
		return
	}
	s.state = stateNew
	if err != nil {
		s.fail(requestID, err)
		s.Goodbye(wire.CloseUnauthorized, "the client was refused", 0)
		return
	}
	next()
	s.Flush()
}

// replay opens the session and has the frame handled that implied it.
func (s *Session) replay(data []byte) func() {
	again := bytes.Clone(data)
	return func() {
		s.welcome("")
		if s.state == stateOpen {
			s.Frame(again)
		}
	}
}

// readable returns the question whether the session may read a channel; nil when nobody wants to be asked, or the answer is
// no without that.
func (s *Session) readable(name wire.ChannelName) func(ctx context.Context) error {
	h := s.shard.settings.Hub
	if h.Hooks().Subscribe == nil || h.MaySubscribe(s.principal, name) != nil {
		return nil
	}
	c := s.client()
	return func(ctx context.Context) error { return h.Hooks().Subscribe(ctx, c, name) }
}

// screenSubscribe asks about a subscription, and reports whether it did.
func (s *Session) screenSubscribe(requestID string, b *wire.Subscribe) bool {
	later := b
	if s.shard.settings.Hub.Hooks().Subscribe != nil {
		later = ownSubscribe(b)
	}
	ask := s.readable(later.Channel)
	if ask != nil {
		s.screen(requestID, ask, func() { s.follow(requestID, later) })
	}
	return ask != nil
}

// screenHistory asks about a page, and reports whether it did: what may not be subscribed must not be read either.
func (s *Session) screenHistory(requestID string, b *wire.History) bool {
	later := *b
	ask := s.readable(later.Channel)
	if ask != nil {
		s.screen(requestID, ask, func() { s.recall(requestID, &later) })
	}
	return ask != nil
}

// screenPublish asks about what is published, and reports whether it did.
func (s *Session) screenPublish(requestID string, b *wire.Publish) bool {
	h := s.shard.settings.Hub
	if h.Hooks().Publish == nil || h.MayPublish(s.principal, b) != nil {
		return false
	}
	c, own := s.client(), ownPublish(b)
	s.screen(requestID, func(ctx context.Context) error {
		err := h.ScreenPublish(ctx, c, own)
		if err != nil {
			h.Metrics.PublishErrors.Add(1)
		}
		return err
	}, func() { s.append(requestID, own) })
	return true
}

// ownPublish copies what may be the decoder's.
func ownPublish(b *wire.Publish) *wire.Publish {
	own := *b
	own.Payload = b.Payload.Clone()
	own.Messages = append([]wire.Publication(nil), b.Messages...)
	for i := range own.Messages {
		own.Messages[i].Payload = own.Messages[i].Payload.Clone()
	}
	return &own
}

// screen asks about the channels that a resumed session is to have again, and goes on with those that it may have.
func (r *reopening) screen() {
	s := r.session
	h := s.shard.settings.Hub
	questions := make(map[wire.ChannelName]func(context.Context) error, len(r.channels))
	for _, name := range r.channels {
		if ask := s.readable(name); ask != nil {
			questions[name] = ask
		}
	}
	refused := make(map[wire.ChannelName]error)
	h.Screen(func(ctx context.Context) error {
		for name, ask := range questions {
			if err := ask(ctx); err != nil {
				refused[name] = err
			}
		}
		return nil
	}, func(err error) {
		s.shard.loop.Post(func() {
			for name := range questions {
				if err != nil {
					refused[name] = err
				}
			}
			r.refused = refused
			r.goOn()
		})
	})
}
