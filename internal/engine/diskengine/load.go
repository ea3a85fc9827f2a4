package diskengine

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/engine"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// load brings a channel into memory, or makes it, and lets those go on who wait for it.
func (e *Engine) load(t *topic) {
	err := e.restore(t)
	switch refused, ok := errors.AsType[*wire.Error](err); {
	case ok:
		t.err = refused
	case err != nil:
		e.opts.Logger.Error("a channel cannot be read from the store", "channel", t.name, "error", err)
		t.err = wire.Errorf(wire.CodeDataLoss, "channel %q cannot be read from the store on disk: %v", t.name, err)
	}
	e.topics.finish(t, func(waiting []*request) {
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

func (e *Engine) restore(t *topic) error {
	retention := e.opts.Retention(t.name)
	if t.level == Memory { // whatever the disk has of it is of a time when it was not
		t.log = e.opts.Space.NewLog(t.name, engine.NewEpoch(), retention)
		return nil
	}
	id, found, err := e.lookUp(t.name)
	if err != nil {
		return err
	}
	if !found {
		if !e.relieve() {
			return wire.Errorf(wire.CodeResourceExhausted,
				"the gateway's memory for channels is spent, so no new channel can be made: raise memory.log_bytes, or use fewer channels")
		}
		t.id = e.lastID.Add(1)
		t.meta = meta{epoch: engine.NewEpoch(), name: t.name}
		t.log = e.opts.Space.NewLog(t.name, t.meta.epoch, retention)
		return nil
	}
	t.id = id
	r, err := e.readBack(t, retention)
	if err != nil {
		return err
	}
	t.log = e.opts.Space.RestoreLog(t.name, channel.Numbering{
		Epoch:   t.meta.epoch,
		Before:  t.meta.tail - wire.Offset(len(r.entries)),
		Damaged: r.damaged,
		Last:    t.meta.time,
	}, retention)
	e.loads.Add(1)
	return t.log.Add(r.entries)
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

// loaded is what was read back of a channel.
type loaded struct {
	entries []channel.Entry // up to the tail, in their order
	damaged wire.Offset     // the newest that could not be read; 0: there was none
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

// readNewest reads from the newest record back. known is false when damage hides which is the newest.
func (e *Engine) readNewest(t *topic, retention channel.Retention, r *loaded) (known bool, err error) {
	it, err := e.records(t.id)
	if err != nil {
		return false, err
	}
	defer it.Close() //nolint:errcheck // what it would say was asked for below
	oldest := e.opts.Space.Now().Add(-retention.Age).UnixMilli()
	var bytesRead int64
	for it.Last(); it.Valid(); it.Prev() {
		rec, err := parseRecord(it.Key(), it.Value())
		offset := recordOffset(it.Key())
		first := len(r.entries) == 0 && r.damaged == 0
		if first && offset >= t.meta.tail {
			t.meta.tail = offset
		}
		expected := t.meta.tail - wire.Offset(len(r.entries))
		if err != nil || offset != expected {
			e.opts.Logger.Error("a record in the store is damaged: older ones of its channel are given up",
				"channel", t.name, "offset", expected, "error", err)
			r.damaged = expected
			break
		}
		if first {
			t.meta.sum, t.meta.time = rec.sum, rec.entry.Time()
		}
		bytesRead += int64(len(rec.entry))
		if int64(len(r.entries)) >= retention.Messages || bytesRead > retention.Bytes || rec.entry.Time() < oldest {
			break
		}
		r.entries = append(r.entries, channel.Entry(bytes.Clone(rec.entry)))
	}
	slices.Reverse(r.entries)
	if err := it.Error(); err != nil {
		if !pebble.IsCorruptionError(err) {
			return false, err
		}
		r.damaged = t.meta.tail - wire.Offset(len(r.entries))
		e.opts.Logger.Error("a part of the store is damaged: a channel is read from behind it only",
			"channel", t.name, "offset", r.damaged, "error", err)
		return len(r.entries) > 0, nil
	}
	return true, nil
}

// records returns an iterator over a channel's records.
func (e *Engine) records(id uint64) (*pebble.Iterator, error) {
	return e.db.NewIter(&pebble.IterOptions{LowerBound: recordKey(id, 0), UpperBound: recordKey(id+1, 0)})
}
