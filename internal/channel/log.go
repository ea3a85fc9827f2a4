package channel

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// ErrClosed tells that a log was evicted while it was about to be used: open the channel again.
var ErrClosed = errors.New("channel: log is closed")

// Log is one channel's log. It is safe for concurrent use: appending and trimming take its mutex, reading takes no
// lock.
type Log struct {
	space *Space
	name  wire.ChannelName
	epoch wire.Epoch

	created int64 // milliseconds since 1970; 0: not known. Set once

	newest *newest // of each key; nil when nobody needs it. Set once

	store Store // of the entries that have left memory; nil when they are gone then. Set once

	head   atomic.Uint64 // the oldest readable offset; tail+1 when nothing is kept
	tail   atomic.Uint64 // the newest readable offset; 0 before the first
	cost   atomic.Int64  // bytes charged to the budget
	chunks atomic.Pointer[[]*chunk]
	pages  atomic.Pointer[[]*chunk] // fetched from the store; before the chunks, in order, with holes

	damaged atomic.Uint64 // entries up to here were lost to damage

	watches atomic.Pointer[[]*Watch]

	deriving sync.Mutex          // guards derived; taken before mu
	derived  map[string]*Derived // by their filters; nil where there are none

	mu        sync.Mutex // guards the fields below, and every write to the atomics above but cost
	retention Retention
	bytes     int64 // of the entries kept in chunks
	lastTime  int64 // timestamp of the newest entry
	dedup     dedup
	window    wire.Offset // ids before it are forgotten, where they are forgotten before their entries
	touched   time.Time   // last append, or end of a watch
	closed    bool
}

// Placed tells where an appended record stands.
type Placed struct {
	Offset    wire.Offset
	Duplicate bool // it was there already
}

// logOverhead is what an empty log costs: the struct, its name and its place in the engine's map.
var logOverhead = int(unsafe.Sizeof(Log{})) + 128

// NewLog returns an empty log whose numbering is called epoch.
func (s *Space) NewLog(name wire.ChannelName, epoch wire.Epoch, retention Retention) *Log {
	l := &Log{space: s, name: name, epoch: epoch, retention: retention, touched: s.now()}
	l.created = l.touched.UnixMilli()
	l.head.Store(1)
	l.chunks.Store(new([]*chunk))
	l.pages.Store(new([]*chunk))
	if retention.Newest {
		l.newest = &newest{offsets: make(map[string]wire.Offset), from: 1}
	}
	l.charge(l.ownCost())
	return l
}

// Name returns the channel's name.
func (l *Log) Name() wire.ChannelName { return l.name }

// Epoch returns the name of the numbering.
func (l *Log) Epoch() wire.Epoch { return l.epoch }

// Head returns the oldest readable offset, Tail()+1 when there is none.
func (l *Log) Head() wire.Offset { return wire.Offset(l.head.Load()) }

// Tail returns the newest readable offset, 0 before the first.
func (l *Log) Tail() wire.Offset { return wire.Offset(l.tail.Load()) }

// Cost returns the bytes that the log charges to the budget.
func (l *Log) Cost() int64 { return l.cost.Load() }

// Append appends the records in their order and appends to placed where each of them stands. Those whose publisher
// and messageId are retained already are not appended again. Watches are notified once.
func (l *Log) Append(records []Record, placed []Placed) ([]Placed, error) {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return placed, ErrClosed
	}
	now := l.space.now()
	l.touched = now
	l.lastTime = max(l.lastTime, now.UnixMilli())
	before := l.tail.Load()
	for i := range records {
		placed = append(placed, l.appendOne(&records[i]))
	}
	l.trim(now)
	moved := l.tail.Load() != before
	l.mu.Unlock()
	if moved {
		l.notify()
	}
	return placed, nil
}

func (l *Log) appendOne(r *Record) Placed {
	var key uint64
	if r.MessageID != "" {
		key = l.dedup.key(r.Publisher, r.MessageID)
		if offset := l.find(key, r.Publisher, r.MessageID); offset != 0 {
			return Placed{Offset: offset, Duplicate: true}
		}
	}
	offset := wire.Offset(l.tail.Load() + 1)
	size := l.chunkWithRoom(offset, recordSize(r)).append(r, l.lastTime)
	l.bytes += int64(size)
	if key != 0 {
		l.remember(key, offset)
	}
	if l.newest != nil {
		l.noteNewest(r.Key, offset)
	}
	l.tail.Store(uint64(offset))
	return Placed{Offset: offset}
}

// chunkWithRoom returns the last chunk, or a new one behind it.
func (l *Log) chunkWithRoom(offset wire.Offset, need int) *chunk {
	list := *l.chunks.Load()
	size := minChunkBytes
	if n := len(list); n > 0 {
		last := list[n-1]
		if last.room(need) {
			return last
		}
		size = min(2*len(last.data), maxChunkBytes)
	}
	c := newChunk(offset, size, need)
	l.charge(c.cost())
	grown := make([]*chunk, len(list)+1)
	copy(grown, list)
	grown[len(list)] = c
	l.chunks.Store(&grown)
	return c
}

// chunkOf returns the chunk or page that holds offset, or nil when it is not in memory.
func (l *Log) chunkOf(offset wire.Offset) *chunk {
	if c := holder(*l.chunks.Load(), offset); c != nil || l.store == nil {
		return c
	}
	return holder(*l.pages.Load(), offset)
}

func holder(list []*chunk, offset wire.Offset) *chunk {
	// The newest chunk is what nearly every reader wants.
	lo, hi := 0, len(list)
	if hi > 0 && list[hi-1].first <= offset {
		lo = hi - 1
	}
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		switch c := list[mid]; {
		case offset < c.first:
			hi = mid
		case offset >= c.after():
			lo = mid + 1
		default:
			return c
		}
	}
	return nil
}

// Close evicts the log when nobody watches it and it holds no entry, or when force is set. It reports whether the
// log is closed now. A closed log refuses appends and watches.
func (l *Log) Close(force bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed && !force && (len(l.watching()) > 0 || l.head.Load() <= l.tail.Load()) {
		return false
	}
	l.close()
	return true
}

// Expire evicts the log, whatever it holds, when nobody watches it and nobody has used it since the given time. It reports
// whether the log is closed now.
func (l *Log) Expire(unused time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed && (len(l.watching()) > 0 || !l.touched.Before(unused)) {
		return false
	}
	l.close()
	return true
}

// Touched is when somebody used the log last: an append, or the end of a watch.
func (l *Log) Touched() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.touched
}

// close evicts the log. The caller holds the mutex.
func (l *Log) close() {
	if l.closed {
		return
	}
	l.dropAll()
	l.closed = true
	// Only what is the log's own: a view that a reader makes at this moment is charged and given back by that reader.
	l.charge(-l.ownCost())
}

// ownCost is what the log charges beside its chunks, views and message ids.
func (l *Log) ownCost() int { return logOverhead + len(l.name) }

func (l *Log) charge(n int) {
	l.cost.Add(int64(n))
	l.space.budget.Charge(n)
}
