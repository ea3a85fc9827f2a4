package channel

import (
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// view is a chunk's entries as finished frames of one format, back to back. Like the chunk, it only grows behind its
// count. buf is replaced when it is full; readers of the old one keep it.
type view struct {
	ends  []uint32      // ends[i] is where frame i ends
	count atomic.Uint32 // frames readable
	buf   atomic.Pointer[[]byte]
	used  atomic.Bool // read since the last sweep

	mu     sync.Mutex // held while frames are laid down
	gone   bool       // dropped: what it had charged is given back, and it charges no more
	filled int        // bytes of buf in use
}

// viewOverhead is the view struct and the slice header that buf points to.
var viewOverhead = int(unsafe.Sizeof(view{})) + 24

func newView(entries int) *view {
	return &view{ends: make([]uint32, entries)}
}

func (v *view) cost() int {
	n := viewOverhead + 4*len(v.ends)
	if b := v.buf.Load(); b != nil {
		n += cap(*b)
	}
	return n
}

// view returns the chunk's view in format f with every readable entry laid down.
func (l *Log) view(c *chunk, f FormatID) *view {
	v := c.views[f].Load()
	for v == nil {
		fresh := newView(len(c.ends))
		if c.views[f].CompareAndSwap(nil, fresh) {
			l.charge(fresh.cost())
			v = fresh
			if c.released.Load() {
				l.dropView(c, f, fresh) // nobody else will any more
			}
			break
		}
		v = c.views[f].Load()
	}
	if v.count.Load() < c.count.Load() {
		l.layDown(v, c, f)
	}
	if !v.used.Load() {
		v.used.Store(true)
	}
	return v
}

// layDown extends v to the entries that c has by now.
func (l *Log) layDown(v *view, c *chunk, f FormatID) {
	v.mu.Lock()
	defer v.mu.Unlock()
	m := l.space.scratch.Get().(*wire.Message)
	defer l.space.scratch.Put(m)
	m.Channel = l.name

	format := l.space.formats[f]
	var buf []byte
	if p := v.buf.Load(); p != nil {
		buf = (*p)[:v.filled]
	}
	for i := int(v.count.Load()); i < int(c.count.Load()); i++ {
		readRecord(c.entry(i), m)
		m.Offset = c.first + wire.Offset(i)
		before := cap(buf)
		buf = format.AppendMessage(buf, m)
		if grown := cap(buf) - before; grown != 0 {
			if !v.gone {
				l.charge(grown)
			}
			whole := buf[:cap(buf)]
			v.buf.Store(&whole)
		}
		v.ends[i] = uint32(len(buf))
		v.filled = len(buf)
		v.count.Store(uint32(i + 1))
	}
}

// frames returns the frames of entries i..j-1.
func (v *view) frames(i, j int) []byte {
	start := uint32(0)
	if i > 0 {
		start = v.ends[i-1]
	}
	return (*v.buf.Load())[start:v.ends[j-1]:v.ends[j-1]]
}

// dropView takes v from its chunk and gives back what it charged. Its readers keep what they hold.
func (l *Log) dropView(c *chunk, f FormatID, v *view) {
	if !c.views[f].CompareAndSwap(v, nil) {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.gone = true
	l.charge(-v.cost())
}
