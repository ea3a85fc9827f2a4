package diskengine

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/engine"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// load brings a channel into memory, or makes it, and lets those go on who wait for it.
func (e *Engine) load(t *topic) {
	for done := false; !done; {
		done = e.finish(t, e.restore(t))
	}
}

// finish ends the loading of t, and reports whether it could: somebody may want the channel meanwhile who may make it.
func (e *Engine) finish(t *topic, err error) bool {
	t.unmade = errors.Is(err, errUnmade)
	switch refused, ok := errors.AsType[*wire.Error](err); {
	case t.unmade:
		t.err = engine.Unmade(t.name)
	case ok:
		t.err = refused
	case err != nil:
		e.opts.Logger.Error("a channel cannot be read from the store", "channel", t.name, "error", err)
		t.err = wire.Errorf(wire.CodeDataLoss, "channel %q cannot be read from the store on disk: %v", t.name, err)
	}
	return e.topics.finish(t, e.Appeared, func(waiting []*request) {
		if t.err == nil && e.queue.push(waiting...) {
			return
		}
		reason := t.err
		if reason == nil {
			reason = e.refusal()
		}
		go e.refuse(waiting, reason) // not below the mutex
	})
}

// errUnmade tells that there is no such channel, and that none of those who want it may make it.
var errUnmade = errors.New("diskengine: the channel is not made by use")

func (e *Engine) restore(t *topic) error {
	retention := e.opts.Retention(t.name)
	given := e.opts.Policy(t.name).Given && !e.topics.mayCreate(t)
	if t.level == Memory && given {
		return errUnmade
	}
	if t.level == Memory { // whatever the disk has of it is of a time when it was not
		t.log, t.fresh = e.opts.Space.NewLog(t.name, engine.NewEpoch(), retention), true
		return nil
	}
	id, found, err := e.lookUp(t.name)
	if err != nil {
		return err
	}
	if !found {
		if given {
			return errUnmade
		}
		if !e.relieve() {
			return wire.Errorf(wire.CodeResourceExhausted,
				"the gateway's memory for channels is spent, so no new channel can be made: raise memory.log_bytes, or use fewer channels")
		}
		t.id, t.fresh = e.lastID.Add(1), true
		t.meta = meta{epoch: engine.NewEpoch(), name: t.name}
		t.made = e.opts.Space.Now().UnixMilli()
		t.log = e.opts.Space.RestoreLog(t.name, below{e, t}, channel.Numbering{Epoch: t.meta.epoch, Created: t.made}, retention)
		return nil
	}
	t.id = id
	r, err := e.readBack(t, retention)
	if err != nil {
		return err
	}
	t.sum.Store(t.meta.sum)
	t.log = e.opts.Space.RestoreLog(t.name, below{e, t}, channel.Numbering{
		Epoch:   t.meta.epoch,
		Head:    r.head,
		Before:  r.warm - 1,
		Damaged: r.damaged,
		Last:    t.meta.time,
		Created: e.created(id),
	}, retention)
	e.loads.Add(1)
	return e.fill(t, r)
}

// fill puts into the log what the window and memory are to have of the records.
func (e *Engine) fill(t *topic, r loaded) error {
	it, err := e.db.NewIter(&pebble.IterOptions{LowerBound: recordKey(t.id, min(r.window, r.warm)), UpperBound: recordKey(t.id, t.meta.tail+1)})
	if err != nil {
		return err
	}
	defer it.Close() //nolint:errcheck // what it would say is asked for below
	var warm []channel.Entry
	for valid := it.First(); valid; valid = it.Next() {
		rec, err := parseRecord(it.Key(), it.Value())
		switch {
		case err != nil:
			return err // it could be read a moment ago
		case rec.offset < r.warm:
			t.log.Recall(rec.offset, rec.entry)
		default:
			warm = append(warm, bytes.Clone(rec.entry))
		}
	}
	if err := it.Error(); err != nil {
		return err
	}
	return t.log.Add(warm)
}

// lookUp finds a channel's id.
func (e *Engine) lookUp(name wire.ChannelName) (id uint64, found bool, err error) {
	value, err := e.get(nameKey(name))
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, false, nil
	}
	if err == nil && len(value) != 8 {
		err = errDamaged
	}
	if err != nil {
		return 0, false, fmt.Errorf("look up the channel: %w", err)
	}
	key := append([]byte{prefixMeta}, value...)
	return recordID(key), true, nil
}

// get returns a copy of the value under key.
func (e *Engine) get(key []byte) ([]byte, error) {
	value, closer, err := e.db.Get(key)
	if err != nil {
		return nil, err
	}
	value = bytes.Clone(value)
	return value, closer.Close()
}

// loaded is what was found of a channel: head <= window, warm <= tail+1.
type loaded struct {
	head    wire.Offset // the oldest record that is kept
	window  wire.Offset // the oldest whose messageId is remembered
	warm    wire.Offset // the oldest that memory has at first
	damaged wire.Offset // the newest that could not be read; 0: there was none
}

