package presence

import (
	"errors"
	"sync"
	"time"
)

// Lease is a node's claim to be alive. All its members are held by it, so that one renewal keeps them all.
type Lease struct {
	Node        string
	Incarnation uint64 // of the node: higher each time that it begins anew
}

// ErrLeaseEnded tells that a lease cannot be renewed: it has ended, or the node has begun anew. The node's members have left.
var ErrLeaseEnded = errors.New("presence: the lease has ended")

// Leases is where the nodes of a cluster see of each other who is alive. Implementations are safe for concurrent use.
type Leases interface {
	// Renew takes a lease, or prolongs it, for a time from now. A later incarnation ends those before it.
	Renew(l Lease, ttl time.Duration) error
	// Release ends a lease, as if its time were over.
	Release(l Lease) error
	// Ended returns leases that have ended. Each is returned once, to one of those who ask: it tells that their members left.
	Ended() ([]Lease, error)
}

// MemoryLeases are the leases of nodes in one process. The zero value is ready.
type MemoryLeases struct {
	mu    sync.Mutex // guards the fields below
	held  map[string]held
	ended []Lease
	last  map[string]uint64 // the highest incarnation of each node that has ended
}

type held struct {
	incarnation uint64
	until       time.Time
}

var _ Leases = (*MemoryLeases)(nil)

// Renew implements [Leases].
func (m *MemoryLeases) Renew(l Lease, ttl time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	m.expire(now)
	if m.held == nil {
		m.held, m.last = make(map[string]held), make(map[string]uint64)
	}
	h, holds := m.held[l.Node]
	if last, ended := m.last[l.Node]; ended && l.Incarnation <= last || holds && l.Incarnation < h.incarnation {
		return ErrLeaseEnded
	}
	if holds && l.Incarnation > h.incarnation {
		m.end(Lease{l.Node, h.incarnation})
	}
	m.held[l.Node] = held{l.Incarnation, now.Add(ttl)}
	return nil
}

// Release implements [Leases].
func (m *MemoryLeases) Release(l Lease) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if h, holds := m.held[l.Node]; holds && h.incarnation == l.Incarnation {
		m.end(l)
	}
	return nil
}

// Ended implements [Leases].
func (m *MemoryLeases) Ended() ([]Lease, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.expire(time.Now())
	ended := m.ended
	m.ended = nil
	return ended, nil
}

// expire ends what is over; mu is held.
func (m *MemoryLeases) expire(now time.Time) {
	for node, h := range m.held {
		if !now.Before(h.until) {
			m.end(Lease{node, h.incarnation})
		}
	}
}

// end ends a lease that is held; mu is held too.
func (m *MemoryLeases) end(l Lease) {
	delete(m.held, l.Node)
	m.last[l.Node] = l.Incarnation
	m.ended = append(m.ended, l)
}
