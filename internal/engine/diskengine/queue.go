package diskengine

import (
	"sync"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// request is an append on its way, or a range of a channel that is to be dropped.
type request struct {
	topic   *topic
	entries []channel.Entry
	size    int // bytes of the entries
	done    func(wire.Epoch, []channel.Placed, error)

	placed []channel.Placed // the committer's

	drop bool        // drop what is before keep, instead of appending
	keep wire.Offset // with drop
}

// newRequest copies the records.
func newRequest(t *topic, records []channel.Record, done func(wire.Epoch, []channel.Placed, error)) *request {
	bound := 0
	for i := range records {
		bound += channel.EntrySize(&records[i])
	}
	buf := make([]byte, 0, bound)
	r := &request{topic: t, done: done, entries: make([]channel.Entry, len(records)), placed: make([]channel.Placed, 0, len(records))}
	for i := range records {
		start := len(buf)
		buf = channel.AppendEntry(buf, &records[i])
		r.entries[i] = channel.Entry(buf[start:len(buf):len(buf)])
	}
	r.size = len(buf)
	return r
}

// queue holds requests until the committer takes them, and while it has them. Safe for concurrent use.
type queue struct {
	mu       sync.Mutex // guards the fields below
	changed  *sync.Cond // of mu: pending or closed changed
	pending  []*request
	underWay []*request // the committer's group
	bytes    int        // reserved by whoever waits, also for a channel to be loaded
	closed   bool
	failed   bool
}

func newQueue() *queue {
	q := &queue{}
	q.changed = sync.NewCond(&q.mu)
	return q
}

// reserve reports whether size bytes more may wait.
func (q *queue) reserve(size int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.bytes+size > queueBytes && q.bytes > 0 {
		return false
	}
	q.bytes += size
	return true
}

// release takes back what was reserved.
func (q *queue) release(size int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.bytes -= size
}

// push adds requests; false means that nothing is taken any more.
func (q *queue) push(rs ...*request) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || q.failed {
		return false
	}
	q.pending = append(q.pending, rs...)
	q.changed.Signal()
	return true
}

// take waits for requests and returns what is to be committed together; nil means that the queue was closed and is
// empty, or that the store has failed. landed is to follow.
func (q *queue) take() []*request {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.pending) == 0 && !q.closed && !q.failed {
		q.changed.Wait()
	}
	if q.failed {
		return nil
	}
	n, bytes := 0, 0
	for n < len(q.pending) && n < groupRequests && (n == 0 || bytes+q.pending[n].size <= groupBytes) {
		bytes += q.pending[n].size
		n++
	}
	if n == 0 {
		return nil
	}
	q.underWay = q.pending[:n:n]
	q.pending = q.pending[n:]
	if len(q.pending) == 0 {
		q.pending = nil
	}
	return q.underWay
}

// landed ends what take began, and reports whether the group is still the committer's to answer.
func (q *queue) landed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.failed {
		return false
	}
	for _, r := range q.underWay {
		q.bytes -= r.size
	}
	q.underWay = nil
	return true
}

// close lets the committer end when it has taken everything.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.changed.Broadcast()
}

// fail ends the queue at once, and returns what is to be answered with the reason.
func (q *queue) fail() []*request {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.failed = true
	left := append(q.underWay, q.pending...)
	q.underWay, q.pending = nil, nil
	q.changed.Broadcast()
	return left
}
