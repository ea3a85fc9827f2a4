package channel

import (
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// Numbering is where a log goes on that an engine brings back.
type Numbering struct {
	Epoch   wire.Epoch
	Head    wire.Offset // the oldest entry that the store has; 0: none before the next that is added
	Before  wire.Offset // the next entry added gets the offset behind this
	Damaged wire.Offset // entries up to here were lost to damage, and a gap over them says so; 0: none were
	Last    int64       // the time of the newest entry there ever was, in milliseconds since 1970
	Created int64       // when the channel was made, in milliseconds since 1970; 0: not known
}

// RestoreLog returns a log with nothing in memory, whose numbering goes on where n says; [Log.Recall] and [Log.Add] fill it.
// What leaves memory again is read from the store.
func (s *Space) RestoreLog(name wire.ChannelName, store Store, n Numbering, retention Retention) *Log {
	l := s.NewLog(name, n.Epoch, retention)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.store = store
	l.head.Store(uint64(n.Before) + 1)
	if n.Head > 0 {
		l.head.Store(uint64(min(n.Head, n.Before+1)))
	}
	l.tail.Store(uint64(n.Before))
	l.damaged.Store(uint64(n.Damaged))
	l.lastTime, l.created = n.Last, n.Created
	if l.newest != nil {
		l.newest.from = n.Before + 1
	}
	return l
}

// Recall puts the messageId of an entry that stays in the store into the idempotency window, and its key into the index of
// the newest. Entries are recalled in
// their order, before any is added.
func (l *Log) Recall(offset wire.Offset, e Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.note(offset, e)
}

// note remembers the messageId and the key of an entry, where they are asked for. The caller holds the mutex.
func (l *Log) note(offset wire.Offset, e Entry) {
	if l.newest != nil {
		l.noteNewest(e.Key(), offset)
	}
	publisher, id := e.Identity()
	if id == "" {
		return
	}
	l.remember(l.dedup.key(publisher, id), offset)
	if l.store != nil {
		l.enlist(publisher, id, offset, e.Time())
	}
}

// Add appends entries as they are, each at the offset behind the one before, and notifies the watches once. It is for
// engines that number entries themselves, keep them elsewhere first, and have found the duplicates with [Log.Find].
func (l *Log) Add(entries []Entry) error {
	if len(entries) == 0 {
		return nil
	}
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return ErrClosed
	}
	now := l.space.now()
	l.touched = now
	for _, e := range entries {
		l.addOne(e)
	}
	l.trim(now)
	l.mu.Unlock()
	l.notify()
	return nil
}

func (l *Log) addOne(e Entry) {
	offset := wire.Offset(l.tail.Load() + 1)
	l.chunkWithRoom(offset, len(e)).add(e)
	l.bytes += int64(len(e))
	l.lastTime = max(l.lastTime, e.Time())
	l.note(offset, e)
	l.tail.Store(uint64(offset))
}

// Find returns the offset at which the idempotency window has publisher's messageID, or 0.
func (l *Log) Find(publisher, messageID string) wire.Offset {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.find(l.dedup.key(publisher, messageID), publisher, messageID)
}

// Now is the time for an entry that is to be added next: never before that of the newest.
func (l *Log) Now() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := l.space.now(); now.UnixMilli() > l.lastTime {
		return now
	}
	return time.UnixMilli(l.lastTime)
}

// Unload closes the log unless somebody watches it, whatever it holds, and reports whether it is closed now. It is for
// engines that can bring it back.
func (l *Log) Unload() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.watching()) > 0 {
		return false
	}
	l.close()
	return true
}
