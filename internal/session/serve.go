package session

import (
	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/hub"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// maxMethods is how many methods a session may serve.
const maxMethods = 256

// serving is what a session has that answers calls (hub.Server). Few do, so the shard holds it.
type serving struct {
	session *Session
	methods map[string]*hub.Registration
	first   *asked // of those in hand
	direct  int    // of them, those that were directed at the session
	full    bool   // the client reads too slowly to be given more
}

// servingOf returns what the session has of that, which is made when it is needed.
func (sh *Shard) servingOf(s *Session) *serving {
	v := sh.serving[s.slot]
	if v == nil {
		v = &serving{session: s}
		sh.serving[s.slot] = v
	}
	return v
}

// Ask brings a call of a method that the session serves.
func (v *serving) Ask(from hub.Home, x *hub.Exchange, r *hub.Registration) {
	sh := v.session.shard
	if from == hub.Home(sh) {
		v.take(x, r)
		return
	}
	x.Keep()
	if !sh.loop.Post(func() { v.take(x, r) }) {
		r.Release(from)
		x.Fail(from, errLeft(x.Method))
	}
}

// offer has calls of a method brought to the session.
func (s *Session) offer(requestID string, b *wire.Serve) {
	v := s.shard.servingOf(s)
	if r := v.methods[b.Method]; r != nil {
		s.send(&wire.Frame{RequestID: requestID, Body: &wire.Served{Method: b.Method}})
		r.SetConcurrency(s.shard, hub.Concurrency(b))
		return
	}
	if len(v.methods) >= maxMethods {
		s.fail(requestID, wire.Errorf(wire.CodeResourceExhausted, "this session serves %d methods, which is the most that one may", maxMethods))
		return
	}
	r, err := s.shard.settings.Hub.Serve(s.principal, b, v)
	if err != nil {
		v.tidy()
		s.fail(requestID, err)
		return
	}
	if v.methods == nil {
		v.methods = make(map[string]*hub.Registration)
	}
	v.methods[b.Method] = r
	s.send(&wire.Frame{RequestID: requestID, Body: &wire.Served{Method: b.Method}})
	r.SetFull(s.shard, v.full) // takes what waits for a server
}

// withdraw ends that. The calls in hand go on.
func (s *Session) withdraw(requestID string, b *wire.Unserve) {
	v := s.shard.serving[s.slot]
	if v == nil || v.methods[b.Method] == nil {
		if err := wire.CheckMethod(b.Method); err != nil {
			s.fail(requestID, err)
			return
		}
		s.fail(requestID, wire.Errorf(wire.CodeNotFound, "this session does not serve the method %q", b.Method))
		return
	}
	r := v.methods[b.Method]
	delete(v.methods, b.Method)
	r.Close(s.shard)
	v.tidy()
	s.send(&wire.Frame{RequestID: requestID, Body: &wire.Unserved{Method: b.Method}})
}

// checkServing ends the serving of what the session has no right to serve any more, and returns how many methods these were.
func (s *Session) checkServing() (ended int) {
	v := s.shard.serving[s.slot]
	if v == nil {
		return 0
	}
	for method, r := range v.methods {
		err := s.principal.May(auth.Serve, wire.ChannelName(method))
		if err == nil {
			continue
		}
		delete(v.methods, method)
		r.Close(s.shard)
		e := wire.AsError(err)
		s.send(&wire.Frame{Body: &wire.Unserved{Method: method, Code: e.Code, Reason: e.Message}})
		ended++
	}
	if ended > 0 {
		v.tidy()
		s.Flush()
	}
	return ended
}

// tidy forgets what the session has of serving when that is nothing.
func (v *serving) tidy() {
	s := v.session
	if len(v.methods) == 0 && v.first == nil && v.direct == 0 && s.shard.serving[s.slot] == v {
		delete(s.shard.serving, s.slot)
	}
}

// setFull has the session given no more calls, or again.
func (v *serving) setFull(full bool) {
	if v.full == full {
		return
	}
	v.full = full
	for _, r := range v.methods {
		if v.full == full { // what it takes meanwhile may fill it again
			r.SetFull(v.session.shard, full)
		}
	}
}

// withdrawAll has no more calls brought to the session, before those in hand are released: others would take their place.
func (s *Session) withdrawAll() {
	if v := s.shard.serving[s.slot]; v != nil {
		methods := v.methods
		v.methods = nil
		for _, r := range methods {
			r.Close(s.shard)
		}
	}
}

// dropServing fails the calls that the session has in hand, because it goes, and serves nothing any more.
func (s *Session) dropServing() {
	v := s.shard.serving[s.slot]
	if v == nil {
		return
	}
	delete(s.shard.serving, s.slot)
	for a := v.first; a != nil; a = v.first {
		a.end()
		a.release()
		a.exchange.Fail(s.shard, errGone(a.exchange.Method))
	}
}
