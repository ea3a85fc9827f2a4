package hub

import (
	"slices"
	"sync"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// Candidate is a session that a call is brought to beside others.
type Candidate struct {
	Principal *auth.Principal
	// Bring brings the call there.
	Bring func(x *Exchange)
}

// Several brings a call to several sessions: the first that answers counts or, where the caller wants all, their answers
// are gathered.
func Several(x *Exchange, candidates []Candidate) {
	x.Keep()
	s := &several{x: x, open: len(candidates), children: make([]*Exchange, len(candidates)), candidates: candidates}
	var back Back = &race{s}
	var callee Callee = s
	if x.To.All {
		g := &gathering{several: s}
		back, callee = g, g
	}
	for i := range candidates {
		s.children[i] = &Exchange{
			Method: x.Method, Caller: x.Caller, Session: x.Session, Deadline: x.Deadline, Meta: x.Meta, Payload: x.Payload,
			Back: back, OwnOnly: x.OwnOnly, Naming: x.To.All, kept: true,
		}
	}
	credit, ok := x.Taken(callee)
	if !ok {
		return
	}
	for i, c := range candidates {
		c.Bring(s.children[i])
	}
	if credit > 0 {
		s.Credit(nil, credit)
	}
}

// several is a call that several sessions have in hand (Callee).
type several struct {
	x          *Exchange
	candidates []Candidate
	children   []*Exchange // as the candidates; set once

	mu     sync.Mutex // guards the fields below
	open   int        // children that have not answered
	done   bool
	chosen *Exchange // the one whose parts are passed on
	credit int64     // given before one was chosen
	best   error     // why the call fails if nobody answers it
}

// Cancel cancels what is left.
func (s *several) Cancel(from Home) {
	s.mu.Lock()
	s.done = true
	s.mu.Unlock()
	s.cancelOthers(from, nil)
}

func (s *several) cancelOthers(from Home, but *Exchange) {
	for _, child := range s.children {
		if child != but {
			child.Cancel(from)
		}
	}
}

// Credit is for the one that is chosen.
func (s *several) Credit(from Home, count int64) {
	s.mu.Lock()
	chosen := s.chosen
	if chosen == nil {
		s.credit += count
	}
	s.mu.Unlock()
	if chosen != nil {
		chosen.Credit(from, count)
	}
}

// race passes on what the first says that answers (Back).
type race struct{ *several }

// Part chooses whoever begins.
func (r *race) Part(from Home, child *Exchange, part wire.Payload) {
	if r.choose(from, child) {
		r.x.Back.Part(from, r.x, part)
	}
}

// choose makes child the one that counts, if none was chosen before, and reports whether it is.
func (r *race) choose(from Home, child *Exchange) bool {
	r.mu.Lock()
	if r.done || r.chosen != nil {
		defer r.mu.Unlock()
		return !r.done && r.chosen == child
	}
	r.chosen = child
	credit := r.credit
	r.credit = 0
	r.mu.Unlock()
	r.cancelOthers(from, child)
	if credit > 0 {
		child.Credit(from, credit)
	}
	return true
}

// Answer passes on what decides. That a session does not know the method, or has gone, says nothing of the others.
func (r *race) Answer(from Home, child *Exchange, reply *wire.Reply, err error) {
	if err == nil || !child.failed && wire.AsError(err).Code != wire.CodeUnimplemented {
		if r.choose(from, child) && r.finish() {
			r.x.Back.Answer(from, r.x, reply, err)
		}
		return
	}
	r.mu.Lock()
	r.open--
	if r.best == nil || r.chosen == child || wire.AsError(r.best).Code == wire.CodeUnimplemented {
		r.best = err
	}
	best := r.best
	last := !r.done && (r.open == 0 || r.chosen == child)
	r.done = r.done || last
	r.mu.Unlock()
	if last {
		r.x.Back.Answer(from, r.x, nil, best)
	}
}

func (s *several) finish() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := !s.done
	s.done = true
	return first
}

// maxAnswerBytes bounds the payloads of gathered answers, so that the reply fits into what may wait for one slow client.
const maxAnswerBytes = maxPageBytes

// gathering gathers answers until all are there, or the time is over (Back, Callee).
type gathering struct {
	*several
	answers []wire.Answer // guarded by mu
	bytes   int           // of their payloads; guarded by mu
}

// Part drops what is no answer: parts of several would be told apart by nobody. The callee may go on.
func (g *gathering) Part(from Home, child *Exchange, _ wire.Payload) { child.Credit(from, 1) }

// Credit has nobody to go to.
func (g *gathering) Credit(Home, int64) {}

// Answer adds one.
func (g *gathering) Answer(from Home, child *Exchange, reply *wire.Reply, err error) {
	g.mu.Lock()
	if g.done {
		g.mu.Unlock()
		return
	}
	c := &g.candidates[slices.Index(g.children, child)]
	answer := wire.Answer{UserID: c.Principal.UserID, SessionID: child.Asked, Device: c.Principal.Device()}
	if err == nil {
		answer.Payload, err = g.keep(reply.Payload)
	}
	if err != nil {
		answer.Err = wire.AsError(err)
	}
	g.answers = append(g.answers, answer)
	g.open--
	last := g.open == 0
	g.done = last
	g.mu.Unlock()
	if last {
		g.reply(from)
	}
}

// keep copies a payload, while there is room for it; mu is held.
func (g *gathering) keep(p wire.Payload) (wire.Payload, error) {
	if g.bytes += len(p.Bytes); g.bytes > maxAnswerBytes {
		return wire.Payload{}, wire.Errorf(wire.CodeResourceExhausted, "the answers together have more than %d bytes, and this one found no room", maxAnswerBytes)
	}
	return p.Clone(), nil
}

// expire answers with what is there.
func (g *gathering) expire(from Home) {
	if g.finish() {
		g.cancelOthers(from, nil)
		g.reply(from)
	}
}

func (g *gathering) reply(from Home) {
	g.x.Back.Answer(from, g.x, &wire.Reply{Asked: int64(len(g.children)), Answers: g.answers}, nil)
}
