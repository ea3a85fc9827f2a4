package session

import (
	"sync/atomic"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// publishing is one publish that the engine has in hand. The engine may be done with it before the session has
// handed it over completely, or at any later time on a goroutine of its own; turn tells who came second and answers.
type publishing struct {
	session   *Session
	requestID string
	published *wire.Published
	err       error
	turn      atomic.Bool
}

func (s *Session) publish(requestID string, b *wire.Publish) {
	if !s.screenPublish(requestID, b) {
		s.append(requestID, b)
	}
}

// append hands what is published to the engine.
func (s *Session) append(requestID string, b *wire.Publish) {
	b.Origin = s.origin()
	p := &publishing{session: s, requestID: requestID}
	s.inFlight++
	s.shard.settings.Hub.Publish(s.principal, b, p.done)
	if p.turn.Swap(true) {
		p.answer() // done already, as with the memory engine
	}
}

func (p *publishing) done(published *wire.Published, err error) {
	p.published, p.err = published, err
	if p.turn.Swap(true) {
		p.session.shard.loop.Post(func() {
			p.answer()
			p.session.Flush()
		})
	}
}

func (p *publishing) answer() {
	s := p.session
	s.inFlight--
	if p.err != nil {
		s.fail(p.requestID, p.err)
		return
	}
	s.send(&wire.Frame{RequestID: p.requestID, Body: p.published})
}
