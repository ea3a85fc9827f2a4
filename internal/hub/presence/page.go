package presence

import (
	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// maxPageBytes bounds the members of a page, so that it fits into what may wait for one slow client.
const maxPageBytes = 192 << 10

// memberBytes is about what a member takes in JSON beside its ids and what it says of itself.
const memberBytes = 96

// asking is a page that somebody waits for.
type asking struct {
	query *wire.Presence
	done  func(*wire.Members, error)
}

// Page makes a page of the members of a channel that has presence, and calls done exactly once: on any goroutine, possibly
// before it returns. Nothing of q is kept by then.
func (r *Registry) Page(q *wire.Presence, done func(*wire.Members, error)) {
	r.mu.Lock()
	m := r.room(q.Channel)
	own := *q
	m.asking = append(m.asking, asking{&own, done})
	if m.busy || len(m.queue) > 0 && m.next <= r.now() { // what is new is told first
		r.list(m, true)
		r.mu.Unlock()
		return
	}
	m.busy = true
	r.mu.Unlock()
	m.answer(r)
}

// answer makes the pages that are wanted. The room is busy: nothing is appended meanwhile, so that the tail of its log is the
// position of what has been told.
func (m *room) answer(r *Registry) {
	r.opts.Engine.Read(m.log, channel.Query{Limit: 1, Reverse: true}, func(run channel.Run, err error) {
		r.mu.Lock()
		asked := m.asking
		m.asking, m.busy = nil, false
		pages := make([]*wire.Members, len(asked))
		for i, a := range asked {
			if err == nil {
				pages[i] = m.page(a.query, wire.Position{Epoch: run.Epoch, Offset: run.Tail})
			}
		}
		if len(m.queue) > 0 || m.rows.count == 0 {
			r.list(m, true)
		}
		r.mu.Unlock()
		for i, a := range asked {
			a.done(pages[i], err)
		}
	})
}

// page makes one page.
func (m *room) page(q *wire.Presence, at wire.Position) *wire.Members {
	limit := int(q.Limit)
	if limit == 0 {
		limit = wire.DefaultPage
	}
	limit = min(limit, wire.MaxMembers)
	p := &wire.Members{Channel: m.name, Position: at, Count: int64(m.told), Members: make([]wire.Member, 0, min(limit, m.told))}
	size := 0
	m.rows.each(q.After, func(r *row) bool {
		if !r.is(told) {
			return true
		}
		member := memberOf(r)
		size += memberBytes + len(member.UserID) + len(member.SessionID) + len(member.Device) + len(member.NodeID) + len(member.Info)
		if n := len(p.Members); n == limit || n > 0 && size > maxPageBytes {
			p.Next = p.Members[n-1].SessionID
			return false
		}
		p.Members = append(p.Members, member)
		return true
	})
	return p
}

func memberOf(r *row) wire.Member {
	member := wire.Member{
		UserID: r.who.UserID, SessionID: r.id, Device: r.who.Device(), NodeID: r.lease.Node, Since: r.since,
	}
	if r.info != nil {
		member.Info = []byte(*r.info)
	}
	return member
}
