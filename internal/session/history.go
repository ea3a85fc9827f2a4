package session

import (
	"sync/atomic"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// recall is one page on its way, of a channel's past or of its members. As with a publish, the engine may be done before the session is.
type recall struct {
	session   *Session
	requestID string
	page      wire.Body
	err       error
	turn      atomic.Bool
}

// history asks for a page. Nothing is read from the session until it is there, so that one page at a time waits for a
// client, however many it asks for.
func (s *Session) history(requestID string, b *wire.History) {
	if !s.screenHistory(requestID, b) {
		s.recall(requestID, b)
	}
}

func (s *Session) recall(requestID string, b *wire.History) {
	s.page(requestID, func(done func(wire.Body, error)) {
		s.shard.settings.Hub.History(s.principal, b, func(page *wire.Page, err error) { done(page, err) })
	})
}

// page has a page made, and answers with it.
func (s *Session) page(requestID string, ask func(done func(wire.Body, error))) {
	r := &recall{session: s, requestID: requestID}
	s.inFlight += maxInFlight
	ask(r.done)
	if r.turn.Swap(true) { // done already, as with the memory engine
		s.inFlight -= maxInFlight
		r.answer()
	}
}

func (r *recall) done(page wire.Body, err error) {
	r.page, r.err = page, err
	if r.turn.Swap(true) {
		r.session.shard.loop.Post(func() { r.session.resumeReading(r.answer) })
	}
}

func (r *recall) answer() {
	if r.err != nil {
		r.session.fail(r.requestID, r.err)
		return
	}
	r.session.send(&wire.Frame{RequestID: r.requestID, Body: r.page})
}
