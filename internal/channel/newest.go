package channel

import (
	"slices"
	"strings"
	"sync"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// newest is a log's index of the newest entry of each key, for readers who skip all others. Messages without a key count as
// those of one more key. It is ordered by offset, so that the next newest entry is found without a look at those between:
//
//	order is ascending; of each key in offsets exactly one place in order is alive, and it has the offset that offsets says
type newest struct {
	mu      sync.Mutex // guards the fields below; taken after the log's, and by readers alone
	offsets map[string]wire.Offset
	order   []place
	dead    int         // places in order that are not alive
	from    wire.Offset // what is before it is not in the index
}

// place is where a key had its newest entry once.
type place struct {
	offset wire.Offset
	key    string
	dead   bool // the key has a newer one
}

const (
	// newestCost is what a key charges beside its bytes: its entry in the map with the map's slack, and its places.
	newestCost = 144
	// maxKeys bounds the index of one log. Of further keys those are forgotten whose newest entry is the oldest.
	maxKeys = 100_000
	// minDead spares small indexes the tidying.
	minDead = 64
)

// noteNewest makes the entry at offset the newest of its key. The caller holds the log's mutex.
func (l *Log) noteNewest(key string, offset wire.Offset) {
	n := l.newest
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.order) == 0 && offset < n.from {
		n.from = offset
	}
	if before, there := n.offsets[key]; there {
		p := &n.order[n.at(before)]
		p.dead, key = true, p.key // the string given is not ours
		n.dead++
	} else {
		key = strings.Clone(key)
		l.charge(newestCost + len(key))
	}
	n.offsets[key] = offset
	n.order = append(n.order, place{offset: offset, key: key})
	if len(n.offsets) > maxKeys {
		first := slices.IndexFunc(n.order, func(p place) bool { return !p.dead })
		n.from = n.order[first].offset + 1
		l.charge(-n.drop(n.from))
	}
	if n.dead > minDead && n.dead > len(n.order)/2 {
		n.order = slices.DeleteFunc(n.order, func(p place) bool { return p.dead })
		n.dead = 0
	}
}

// at is where the first place at or behind offset is.
func (n *newest) at(offset wire.Offset) int {
	i, _ := slices.BinarySearchFunc(n.order, offset, func(p place, offset wire.Offset) int {
		return int(int64(p.offset) - int64(offset))
	})
	return i
}

// drop forgets the entries before head, and returns what they had charged.
func (n *newest) drop(head wire.Offset) (charged int) {
	i := 0
	for ; i < len(n.order) && n.order[i].offset < head; i++ {
		if p := &n.order[i]; p.dead {
			n.dead--
		} else {
			charged += newestCost + len(p.key)
			delete(n.offsets, p.key)
		}
	}
	clear(n.order[:i])
	if n.order = n.order[i:]; len(n.order) == 0 {
		n.order = nil
	}
	return charged
}

// next appends to run at most limit offsets of newest entries, from the given one on and no later than tail. There are none
// where the index does not reach back so far.
func (n *newest) next(run []wire.Offset, from, tail wire.Offset, limit int) []wire.Offset {
	n.mu.Lock()
	defer n.mu.Unlock()
	if from < n.from {
		return run
	}
	for i := n.at(from); i < len(n.order) && n.order[i].offset <= tail && len(run) < limit; i++ {
		if p := &n.order[i]; !p.dead {
			run = append(run, p.offset)
		}
	}
	return run
}

// forgetNewest drops from the index what is before head. The caller holds the log's mutex.
func (l *Log) forgetNewest(head wire.Offset) {
	if n := l.newest; n != nil {
		n.mu.Lock()
		defer n.mu.Unlock()
		l.charge(-n.drop(head))
	}
}

// relieveNewest drops from the index what has left memory, because memory is spent. The caller holds the log's mutex.
func (l *Log) relieveNewest() {
	if n := l.newest; n != nil {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.from = max(n.from, l.warm())
		l.charge(-n.drop(n.from))
	}
}

