package channel

import (
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// Retention says how long entries are kept: until any of the three is exceeded. It is also the burst buffer of slow
// readers, so its defaults are generous.
type Retention struct {
	Messages int64         // entries
	Bytes    int64         // of entries in their compact form
	Age      time.Duration // since the entry was appended

	Window Window

	// Newest has an index of the newest entry of each key kept, for readers who skip the others. It cannot be changed later.
	Newest bool
}

// Window is how long a publisher's messageId is remembered, so that a retry gets the position of the first time: until
// either is exceeded, and no longer than the entry is kept. A bound of 0 is that of the entries themselves.
type Window struct {
	Messages int64 // entries
	Age      time.Duration
}

// DefaultWindow is that of a channel for which nothing else is configured.
func DefaultWindow() Window { return Window{Messages: 100_000, Age: 10 * time.Minute} }

// narrow reports whether ids are forgotten before their entries.
func (r *Retention) narrow() bool {
	return r.Window.Messages > 0 && r.Window.Messages < r.Messages || r.Window.Age > 0 && r.Window.Age < r.Age
}

// DefaultRetention is that of a channel for which nothing else is configured.
func DefaultRetention() Retention {
	return Retention{Messages: 100_000, Bytes: 16 << 20, Age: 10 * time.Minute, Window: DefaultWindow()}
}

// trim drops what exceeds the retention. The caller holds the mutex.
func (l *Log) trim(now time.Time) {
	oldest := now.Add(-l.retention.Age).UnixMilli()
	head, tail := l.head.Load(), l.tail.Load()
	if head > tail {
		return
	}
	if l.store != nil {
		l.trimWarm(oldest)
		l.expire(now)
		return
	}
	c := l.chunkOf(wire.Offset(head))
	for head <= tail {
		if wire.Offset(head) >= c.after() {
			c = l.chunkOf(wire.Offset(head))
		}
		entry := c.entry(int(wire.Offset(head) - c.first))
		if int64(tail-head+1) <= l.retention.Messages && l.bytes <= l.retention.Bytes && recordTime(entry) >= oldest {
			break
		}
		l.forget(entry, wire.Offset(head))
		l.bytes -= int64(len(entry))
		head++
	}
	l.moveHead(wire.Offset(head))
	if l.retention.narrow() {
		l.narrowWindow(now)
	}
}

// trimWarm drops what exceeds the retention of a log with a store, as far as memory tells: the store finds the rest. The
// caller holds the mutex.
func (l *Log) trimWarm(oldest int64) {
	tail := l.Tail()
	begin := max(l.Head(), l.warm())
	head := begin
	for ; head <= tail; head++ {
		c := l.chunkOf(head)
		entry := c.entry(int(head - c.first))
		if int64(tail-head+1) <= l.retention.Messages && l.bytes <= l.retention.Bytes && recordTime(entry) >= oldest {
			break
		}
		l.bytes -= int64(len(entry))
	}
	if head == begin { // everything in memory is kept, and so of what is older as many as may be
		head = tail + 1 - min(wire.Offset(l.retention.Messages), tail)
	}
	if head > l.Head() {
		l.moveHead(head)
	}
	for l.bytes > maxWarmBytes && len(*l.chunks.Load()) > 1 {
		l.sink()
	}
}

// narrowWindow forgets the ids of entries that outlive them. The caller holds the mutex.
func (l *Log) narrowWindow(now time.Time) {
	w := l.retention.Window
	oldest := now.Add(-w.Age).UnixMilli()
	tail := wire.Offset(l.tail.Load())
	l.window = max(l.window, wire.Offset(l.head.Load()))
	for l.window <= tail {
		c := l.chunkOf(l.window)
		entry := c.entry(int(l.window - c.first))
		tooMany := w.Messages > 0 && int64(tail-l.window+1) > w.Messages
		if !tooMany && (w.Age <= 0 || recordTime(entry) >= oldest) {
			return
		}
		l.forget(entry, l.window)
		l.window++
	}
}

// moveHead makes head the oldest readable offset and lets go of the chunks before it.
func (l *Log) moveHead(head wire.Offset) {
	l.head.Store(uint64(head))
	list := *l.chunks.Load()
	n := 0
	for n < len(list) && list[n].after() <= head && (n < len(list)-1 || uint64(head) > l.tail.Load()) {
		l.release(list[n])
		n++
	}
	if n > 0 {
		rest := append([]*chunk(nil), list[n:]...)
		l.chunks.Store(&rest)
	}
	l.dropPages(func(c *chunk) bool { return c.after() <= head })
	l.forgetNewest(head)
}

func (l *Log) release(c *chunk) {
	l.charge(-c.cost())
	c.released.Store(true)
	for f := range FormatID(MaxFormats) {
		if v := c.views[f].Load(); v != nil {
			l.dropView(c, f, v)
		}
	}
}

// DropOldest takes the log's oldest chunk from memory, whatever the retention says, and reports whether there was one. Unless
// the log has a store, its entries are given up.
func (l *Log) DropOldest() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := *l.chunks.Load()
	if len(list) == 0 {
		return false
	}
	if l.store != nil {
		l.sink()
		l.relieveNewest()
	} else {
		l.dropChunk(list[0])
	}
	return true
}

func (l *Log) dropAll() {
	l.dropPages(func(*chunk) bool { return true })
	l.forgetAll()
	l.forgetNewest(l.Tail() + 1)
	for _, c := range *l.chunks.Load() {
		l.dropChunk(c)
	}
}

func (l *Log) dropChunk(c *chunk) {
	after := c.after()
	head := max(l.Head(), c.first)
	for ; head < after; head++ {
		entry := c.entry(int(head - c.first))
		l.forget(entry, head)
		l.bytes -= int64(len(entry))
	}
	l.moveHead(max(head, after))
}

// Sweep does what time alone asks for: it drops the entries that are too old, and the views that nobody has read
// since the last sweep. It returns since when nothing was appended and nobody watched; the zero time when somebody
// watches now.
func (l *Log) Sweep() (idleSince time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.trim(l.space.now())
	for _, c := range *l.chunks.Load() {
		for f := range FormatID(MaxFormats) {
			if v := c.views[f].Load(); v != nil && !v.used.Swap(false) {
				l.dropView(c, f, v)
			}
		}
	}
	if len(l.watching()) > 0 {
		return time.Time{}
	}
	return l.touched
}

// SetRetention changes what is kept, and drops what exceeds it now.
func (l *Log) SetRetention(r Retention) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.retention = r
	l.trim(l.space.now())
}
