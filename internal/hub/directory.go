package hub

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/hub/keep"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// directoryParts is how many locks the directory has, so that loops that connect clients seldom wait for each other.
const directoryParts = 16

// Directory knows which sessions a user has on this node, and where. Every idle line is in it, so an entry is small: a
// chained hash table without a key of its own. Safe for concurrent use.
type Directory struct {
	seed  maphash.Seed
	most  atomic.Int64 // sessions of one user; 0: no limit
	began time.Time
	parts [directoryParts]directoryPart
}

type directoryPart struct {
	mu      sync.Mutex // guards the fields below
	heads   []uint32   // of the chains, as index + 1; a power of two
	entries []entry
	free    uint32 // the first of the free entries, as index + 1
	count   int
}

// entry is one session: 24 bytes.
type entry struct {
	principal *auth.Principal // nil: the entry is free
	slot      uint32
	loop      uint16
	_         uint16
	next      uint32 // in the chain, as index + 1
	since     uint32 // seconds since the directory began
}

// Resident is one session of a user.
type Resident struct {
	Principal *auth.Principal
	At        keep.Place
	Since     time.Time // to the second
}

func newDirectory(mostPerUser int) *Directory {
	d := &Directory{seed: maphash.MakeSeed(), began: time.Now()}
	d.most.Store(int64(mostPerUser))
	return d
}

func (d *Directory) part(user string) (*directoryPart, uint64) {
	hash := maphash.String(d.seed, user)
	return &d.parts[hash%directoryParts], hash / directoryParts
}

// Enter notes a session. It is refused when the user has as many as one may have.
func (d *Directory) Enter(p *auth.Principal, at keep.Place) error {
	part, hash := d.part(p.UserID)
	part.mu.Lock()
	defer part.mu.Unlock()
	if most := int(d.most.Load()); most > 0 {
		n := 0
		part.each(p.UserID, hash, func(*entry) { n++ })
		if n >= most {
			return wire.Errorf(wire.CodeResourceExhausted, "user %q has %d sessions, which is the most that one may have here", p.UserID, n)
		}
	}
	if part.count >= len(part.heads) {
		part.grow(d)
	}
	index := part.take()
	head := &part.heads[hash%uint64(len(part.heads))]
	since := max(time.Since(d.began)/time.Second, 0)
	part.entries[index] = entry{
		principal: p, slot: at.Slot, loop: uint16(at.Loop), next: *head, since: uint32(since),
	}
	*head = index + 1
	part.count++
	return nil
}

// Leave forgets a session.
func (d *Directory) Leave(p *auth.Principal, at keep.Place) {
	part, hash := d.part(p.UserID)
	part.mu.Lock()
	defer part.mu.Unlock()
	if len(part.heads) == 0 {
		return
	}
	for link := &part.heads[hash%uint64(len(part.heads))]; *link != 0; link = &part.entries[*link-1].next {
		index := *link - 1
		if e := &part.entries[index]; e.slot == at.Slot && int(e.loop) == at.Loop && e.principal == p {
			*link = e.next
			*e = entry{next: part.free}
			part.free = index + 1
			part.count--
			return
		}
	}
}

// Of returns the sessions of a user.
func (d *Directory) Of(user string) []Resident {
	part, hash := d.part(user)
	part.mu.Lock()
	defer part.mu.Unlock()
	var all []Resident
	part.each(user, hash, func(e *entry) { all = append(all, d.resident(e)) })
	return all
}

// Since tells when the session at a place was opened; ok is false when the directory does not know it.
func (d *Directory) Since(p *auth.Principal, at keep.Place) (since time.Time, ok bool) {
	part, hash := d.part(p.UserID)
	part.mu.Lock()
	defer part.mu.Unlock()
	part.each(p.UserID, hash, func(e *entry) {
		if e.slot == at.Slot && int(e.loop) == at.Loop {
			since, ok = d.resident(e).Since, true
		}
	})
	return since, ok
}

func (d *Directory) resident(e *entry) Resident {
	return Resident{
		Principal: e.principal,
		At:        keep.Place{Loop: int(e.loop), Slot: e.slot},
		Since:     d.began.Add(time.Duration(e.since) * time.Second),
	}
}

// each calls f for each entry of a user; mu is held.
func (p *directoryPart) each(user string, hash uint64, f func(*entry)) {
	if len(p.heads) == 0 {
		return
	}
	for at := p.heads[hash%uint64(len(p.heads))]; at != 0; at = p.entries[at-1].next {
		if e := &p.entries[at-1]; e.principal.UserID == user {
			f(e)
		}
	}
}

// take returns the index of a free entry; mu is held.
func (p *directoryPart) take() uint32 {
	if p.free != 0 {
		index := p.free - 1
		p.free = p.entries[index].next
		return index
	}
	p.entries = append(p.entries, entry{})
	return uint32(len(p.entries) - 1)
}

// grow doubles the chains; mu is held.
func (p *directoryPart) grow(d *Directory) {
	p.heads = make([]uint32, max(2*len(p.heads), 8))
	for i := range p.entries {
		e := &p.entries[i]
		if e.principal == nil {
			continue
		}
		_, hash := d.part(e.principal.UserID)
		head := &p.heads[hash%uint64(len(p.heads))]
		e.next, *head = *head, uint32(i)+1
	}
}
