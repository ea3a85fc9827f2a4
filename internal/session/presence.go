package session

import (
	"context"

	"github.com/magpie-bridge/magpie/internal/hub/presence"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// presence asks for a page of a channel's members. As with a page of the past, nothing is read from the session until it is
// there.
func (s *Session) presence(requestID string, b *wire.Presence) {
	h := s.shard.settings.Hub
	later := *b
	muster := func() {
		s.page(requestID, func(done func(wire.Body, error)) {
			h.Members(s.principal, &later, func(page *wire.Members, err error) { done(page, err) })
		})
	}
	if h.Hooks().Subscribe == nil || h.MaySeeMembers(s.principal, later.Channel) != nil {
		muster()
		return
	}
	c := s.client()
	s.screen(requestID, func(ctx context.Context) error {
		return h.Hooks().Subscribe(ctx, c, presence.MembersPrefix+later.Channel)
	}, muster)
}

// joinMembers makes the session a member of a channel, or tells what else it says of itself there.
func (s *Session) joinMembers(t *topic, info []byte) {
	if t.present {
		s.shard.settings.Hub.Here().Enter(t.log.Name(), presence.Entrance{Session: s.ID(), Who: s.principal, At: s.place(), Info: info})
	}
}

// leaveMembers ends that.
func (s *Session) leaveMembers(t *topic) {
	if t.members {
		s.shard.settings.Hub.Here().Leave(t.log.Name(), s.ID(), s.place())
	}
}

// online counts the session in among those of its user.
func (s *Session) online() {
	if h := s.shard.settings.Hub; h.TellsOnline() {
		h.Here().Arrive(s.principal.UserID, s.ID())
	}
}

// offline counts it out.
func (s *Session) offline() {
	if h := s.shard.settings.Hub; h.TellsOnline() {
		h.Here().Depart(s.principal.UserID, s.ID())
	}
}

// renewPresence notes whether a channel has presence.
func (sh *Shard) renewPresence(t *topic) {
	t.present = sh.settings.Hub.HasPresence(t.log.Name())
	t.members = t.members || t.present
}

// renewAllPresence does so for all channels that are subscribed on the loop.
func (sh *Shard) renewAllPresence() {
	for _, t := range sh.topics {
		sh.renewPresence(t)
	}
	for _, t := range sh.sifted {
		sh.renewPresence(t)
	}
}

// renewMembership makes the session a member of the channels that have presence by now, and ends that for those that have
// none any more.
func (s *Session) renewMembership() {
	for i := range s.subs {
		if t := s.subs[i].topic; t.present {
			s.joinMembers(t, nil)
		} else {
			s.leaveMembers(t)
		}
	}
}