// Indexed reports whether the log knows of the entries from next on which are the newest of their key. It does not where it
// keeps no index, nor of entries that it had before it was brought back, but for the last of them.
func (l *Log) Indexed(next wire.Offset) bool {
	n := l.newest
	if n == nil {
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return next >= n.from
}

// NextNewest finds the first entry from next on that is the newest of its key. Only a log with an index has any.
func (l *Log) NextNewest(next wire.Offset) (at wire.Offset, ok bool) {
	var one [1]wire.Offset
	if l.newest == nil || len(l.newest.next(one[:0], next, l.Tail(), 1)) == 0 {
		return 0, false
	}
	return one[0], true
}

// Scratch is memory for the frames of sparse batches, which last until its Reset. It is for one goroutine at a time.
type Scratch struct {
	bytes   []byte
	ends    []uint32
	message wire.Message
}

// maxScratch is what a scratch keeps from one use to the next.
const maxScratch = 512 << 10

// Reset takes the memory back from all batches.
func (s *Scratch) Reset() {
	if cap(s.bytes) > maxScratch {
		*s = Scratch{}
	}
	s.bytes, s.ends = s.bytes[:0], s.ends[:0]
}

const (
	// MaxSparse bounds the frames of one sparse batch, and so the work for it.
	MaxSparse = 128
	// PositionEvery is how many entries may be skipped in a row before the client is told its position.
	PositionEvery = 1000
)

// SparseFrames is [Log.Frames] for a cursor that skips what is not the newest of its key: frames in format f, each bearing
// the offset before it where that is not its neighbour's. They are laid down for this cursor alone, in s. A batch ends, if
// not empty, before it would skip [PositionEvery] entries or more. It is empty as well while the newest entry is being
// appended.
func (l *Log) SparseFrames(f FormatID, next wire.Offset, limit int, s *Scratch) (b Batch, ok bool) {
	if next < l.Head() {
		return Batch{}, false
	}
	var found [MaxSparse]wire.Offset
	return l.FramesAt(f, next, l.newest.next(found[:0], next, l.Tail(), MaxSparse), limit, s), true
}

// FramesAt lays down the frames of a cursor at next that is given the entries at these offsets alone, of which there are at
// most [MaxSparse], and none of the others.
func (l *Log) FramesAt(f FormatID, next wire.Offset, offsets []wire.Offset, limit int, s *Scratch) (b Batch) {
	begin, first := len(s.bytes), len(s.ends)
	b = Batch{First: next, After: next, sparse: true}
	var leaps [MaxSparse]uint32
	for _, offset := range offsets {
		full := len(s.bytes)-begin >= limit || offset-b.After >= PositionEvery && len(s.ends) > first
		c := l.chunkOf(offset)
		if full || c == nil {
			b.Cold = !full && len(s.ends) == first && l.store != nil && offset >= l.Head()
			break
		}
		readRecord(c.entry(int(offset-c.first)), &s.message)
		s.message.Channel, s.message.Offset, s.message.Prev = l.name, offset, 0
		if offset > b.After {
			s.message.Prev = b.After - 1
		}
		s.bytes = l.space.formats[f].AppendMessage(s.bytes, &s.message)
		leaps[len(s.ends)-first] = uint32(offset - next)
		s.ends = append(s.ends, uint32(len(s.bytes)))
		b.After = offset + 1
	}
	s.message = wire.Message{Tags: s.message.Tags[:0], Meta: s.message.Meta[:0]} // entries are not held
	b.Bytes = s.bytes[begin:len(s.bytes):len(s.bytes)]
	frames := len(s.ends) - first
	s.ends = append(s.ends, leaps[:frames]...)
	b.ends, b.base = s.ends[first:first+frames:len(s.ends)], uint32(begin)
	return b
}
