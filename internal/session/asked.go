package session

import (
	"strconv"
	"time"

	"github.com/magpie-bridge/magpie/internal/hub"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// maxDirect is how many calls that were directed at a session it may have in hand.
const maxDirect = 256

// asked is a call that a session has in hand: the callee's side of an exchange (hub.Callee).
type asked struct {
	serving    *serving
	exchange   *hub.Exchange
	by         *hub.Registration // nil when the call was directed at the session
	number     uint64            // names the call on this shard
	prev, next *asked            // of the same session
	owed       int64             // credit that it was not told of yet, because its client reads too slowly
	ended      bool
}

// take gives the session a call, which r has counted in, if it was not directed at the session.
func (v *serving) take(x *hub.Exchange, r *hub.Registration) {
	s := v.session
	sh := s.shard
	if s.waiting() > s.maxOutbox() && !s.blocked {
		s.flush() // what is read at once does not make the client a slow one
	}
	left := time.Until(x.Deadline).Milliseconds()
	a := &asked{serving: v, exchange: x, by: r}
	if r != nil && left > 0 && !v.ready(r, x.Method) {
		r.Return(sh, x)
		return
	}
	if err := v.cannotTake(left, x); err != nil {
		a.release()
		x.Fail(sh, err)
		return
	}
	credit, wanted := x.Taken(a)
	if !wanted {
		a.release()
		return
	}
	if x.Naming {
		x.Asked = s.ID()
	}
	sh.asking++
	a.number = sh.asking
	sh.asked[a.number] = a
	if a.next = v.first; a.next != nil {
		a.next.prev = a
	}
	v.first = a
	s.send(&wire.Frame{RequestID: a.requestID(), Body: &wire.Call{
		Method: x.Method, TimeoutMs: max(left, 1), Meta: x.Meta, CallerID: x.Caller.UserID, CallerSID: x.Session, Payload: x.Payload,
	}})
	a.credited(credit)
	if s.waiting() > s.maxOutbox() {
		v.setFull(true)
	}
	sh.pumpLater(s)
}

// ready reports whether the session can be given a call of a method that it serves. One that reads too slowly is given none
// until it has read.
func (v *serving) ready(r *hub.Registration, method string) bool {
	s := v.session
	switch {
	case v.methods[method] != r:
		return false
	case s.waiting() <= s.maxOutbox():
		return true
	}
	v.setFull(true)
	r.SetFull(s.shard, true) // it may have come after the others had been told
	s.shard.pumpLater(s)
	return false
}

// takeDirect gives the session a call that was directed at it.
func (v *serving) takeDirect(x *hub.Exchange) {
	if v.direct >= maxDirect {
		x.Fail(v.session.shard, wire.Errorf(wire.CodeResourceExhausted, "the session that is asked has %d calls in hand already: call again in a while", v.direct))
		return
	}
	v.direct++
	v.take(x, nil)
}

// cannotTake tells why the session cannot be given a call now, or nil.
func (v *serving) cannotTake(left int64, x *hub.Exchange) error {
	switch s := v.session; {
	case !s.Open():
		return errLeft(x.Method)
	case left <= 0:
		return wire.Errorf(wire.CodeDeadlineExceeded, "the call of %q waited longer than it may", x.Method)
	case s.waiting() > s.maxOutbox():
		return wire.Errorf(wire.CodeResourceExhausted, "the peer that was to answer the call of %q reads too slowly", x.Method)
	}
	return nil
}

func errGone(method string) error {
	return wire.Errorf(wire.CodeUnavailable, "the peer that had the call of %q in hand has gone: it may have been carried out", method)
}

func errLeft(method string) error {
	return wire.Errorf(wire.CodeUnavailable, "the peer that was to answer the call of %q has gone before it was told", method)
}

// askedPrefix begins the requestIds of the gateway's calls.
const askedPrefix = 's'

func (a *asked) requestID() string {
	var b [16]byte
	return string(strconv.AppendUint(append(b[:0], askedPrefix), a.number, 36))
}

// inHand returns the call that the session has in hand under that name, or nil.
func (s *Session) inHand(requestID string) *asked {
	if len(requestID) < 2 || requestID[0] != askedPrefix {
		return nil
	}
	number, err := strconv.ParseUint(requestID[1:], 36, 64)
	if err != nil {
		return nil
	}
	a := s.shard.asked[number]
	if a == nil || a.serving.session != s {
		return nil
	}
	return a
}

// answered takes what the client says of a call that it has in hand. What is said of another one comes too late, or is
// made up.
func (s *Session) answered(requestID string, body wire.Body) {
	a := s.inHand(requestID)
	if a == nil {
		s.shard.Metrics.Late.Add(1)
		return
	}
	sh, x := s.shard, a.exchange
	switch b := body.(type) {
	case *wire.Progress:
		x.Back.Part(sh, x, b.Payload)
	case *wire.Reply:
		a.end()
		x.Back.Answer(sh, x, &wire.Reply{Meta: b.Meta, Payload: b.Payload}, nil)
		a.release()
	case *wire.Error:
		a.end()
		x.Back.Answer(sh, x, nil, b.Known())
		a.release()
	}
}

// end takes the call from those in hand.
func (a *asked) end() {
	a.ended = true
	delete(a.serving.session.shard.asked, a.number)
	if a.prev != nil {
		a.prev.next = a.next
	} else {
		a.serving.first = a.next
	}
	if a.next != nil {
		a.next.prev = a.prev
	}
	a.prev, a.next = nil, nil
}

// release makes room for another call.
func (a *asked) release() {
	v := a.serving
	if a.by != nil {
		a.by.Release(v.session.shard)
	} else {
		v.direct--
	}
	v.tidy()
}

// Cancel tells the client that nobody waits any more.
func (a *asked) Cancel(from hub.Home) {
	sh := a.serving.session.shard
	if from == hub.Home(sh) {
		a.canceled()
		return
	}
	sh.loop.Post(a.canceled)
}

func (a *asked) canceled() {
	if a.ended {
		return
	}
	s := a.serving.session
	a.end()
	s.send(&wire.Frame{RequestID: a.requestID(), Body: &wire.Cancel{}})
	s.shard.pumpLater(s)
	a.release()
}

// Credit lets the client send more parts.
func (a *asked) Credit(from hub.Home, count int64) {
	sh := a.serving.session.shard
	if from == hub.Home(sh) {
		a.credited(count)
		return
	}
	sh.loop.Post(func() { a.credited(count) })
}

func (a *asked) credited(count int64) {
	if a.ended || count == 0 {
		return
	}
	v := a.serving
	s := v.session
	if s.waiting() > s.maxOutbox() { // a client that sends parts and reads no credit must not fill its line with that
		a.owed += count
		v.setFull(true)
		return
	}
	s.send(&wire.Frame{RequestID: a.requestID(), Body: &wire.Credit{Count: count}})
	s.shard.pumpLater(s)
}

// payCredit tells the client of the credit that it is owed.
func (v *serving) payCredit() {
	for a := v.first; a != nil && !v.full; a = a.next {
		owed := a.owed
		a.owed = 0
		a.credited(owed)
	}
}
