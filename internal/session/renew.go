package session

import (
	"context"
	"slices"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// Renewal is what another configuration means for the sessions of a node.
type Renewal struct {
	MaxSubscriptions int                        // of one session; those that have more keep them
	Revoked          func(*auth.Principal) bool // whose credential is gone
}

// Renewed is what became of the sessions.
type Renewed struct {
	Unsubscribed int // subscriptions that were ended, because the right is missing now
	Unserved     int // methods that sessions have no right to serve any more
	Disconnected int // sessions that were ended, because their credential is gone
}

// Renew has all loops take up another configuration: policies and limits at once, and the rights of every session and of
// every subscription are checked anew. Whatever is asked for from now on is checked by the new rules, so nothing slips
// through. When ctx ends nobody waits any more, but the loops go on.
func Renew(ctx context.Context, shards []*Shard, r Renewal) (Renewed, error) {
	answers, err := askAll(ctx, shards, func(sh *Shard, answer func(Renewed)) {
		sh.settings.MaxSubscriptions = r.MaxSubscriptions
		for _, t := range sh.topics {
			t.renew(sh.settings.Slow(t.log.Name()))
		}
		sh.renewAllPresence()
		v := &renewing{renewal: r}
		t := &tour{ctx: context.WithoutCancel(ctx), shard: sh, visit: v.visit, end: func() {
			answer(v.done)
			sh.lookAgain(context.WithoutCancel(ctx))
		}}
		t.goOn()
	})
	var all Renewed
	for _, a := range answers {
		all.Unsubscribed += a.Unsubscribed
		all.Unserved += a.Unserved
		all.Disconnected += a.Disconnected
	}
	return all, err
}

// renew has another policy hold for the cursors of the topic, where it is another.
func (t *topic) renew(p SlowPolicy) {
	if t.slow == nil || t.slow.SlowPolicy != p {
		t.slow = newSlowness(p)
	}
}

// renewing goes through the sessions of a loop.
type renewing struct {
	renewal Renewal
	done    Renewed
}

func (v *renewing) visit(s *Session) (cost int, _ bool) {
	if s.principal == nil || s.Closing() {
		return 0, false
	}
	if v.renewal.Revoked(s.principal) {
		s.Goodbye(wire.CloseUnauthorized, "the credential is not known here any more", 0)
		v.done.Disconnected++
		return steerCost, false
	}
	cost = len(s.subs)
	s.renewMembership()
	v.done.Unserved += s.checkServing()
	if ended := s.checkRights(); ended > 0 {
		v.done.Unsubscribed += ended
		cost += ended * steerCost
	}
	return cost, false
}

// lookAgain has the patterns of all sessions take up the channels that these may have only now: one session at a time, since
// each has to look at all channels, and nobody waits for it. Sessions that are being resumed do so by themselves.
func (sh *Shard) lookAgain(ctx context.Context) {
	t := &tour{ctx: ctx, shard: sh, end: func() {}}
	t.visit = func(s *Session) (cost int, rest bool) {
		x := sh.expansions[s.slot]
		if rest = x != nil && sh.reopening[s.slot] == nil; rest {
			x.lookAgain((*pattern).present, func() { sh.loop.Post(t.pass) })
		}
		return 0, rest
	}
	t.goOn()
}

// checkRights ends the subscriptions to which the session has no right any more, and returns how many these were.
func (s *Session) checkRights() (ended int) {
	for at := range slices.Backward(s.subs) { // the last takes the place of one that ends
		name := s.subs[at].topic.log.Name()
		err := s.shard.settings.Hub.MaySubscribe(s.principal, name)
		if err == nil {
			continue
		}
		s.drop(at)
		s.left(name)
		s.sendUnsubscribed(name, err)
		ended++
	}
	if ended > 0 {
		s.changed()
		s.Flush()
	}
	return ended
}
