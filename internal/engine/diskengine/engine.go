package diskengine

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/engine"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// Engine keeps channels on disk. Make one with [Open]. Safe for concurrent use.
type Engine struct {
	engine.Herald

	opts        Options
	db          *pebble.DB
	gate        *gate
	health      *health
	incarnation incarnation
	tally       *tally // the committer's
	topics      *topics
	queue       *queue
	work        *workPool
	pages       *pages
	lastID      atomic.Uint64 // of channels
	loads       atomic.Int64  // channels read back since the start
	relieved    atomic.Int64  // chunks dropped from memory because the budget was spent
	overMax     atomic.Bool   // the directory is larger than it may be
	diskBytes   atomic.Int64  // of the directory, when last looked

	listing chan struct{} // one place, for whoever lists channels

	sweepAt []byte // the sweeper's: the meta key to go on from
	left    *departures
	relief  engine.Relief

	stop      chan struct{}
	sweeping  sync.WaitGroup
	committer sync.WaitGroup
}

var (
	_ engine.Engine    = (*Engine)(nil)
	_ engine.Preparer  = (*Engine)(nil)
	_ engine.Lister    = (*Engine)(nil)
	_ engine.Announcer = (*Engine)(nil)
	_ engine.Refresher = (*Engine)(nil)
)

// Append implements [engine.Engine].
func (e *Engine) Append(name wire.ChannelName, records []channel.Record, done func(wire.Epoch, []channel.Placed, error)) {
	if err := e.health.err(); err != nil {
		done("", nil, err)
		return
	}
	e.relieve()
	t := e.pin(name, len(records) > 0 && records[0].Create)
	if t.level == Memory {
		e.appendInMemory(t, records, done)
		return
	}
	if err := e.refusal(); err != nil {
		e.topics.unpin(t)
		done("", nil, err)
		return
	}
	r := newRequest(t, records, done)
	if !e.queue.reserve(r.size) {
		e.topics.unpin(t)
		done("", nil, wire.Errorf(wire.CodeResourceExhausted, "more is published than the disk takes: publish again in a while"))
		return
	}
	if e.topics.park(r) {
		return
	}
	if t.err != nil { // it was loaded in vain meanwhile
		e.refuse([]*request{r}, t.err)
		return
	}
	if !e.queue.push(r) {
		e.refuse([]*request{r}, e.refusal())
	}
}

// appendInMemory is for channels that promise nothing.
func (e *Engine) appendInMemory(t *topic, records []channel.Record, done func(wire.Epoch, []channel.Placed, error)) {
	if t.err != nil {
		e.topics.unpin(t)
		done("", nil, t.err)
		return
	}
	placed, _ := t.log.Append(records, make([]channel.Placed, 0, len(records))) // pinned, and so not closed
	e.topics.unpin(t)
	done(t.log.Epoch(), placed, nil)
}

// Prepare implements [engine.Preparer].
func (e *Engine) Prepare(name wire.ChannelName, ready func()) bool {
	t := e.pin(name, false)
	select {
	case <-t.ready:
		e.topics.unpin(t)
		return true
	default:
	}
	go func() {
		select {
		case <-t.ready:
		case <-e.health.ended: // nobody loads it any more
		}
		ready()
		e.topics.unpin(t)
	}()
	return false
}

// Watch implements [engine.Engine]. It waits for the disk when the channel is not in memory.
func (e *Engine) Watch(name wire.ChannelName, w *channel.Watch) (*channel.Log, error) {
	t := e.pin(name, false)
	defer e.topics.unpin(t)
	select {
	case <-t.ready:
	default:
		if err := e.health.err(); err != nil {
			return nil, err
		}
		select {
		case <-t.ready:
		case <-e.health.ended: // nobody loads it any more
			return nil, e.refusal()
		}
	}
	if t.err != nil {
		return nil, t.err
	}
	t.log.Watch(w) // it is pinned, and so not closed
	return t.log, nil
}

// pin returns the topic, which is loaded, or will be. create says that it may be made.
func (e *Engine) pin(name wire.ChannelName, create bool) *topic {
	t, fresh := e.topics.pin(name, e.opts.Level, create)
	switch {
	case !fresh:
	case t.level == Memory:
		e.load(t)
	default:
		e.work.do(func() { e.load(t) })
	}
	if t.level == Memory {
		<-t.ready // soon: it is read from nowhere
	}
	return t
}

// refusal is why nothing can be appended now, or nil.
func (e *Engine) refusal() error {
	if err := e.health.err(); err != nil {
		return err
	}
	switch {
	case e.gate.isFull():
		return wire.Errorf(wire.CodeUnavailable, "the gateway's disk is full, and takes messages again when there is room")
	case e.overMax.Load():
		return wire.Errorf(wire.CodeResourceExhausted,
			"the messages kept on the gateway's disk have reached disk.max_bytes: shorten the retention, or raise it")
	}
	return nil
}

// refuse answers requests that are not committed.
func (e *Engine) refuse(requests []*request, reason error) {
	if reason == nil {
		reason = wire.Errorf(wire.CodeUnavailable, "the store on disk is being closed")
	}
	for _, r := range requests {
		e.queue.release(r.size)
		e.topics.unpin(r.topic)
		if r.done != nil {
			r.done("", nil, reason)
		}
	}
}

// failed answers everything that waits for a store that has failed.
func (e *Engine) failed() {
	left := append(e.queue.fail(), e.topics.abandon()...)
	// Some of it was under way and may be found written after a restart; a messageId makes a retry safe.
	go e.refuse(left, e.health.err())
}

// Stats implements [engine.Engine].
func (e *Engine) Stats() engine.Stats {
	budget := e.opts.Space.Budget()
	return engine.Stats{
		Channels:    e.topics.count(),
		MemoryBytes: budget.Used(),
		MemoryLimit: max(budget.Limit(), 0),
		Relieved:    e.relieved.Load(),
		DiskBytes:   e.diskBytes.Load(),
		Loads:       e.loads.Load(),
		Pages:       e.pages.fetched.Load(),
	}
}

// Close implements [engine.Engine]: what was appended is written, and the store notes that it was closed. A store that
// has failed is left as it is.
func (e *Engine) Close(ctx context.Context) error {
	close(e.stop)
	e.gate.giveUp() // a disk that is full now is full for good
	ended := make(chan error, 1)
	go func() {
		e.sweeping.Wait()
		e.work.close()
		e.queue.close()
		e.committer.Wait()
		if err := e.health.err(); err != nil {
			ended <- err
			return
		}
		in := e.incarnation
		in.closed = true
		ended <- errors.Join(e.put(incarnationKey(), in.append(nil)), e.db.Close(), e.tally.close())
	}()
	select {
	case err := <-ended:
		return err
	case <-e.health.ended:
		return e.health.err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// put writes one value, and syncs it.
func (e *Engine) put(key, value []byte) error {
	batch := e.db.NewBatch()
	defer batch.Close() //nolint:errcheck // it only gives memory back
	_ = batch.Set(key, value, nil)
	return e.apply(batch, true)
}
