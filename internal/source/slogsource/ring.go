package slogsource

import (
	"bytes"
	"crypto/rand"
	"strconv"
	"sync"
	"time"

	"github.com/magpie-bridge/magpie/internal/logs"
	"github.com/magpie-bridge/magpie/internal/source"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// The limits of what waits to be published.
const (
	defaultRecords = 4096
	maxWaiting     = 4 << 20 // bytes
)

// ring holds what waits to be published. When it is full, the oldest gives way and is counted.
type ring struct {
	ready chan struct{} // has a token when something was put in

	mu      sync.Mutex // guards the fields below
	slots   []wire.Publication
	first   int // slots[first] is the oldest
	count   int
	bytes   int
	dropped int64  // since pop told of it last
	prefix  string // begins the message ids; a program that is started again must not use the same ones
	number  uint64 // of the last id
}

func newRing(records int) *ring {
	return &ring{
		ready:  make(chan struct{}, 1),
		slots:  make([]wire.Publication, records),
		prefix: "m" + rand.Text()[:16] + "-",
	}
}

// Write takes one line of slog's JSON handler.
func (r *ring) Write(line []byte) (int, error) {
	record := parse(bytes.TrimRight(line, "\n"))
	r.push(&record)
	return len(line), nil
}

func (r *ring) push(record *logs.Record) {
	data := record.AppendJSON(nil)
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.count == len(r.slots) || r.count > 0 && r.bytes+len(data) > maxWaiting {
		r.take()
		r.dropped++
	}
	r.slots[(r.first+r.count)%len(r.slots)] = r.publication(record, data)
	r.count++
	r.bytes += len(data)
	select {
	case r.ready <- struct{}{}:
	default:
	}
}

// pop takes the oldest, and tells how many were dropped before it.
func (r *ring) pop() (pub wire.Publication, dropped int64, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	dropped, r.dropped = r.dropped, 0
	if r.count == 0 {
		return wire.Publication{}, dropped, false
	}
	return r.take(), dropped, true
}

// take removes the oldest. The caller holds mu.
func (r *ring) take() wire.Publication {
	pub := r.slots[r.first]
	r.slots[r.first] = wire.Publication{}
	r.first = (r.first + 1) % len(r.slots)
	r.count--
	r.bytes -= len(pub.Payload.Bytes)
	return pub
}

// dropNotice makes the message that tells of dropped records.
func (r *ring) dropNotice(dropped int64) wire.Publication {
	record := dropRecord(dropped, time.Now())
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.publication(&record, record.AppendJSON(nil))
}

// publication gives a record its id. The caller holds mu.
func (r *ring) publication(record *logs.Record, data []byte) wire.Publication {
	r.number++
	return source.Publication(r.prefix+strconv.FormatUint(r.number, 16), record, data)
}
