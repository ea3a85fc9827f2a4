package channel

import (
	"cmp"
	"hash/maphash"
	"math"
	"slices"
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// dedup is a log's idempotency window: which offset a publisher's messageId got. It spans the retained entries that have a
// messageId, or the newest of them where the channel's [Window] is narrower, and is guarded by the log's mutex. The key is
// a seeded hash. An answer is verified: against the entry itself, so that a collision can at worst forget the older of two
// ids; or, where entries leave memory for a store, against a second hash.
type dedup struct {
	seed    maphash.Seed
	offsets map[uint64]wire.Offset // nil until the first messageId

	// Of a log with a store only.
	second maphash.Seed
	order  []identity // by offset
}

// identity is an id in the window that outlives its entry's time in memory.
type identity struct {
	key, check uint64 // the two hashes
	offset     wire.Offset
	time       int64
}

// dedupCost is what one id charges: key, value and the map's slack; identityCost what it charges beyond that as an identity.
const (
	dedupCost    = 32
	identityCost = 32
)

func (d *dedup) key(publisher, messageID string) uint64 {
	if d.offsets == nil {
		d.seed, d.second = maphash.MakeSeed(), maphash.MakeSeed()
		d.offsets = make(map[uint64]wire.Offset)
	}
	return hash(d.seed, publisher, messageID)
}

func hash(seed maphash.Seed, publisher, messageID string) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	h.WriteString(publisher)
	h.WriteByte(0)
	h.WriteString(messageID)
	return h.Sum64()
}

// find returns the offset that publisher's messageID has, or 0.
func (l *Log) find(key uint64, publisher, messageID string) wire.Offset {
	offset, ok := l.dedup.offsets[key]
	if !ok {
		return 0
	}
	if l.store != nil {
		i, there := l.dedup.at(offset)
		if !there || l.dedup.order[i].check != hash(l.dedup.second, publisher, messageID) {
			return 0
		}
		return offset
	}
	c := l.chunkOf(offset)
	if c == nil {
		return 0
	}
	if p, id := recordIdentity(c.entry(int(offset - c.first))); p != publisher || id != messageID {
		return 0
	}
	return offset
}

// remember notes that key got offset.
func (l *Log) remember(key uint64, offset wire.Offset) {
	if _, there := l.dedup.offsets[key]; !there {
		l.charge(dedupCost)
	}
	l.dedup.offsets[key] = offset
}

// forget drops the id of an entry that is leaving the log.
func (l *Log) forget(entry []byte, offset wire.Offset) {
	if len(l.dedup.offsets) == 0 {
		return
	}
	publisher, messageID := recordIdentity(entry)
	if messageID == "" {
		return
	}
	key := l.dedup.key(publisher, messageID)
	if l.dedup.offsets[key] == offset {
		delete(l.dedup.offsets, key)
		l.charge(-dedupCost)
	}
}

// at is where the identity of the entry at offset is in the order, or would be.
func (d *dedup) at(offset wire.Offset) (i int, there bool) {
	return slices.BinarySearchFunc(d.order, offset, func(id identity, offset wire.Offset) int { return cmp.Compare(id.offset, offset) })
}

// enlist notes an id whose entry may leave memory. Offsets come in their order.
func (l *Log) enlist(publisher, messageID string, offset wire.Offset, time int64) {
	d := &l.dedup
	l.charge(identityCost)
	d.order = append(d.order, identity{
		key: d.key(publisher, messageID), check: hash(d.second, publisher, messageID), offset: offset, time: time,
	})
}

// expire forgets the ids that are before the window of a log with a store, or before its head.
func (l *Log) expire(now time.Time) {
	d := &l.dedup
	if len(d.order) == 0 {
		return
	}
	first, oldest := l.Head(), int64(math.MinInt64)
	if w := l.retention.Window; w.Messages > 0 && wire.Offset(w.Messages) < l.Tail() {
		first = max(first, l.Tail()+1-wire.Offset(w.Messages))
	}
	if w := l.retention.Window; w.Age > 0 {
		oldest = now.Add(-w.Age).UnixMilli()
	}
	n := 0
	for n < len(d.order) && (d.order[n].offset < first || d.order[n].time < oldest) {
		if id := &d.order[n]; d.offsets[id.key] == id.offset {
			delete(d.offsets, id.key)
			l.charge(-dedupCost)
		}
		n++
	}
	l.charge(-n * identityCost)
	d.order = d.order[n:] // what append makes of it when it grows leaves the others behind
}

// forgetAll drops the whole window.
func (l *Log) forgetAll() {
	l.charge(-dedupCost*len(l.dedup.offsets) - identityCost*len(l.dedup.order))
	l.dedup = dedup{}
}
