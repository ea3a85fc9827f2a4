package channel

import (
	"sync/atomic"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// The size of a chunk's data doubles from the first to the last of these as a log grows: a channel with one small
// message costs little, a busy one has few chunks.
const (
	minChunkBytes = 1 << 10
	maxChunkBytes = 256 << 10
)

// bytesPerEntry sizes a chunk's index from its data: an ordinary small entry with its header. Where entries are
// smaller the index fills first and the chunk ends early, which wastes some bytes and breaks nothing.
const bytesPerEntry = 64

// chunk is a run of entries, back to back. The appender writes data and ends behind count and then raises count;
// readers look only below it. Nothing below count ever changes.
type chunk struct {
	first wire.Offset   // of entry 0
	data  []byte        // len is the capacity; allocated once
	ends  []uint32      // ends[i] is where entry i ends in data; len is the capacity
	count atomic.Uint32 // entries readable

	views    [MaxFormats]atomic.Pointer[view]
	released atomic.Bool // dropped from the log: a view made now must not stay
}

func newChunk(first wire.Offset, size, need int) *chunk {
	size = max(size, need)
	return &chunk{
		first: first,
		data:  make([]byte, size),
		ends:  make([]uint32, max(size/bytesPerEntry, 1)),
	}
}

// cost is what the chunk itself charges; its views charge their own.
func (c *chunk) cost() int { return len(c.data) + 4*len(c.ends) + chunkOverhead }

// chunkOverhead is the chunk struct and its place in the list.
const chunkOverhead = 128

// room reports whether an entry of size bytes fits.
func (c *chunk) room(size int) bool {
	n := int(c.count.Load())
	return n < len(c.ends) && c.start(n)+size <= len(c.data)
}

// append writes one entry and makes it readable. The caller holds the log's mutex and made sure of the room.
func (c *chunk) append(r *Record, timestamp int64) (size int) {
	n := int(c.count.Load())
	start := c.start(n)
	end := len(appendRecord(c.data[:start], r, timestamp))
	c.ends[n] = uint32(end)
	c.count.Store(uint32(n + 1))
	return end - start
}

// add writes an entry that is in its compact form already. The same holds as for append.
func (c *chunk) add(e Entry) {
	n := int(c.count.Load())
	start := c.start(n)
	c.ends[n] = uint32(start + copy(c.data[start:], e))
	c.count.Store(uint32(n + 1))
}

// after is the offset behind the newest readable entry.
func (c *chunk) after() wire.Offset { return c.first + wire.Offset(c.count.Load()) }

// entry returns entry i's bytes; i must be below count.
func (c *chunk) entry(i int) []byte { return c.data[c.start(i):c.ends[i]:c.ends[i]] }

func (c *chunk) start(i int) int {
	if i == 0 {
		return 0
	}
	return int(c.ends[i-1])
}