// readBack reads the meta of t and its newest records, back to what the retention keeps or to damage.
func (e *Engine) readBack(t *topic, retention channel.Retention) (r loaded, err error) {
	newEpoch := false
	value, err := e.get(metaKey(t.id))
	if err == nil {
		t.meta, err = parseMeta(value)
	}
	if err != nil {
		e.opts.Logger.Error("the numbering of a channel is damaged, so it goes on under a new epoch", "channel", t.name, "error", err)
		t.meta, newEpoch = meta{name: t.name}, true
	}
	newEpoch = newEpoch || e.incarnation.lost(t.meta.written)
	known, err := e.readNewest(t, retention, &r)
	if err != nil {
		return r, err
	}
	t.stored = t.meta.written == e.incarnation.number || t.level == Synced && t.meta.written == 0
	if !newEpoch && known {
		return r, nil
	}
	t.meta.epoch, t.meta.written = engine.NewEpoch(), 0
	t.stored = t.level == Synced
	batch := e.db.NewBatch()
	defer batch.Close() //nolint:errcheck // it only gives memory back
	if !known {
		_ = batch.DeleteRange(recordKey(t.id, 0), recordKey(t.id+1, 0), nil)
	}
	_ = batch.Set(metaKey(t.id), t.meta.append(nil), nil)
	return r, e.apply(batch, true)
}

// readNewest reads from the newest record back, as far as memory and the idempotency window reach. known is false when
// damage hides which is the newest.
func (e *Engine) readNewest(t *topic, retention channel.Retention, r *loaded) (known bool, err error) {
	it, err := e.records(t.id)
	if err != nil {
		return false, err
	}
	defer it.Close() //nolint:errcheck // what it would say was asked for below
	b := newBounds(retention, e.opts.Space.Now())
	next := wire.Offset(0) // the oldest that was read
	rest := false          // there may be more to keep than is read here
	for it.Last(); it.Valid(); it.Prev() {
		rec, err := parseRecord(it.Key(), it.Value())
		offset := recordOffset(it.Key())
		if next == 0 {
			t.meta.tail = max(t.meta.tail, offset)
			next = t.meta.tail + 1
			r.head, r.window, r.warm = next, next, next
		}
		if err != nil || offset != next-1 {
			r.damaged = next - 1
			e.opts.Logger.Error("a record in the store is damaged: older ones of its channel are given up",
				"channel", t.name, "offset", r.damaged, "error", err)
			break
		}
		if offset == t.meta.tail {
			t.meta.sum, t.meta.time = rec.sum, rec.entry.Time()
		}
		kept, window, warm := b.take(rec.entry)
		if !kept {
			break
		}
		next = offset
		r.head = offset
		if window {
			r.window = offset
		}
		if warm {
			r.warm = offset
		}
		if rest = !window && !warm; rest {
			break
		}
	}
	if next == 0 {
		next = t.meta.tail + 1
		r.head, r.window, r.warm = next, next, next
	}
	switch err := it.Error(); {
	case err == nil && rest:
		return true, e.findHead(t, retention, r)
	case err == nil:
		return true, nil
	case !pebble.IsCorruptionError(err):
		return false, err
	default:
		r.damaged = next - 1
		e.opts.Logger.Error("a part of the store is damaged: a channel is read from behind it only",
			"channel", t.name, "offset", r.damaged, "error", err)
		return next <= t.meta.tail, nil
	}
}

// findHead finds where the retention begins in what memory does not have.
func (e *Engine) findHead(t *topic, retention channel.Retention, r *loaded) error {
	s, err := e.span(t.id, retention)
	switch {
	case err == nil:
		r.head = min(s.keep, r.head)
	case pebble.IsCorruptionError(err) || errors.Is(err, errDamaged):
		r.damaged = r.head - 1
		e.opts.Logger.Error("a part of the store is damaged: a channel is read from behind it only",
			"channel", t.name, "offset", r.damaged, "error", err)
	default:
		return err
	}
	return nil
}

// bounds tells, from the newest record back, what is kept of a channel and where.
type bounds struct {
	retention    channel.Retention
	oldest       int64 // of what is kept
	windowOldest int64 // of the ids that are remembered
	count, bytes int64
}

func newBounds(r channel.Retention, now time.Time) *bounds {
	b := &bounds{retention: r, oldest: now.Add(-r.Age).UnixMilli(), windowOldest: math.MinInt64}
	if r.Window.Age > 0 {
		b.windowOldest = now.Add(-r.Window.Age).UnixMilli()
	}
	return b
}

// take looks at the next older entry: whether it is kept, its messageId remembered, and memory to have it at first.
func (b *bounds) take(e channel.Entry) (kept, window, warm bool) {
	b.count++
	b.bytes += int64(len(e))
	r := &b.retention
	kept = b.count <= r.Messages && b.bytes <= r.Bytes && e.Time() >= b.oldest
	window = (r.Window.Messages <= 0 || b.count <= r.Window.Messages) && e.Time() >= b.windowOldest
	return kept, window, b.bytes <= warmBytes || b.count == 1
}

// records returns an iterator over a channel's records.
func (e *Engine) records(id uint64) (*pebble.Iterator, error) {
	return e.db.NewIter(&pebble.IterOptions{LowerBound: recordKey(id, 0), UpperBound: recordKey(id+1, 0)})
}
