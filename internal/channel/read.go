package channel

import (
	"slices"
	"sort"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// Batch is a run of finished frames, contiguous in memory. It stays valid for as long as it is held.
type Batch struct {
	Bytes  []byte
	First  wire.Offset // of the first frame
	After  wire.Offset // behind the last frame
	Cold   bool        // there are no bytes because the entry at First is in the store only: [Log.Fetch] brings it
	sparse bool        // there are as many more ends as frames: how far the offset of each is behind First

	ends []uint32 // where each frame ends, counted from origin
	base uint32   // where Bytes begins, counted from the same
}

// Cut tells how a write of only n of the batch's bytes stands: the offset that the cursor must go on with, and the
// rest of the frame that was cut, which must be sent before anything else.
func (b *Batch) Cut(n int) (next wire.Offset, rest []byte) {
	at := b.base + uint32(n)
	i := sort.Search(len(b.ends), func(i int) bool { return b.ends[i] >= at })
	end := b.ends[i]
	if n == 0 {
		return b.First, nil
	}
	if b.sparse {
		i = int(b.leaps()[i])
	}
	return b.First + wire.Offset(i) + 1, b.Bytes[n : end-b.base]
}

// Sparse reports whether the frames are those of [Log.SparseFrames].
func (b *Batch) Sparse() bool { return b.sparse }

// leaps is how far the offset of each frame of a sparse batch is behind First.
func (b *Batch) leaps() []uint32 { return b.ends[len(b.ends) : 2*len(b.ends)] }

// Skipped is how many entries a cursor passes over that goes from First to next in a sparse batch.
func (b *Batch) Skipped(next wire.Offset) int64 {
	moved := uint32(next - b.First)
	frames, _ := slices.BinarySearch(b.leaps(), moved)
	return int64(moved) - int64(frames)
}

// Frames returns frames in format f from the entry at next on: as many as lie together within max bytes, and at
// least one. The batch is empty when next is behind the tail. ok is false when next is before the head: what a
// cursor there has lost must be told.
func (l *Log) Frames(f FormatID, next wire.Offset, limit int) (b Batch, ok bool) {
	if next < l.Head() {
		return Batch{}, false
	}
	if next > l.Tail() {
		return Batch{First: next, After: next}, true
	}
	c := l.chunkOf(next)
	if c == nil {
		// In the store; or trimmed since the head was read: nothing else between head and tail is without a chunk.
		cold := l.store != nil && next >= l.Head()
		return Batch{First: next, After: next, Cold: cold}, cold
	}
	v := l.view(c, f)
	i, n := int(next-c.first), int(v.count.Load())
	start := uint32(0)
	if i > 0 {
		start = v.ends[i-1]
	}
	j := i + 1
	if int(v.ends[n-1]-start) <= limit {
		j = n
	} else {
		j += sort.Search(n-j, func(k int) bool { return int(v.ends[j+k]-start) > limit })
	}
	return Batch{
		Bytes: v.frames(i, j),
		First: next,
		After: next + wire.Offset(j-i),
		ends:  v.ends[i:j],
		base:  start,
	}, true
}

// Read fills m with the entry at offset and reports whether it is readable. The strings, the payload and the
// pairs stay valid, but the slices of m are used again.
func (l *Log) Read(offset wire.Offset, m *wire.Message) bool {
	if offset < l.Head() || offset > l.Tail() {
		return false
	}
	c := l.chunkOf(offset)
	if c == nil {
		return false
	}
	readRecord(c.entry(int(offset-c.first)), m)
	m.Channel, m.Offset, m.Prev = l.name, offset, 0
	return true
}

// Time tells when the entry at offset was appended, in milliseconds since 1970, if it is in memory.
func (l *Log) Time(offset wire.Offset) (milliseconds int64, ok bool) {
	if offset < l.Head() || offset > l.Tail() {
		return 0, false
	}
	c := l.chunkOf(offset)
	if c == nil {
		return 0, false
	}
	return recordTime(c.entry(int(offset - c.first))), true
}

// Origin tells which session published the entry at offset, if it is in memory; 0: none did.
func (l *Log) Origin(offset wire.Offset) (origin uint64, ok bool) {
	if offset < l.Head() || offset > l.Tail() {
		return 0, false
	}
	c := l.chunkOf(offset)
	if c == nil {
		return 0, false
	}
	return recordOrigin(c.entry(int(offset - c.first))), true
}

// since returns the first offset in memory whose timestamp is at least t, Tail()+1 when there is none.
func (l *Log) since(t int64) wire.Offset {
	tail := l.Tail()
	head := min(max(l.Head(), l.warm()), tail+1)
	n := int(tail + 1 - head)
	i := sort.Search(n, func(i int) bool {
		offset := head + wire.Offset(i)
		c := l.chunkOf(offset)
		return c != nil && recordTime(c.entry(int(offset-c.first))) >= t
	})
	return head + wire.Offset(i)
}
