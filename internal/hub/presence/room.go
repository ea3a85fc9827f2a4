package presence

import (
	"strings"
	"time"

	"github.com/magpie-bridge/magpie/internal/hub/keep"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// room is the members of one channel. It exists while there are any, or somebody asks for them. The registry's lock guards it.
//
//	told = what the messages up to the tail of log tell, while the room is not busy
type room struct {
	name   wire.ChannelName
	log    wire.ChannelName // tells of the members
	rows   rows
	here   int              // how many members there are
	told   int              // how many everybody knows of
	queue  []wire.SessionID // of rows that are queued
	flight []change         // on its way into the log
	asking []asking         // pages that are wanted
	busy   bool             // messages are on their way, or the position is being read
	listed bool             // in the registry's list
	next   moment           // nothing is told before it
}

// change is what a message on its way tells of a member.
type change struct {
	id   wire.SessionID
	here bool
}

// room returns the room of a channel, a new one when there is none; mu is held.
func (r *Registry) room(name wire.ChannelName) *room {
	m := r.rooms[name]
	if m == nil {
		name = wire.ChannelName(strings.Clone(string(name)))
		m = &room{name: name, log: MembersPrefix + name}
		r.rooms[name] = m
	}
	return m
}

func (m *room) enter(r *Registry, l *Lease, e Entrance) {
	member := m.rows.find(e.Session)
	if member == nil {
		m.rows.add(row{id: wire.SessionID(strings.Clone(string(e.Session)))})
		member = m.rows.find(e.Session)
	}
	member.who, member.lease, member.leaves = e.Who, l, 0
	member.slot, member.loop = e.At.Slot, uint16(e.At.Loop)
	if len(e.Info) > 0 && (member.info == nil || *member.info != string(e.Info)) {
		member.info = new(string(e.Info))
		member.set(news, true)
		m.enqueue(r, member)
	}
	if !member.is(here) {
		member.set(here, true)
		member.since = time.Now().UnixMilli()
		m.here++
		r.members++
		m.enqueue(r, member)
	}
}

func (m *room) leave(r *Registry, id wire.SessionID, at keep.Place) {
	member := m.rows.find(id)
	if member == nil || !member.is(here) || member.slot != at.Slot || int(member.loop) != at.Loop {
		return
	}
	member.leaves = r.depart(m, member.id)
}

// gone implements subject.
func (m *room) gone(r *Registry, id wire.SessionID, at moment) {
	if member := m.rows.find(id); member != nil && member.leaves == at {
		m.end(r, member)
	}
}

// evict has the members leave that a lease has held.
func (m *room) evict(r *Registry, l Lease) {
	m.rows.each("", func(member *row) bool {
		if member.is(here) && *member.lease == l {
			m.end(r, member)
		}
		return true
	})
}

// end makes a member one no more.
func (m *room) end(r *Registry, member *row) {
	member.leaves = 0
	member.set(here, false)
	m.here--
	r.members--
	m.enqueue(r, member)
}

// enqueue has a row looked at when the room is told of.
func (m *room) enqueue(r *Registry, member *row) {
	if !member.is(queued) {
		member.set(queued, true)
		m.queue = append(m.queue, member.id)
	}
	if !m.busy { // or it is listed as soon as it is not
		r.list(m, true)
	}
}

// large reports whether one message tells of all that change.
func (m *room) large() bool { return m.here > Large || m.told > Large }

// list implements subject.
func (m *room) list(on bool) bool {
	was := m.listed
	m.listed = on
	return !was
}

// step implements subject: it tells what is new, or else answers who asks, or else forgets a room where nobody is left.
func (m *room) step(r *Registry, now moment) (again moment) {
	if m.busy {
		return 0
	}
	if len(m.queue) > 0 && m.next > now {
		again = m.next
	} else if messages := m.take(now); len(messages) > 0 {
		m.busy = true
		r.mu.Unlock()
		defer r.mu.Lock()
		r.append(m.log, encode(messages), func(err error) { m.done(r, err) })
		return 0
	}
	switch {
	case len(m.asking) > 0:
		m.busy = true
		r.mu.Unlock()
		defer r.mu.Lock()
		m.answer(r)
		return 0
	case m.rows.count == 0 && r.rooms[m.name] == m:
		delete(r.rooms, m.name)
	}
	return again
}

// maxSingles bounds the messages that are appended at once, each of one member.
const maxSingles = 256

// take returns the messages that tell what is queued, and notes that they are on their way.
func (m *room) take(now moment) []any {
	batch := m.large()
	n := len(m.queue)
	if !batch {
		n = min(n, maxSingles)
	}
	at := time.Now().UnixMilli()
	var singles []any
	all := &countMessage{Event: "count", Count: m.told, Timestamp: at}
	for _, id := range m.queue[:n] {
		member := m.rows.find(id)
		member.set(queued, false)
		is := member.is(here)
		switch {
		case !is && !member.is(told): // it has gone before anybody heard of it
			m.rows.remove(id)
			continue
		case is == member.is(told) && !member.is(news):
			continue
		}
		if is != member.is(told) {
			all.tell(member)
		}
		if !batch {
			singles = append(singles, singleMessage(member, at))
		}
		member.set(news, false)
		m.flight = append(m.flight, change{member.id, is})
	}
	if m.queue = m.queue[n:]; len(m.queue) == 0 {
		m.queue = nil
	}
	if !batch || len(m.flight) == 0 {
		return singles
	}
	m.next = now + moment(batchEvery)
	return []any{all}
}

// done tells that the messages on their way stand in the log, or do not.
func (m *room) done(r *Registry, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m.busy = false
	for _, c := range m.flight {
		member := m.rows.find(c.id)
		if err != nil {
			member.set(news, member.is(told))
			m.enqueue(r, member)
			continue
		}
		if c.here != member.is(told) {
			m.told += map[bool]int{true: 1, false: -1}[c.here]
			member.set(told, c.here)
		}
		if !member.is(here) && !member.is(told) && !member.is(queued) {
			m.rows.remove(c.id)
		}
	}
	m.flight = nil
	if err != nil {
		m.next = r.now() + moment(retryAfter)
	}
	r.list(m, true)
}
