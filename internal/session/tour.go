package session

import (
	"context"
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// What somebody outside wants of many sessions is done on their loops: all of these are asked at once, and each goes on a
// tour of its sessions.

// AskTimeout is how long whoever asks waits for the loops. A loop that takes so long has worse troubles.
const AskTimeout = 2 * time.Second

// ask has the loop of each shard begin something, and returns what those answer that do before ctx ends.
func ask[A any](ctx context.Context, shards []*Shard, begin func(sh *Shard, answer func(A))) []A {
	answers := make(chan A, len(shards))
	asked := 0
	for _, sh := range shards {
		if sh.loop.Post(func() { begin(sh, func(a A) { answers <- a }) }) {
			asked++
		}
	}
	var all []A
	for range asked {
		select {
		case a := <-answers:
			all = append(all, a)
		case <-ctx.Done():
			return all
		}
	}
	return all
}

// askAll is ask where an answer that is missing is a failure.
func askAll[A any](ctx context.Context, shards []*Shard, begin func(sh *Shard, answer func(A))) ([]A, error) {
	answers := ask(ctx, shards, begin)
	if missing := len(shards) - len(answers); missing > 0 {
		return nil, wire.Errorf(wire.CodeUnavailable, "%d of %d loops did not answer in time: ask again", missing, len(shards))
	}
	return answers, nil
}

// lookedAt is how much is looked at in one go of a tour, sessions and subscriptions: some tens of microseconds of the loop.
const lookedAt = 1024

// tour goes through the sessions of a loop by slot, in slices between which the loop does its other work. A session that
// comes or goes meanwhile may be visited or not; none is visited twice.
type tour struct {
	ctx   context.Context // when it ends, the tour does
	shard *Shard
	// visit is called for each session. It returns what that cost beside the look, or that the tour has to rest at this
	// session: then somebody is to call goOn or pass, on the loop.
	visit func(*Session) (cost int, rest bool)
	end   func() // after the last
	slot  int    // the next
	only  bool   // no other than this one
}

// goOn visits the next slice. Loop only.
func (v *tour) goOn() {
	sh := v.shard
	for looked := 0; v.slot < len(sh.sessions); v.slot++ {
		if looked >= lookedAt {
			if v.ctx.Err() == nil {
				sh.loop.Post(v.goOn)
			}
			return
		}
		looked++
		if s := sh.sessions[v.slot]; s != nil {
			cost, rest := v.visit(s)
			if rest {
				return
			}
			looked += cost
		}
		if v.only {
			break
		}
	}
	v.end()
}

// pass goes on behind the session that the tour rested at. Loop only.
func (v *tour) pass() {
	if v.only {
		v.end()
		return
	}
	v.slot++
	v.goOn()
}

// Target names sessions in exactly one way: the one with an id, those of a user, or those of a token.
type Target struct {
	Session wire.SessionID
	User    string
	Token   string // see auth.Token.ID
}

// matches reports whether a session is one of those.
func (g *Target) matches(s *Session) bool {
	switch {
	case s.principal == nil || s.Closing():
		return false
	case g.Session != "":
		return s.ID() == g.Session
	case g.User != "":
		return s.principal.UserID == g.User
	default:
		return s.principal.Token != nil && g.Token != "" && s.principal.Token.ID == g.Token
	}
}

// each has every session that the target names visited on its loop, and returns how many were counted there, and what was
// said against one of the others.
func (g *Target) each(ctx context.Context, shards []*Shard, begin func(v *tour, counted *tally)) (tally, error) {
	only, slot := g.Session != "", 0
	if only {
		at, ok := lines(shards).where(g.Session)
		if !ok {
			return tally{}, nil
		}
		shards, slot = shards[at.Loop:at.Loop+1], int(at.Slot)
	}
	answers, err := askAll(ctx, shards, func(sh *Shard, answer func(tally)) {
		counted := &tally{}
		v := &tour{ctx: ctx, shard: sh, slot: slot, only: only, end: func() { answer(*counted) }}
		begin(v, counted)
		v.goOn()
	})
	var sum tally
	for _, a := range answers {
		sum.sessions += a.sessions
		if sum.refused == nil {
			sum.refused = a.refused
		}
	}
	return sum, err
}

// tally is what came of a tour.
type tally struct {
	sessions int   // for which what was wanted is done
	refused  error // why it is not for another; nil: there is none
}
