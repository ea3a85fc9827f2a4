package channel

import (
	"hash/maphash"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// dedup is a log's idempotency window: which offset a publisher's messageId got. It spans the retained
// entries that have a messageId, or the newest of them where the channel's [Window] is narrower, and is guarded by the log's mutex. The key is a seeded hash; an answer is verified
// against the entry itself, so that a collision can at worst forget the older of two ids.
type dedup struct {
	seed    maphash.Seed
	offsets map[uint64]wire.Offset // nil until the first messageId
}

// dedupCost is what one id charges: key, value and the map's slack.
const dedupCost = 32

func (d *dedup) key(publisher, messageID string) uint64 {
	if d.offsets == nil {
		d.seed = maphash.MakeSeed()
		d.offsets = make(map[uint64]wire.Offset)
	}
	var h maphash.Hash
	h.SetSeed(d.seed)
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
