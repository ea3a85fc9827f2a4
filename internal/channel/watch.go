package channel

import (
	"slices"
	"sync/atomic"
)

// Watch is one interest in a log's tail, such as that of all subscribers on one event loop. When the tail moves,
// notify is called once; not again until [Watch.Clear]. Clear first and read then, and no movement is missed.
type Watch struct {
	notify func(*Watch)
	dirty  atomic.Bool
}

// NewWatch returns a watch; notify is called on the appender's goroutine and must not block.
func NewWatch(notify func(*Watch)) *Watch { return &Watch{notify: notify} }

// Clear makes the watch ready to be notified again.
func (w *Watch) Clear() { w.dirty.Store(false) }

// Notify marks the watch as a moved tail would.
func (w *Watch) Notify() {
	if !w.dirty.Swap(true) {
		w.notify(w)
	}
}

// Watch adds w to the log. It reports false when the log has been closed; a fresh one must be opened then.
func (l *Log) Watch(w *Watch) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	watches := append(slices.Clone(l.watching()), w)
	l.watches.Store(&watches)
	return true
}

// Unwatch takes w from the log. A notification already under way may still arrive.
func (l *Log) Unwatch(w *Watch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	watches := slices.DeleteFunc(slices.Clone(l.watching()), func(other *Watch) bool { return other == w })
	l.watches.Store(&watches)
	l.touched = l.space.now()
}

func (l *Log) watching() []*Watch {
	if p := l.watches.Load(); p != nil {
		return *p
	}
	return nil
}

func (l *Log) notify() {
	for _, w := range l.watching() {
		w.Notify()
	}
}
