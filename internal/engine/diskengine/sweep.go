package diskengine

import (
	"errors"
	"sort"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// sweepLoop lets go of what is kept no longer, on disk and in memory.
func (e *Engine) sweepLoop() {
	ticker := time.NewTicker(e.opts.SweepEvery)
	defer ticker.Stop()
	for {
		select {
		case <-e.stop:
			return
		case <-ticker.C:
			if e.health.err() == nil && !e.gate.isFull() {
				e.sweep()
			}
		}
	}
}

func (e *Engine) sweep() {
	e.sweepLoaded()
	e.relieve()
	if err := e.sweepOthers(sweepIdle); err != nil {
		e.opts.Logger.Error("retention cannot be enforced on a part of the store", "error", err)
	}
	e.measure()
}

// sweepLoaded drops from the disk what the logs in memory have dropped, and from memory the logs that nobody uses.
func (e *Engine) sweepLoaded() {
	idle := e.opts.Space.Now().Add(-e.opts.IdleAfter)
	for _, t := range e.topics.all() {
		since := t.log.Sweep()
		if !since.IsZero() && e.expireLoaded(t) {
			continue
		}
		if t.level == Memory {
			// Its numbering goes with it, so it stays until nothing is left to number.
			if t.log.Head() > t.log.Tail() && !since.IsZero() && since.Before(idle) && !e.opts.Policy(t.name).Given {
				e.topics.unload(t)
			}
			continue
		}
		if t.log.Head() > t.swept || e.outgrown(t) {
			e.trimLoaded(t)
		}
		if !since.IsZero() && since.Before(idle) {
			e.unload(t)
		}
	}
}

// outgrown reports whether the oldest record kept of a channel is too old or one too many. What is in memory of it the log
// itself sees to.
func (e *Engine) outgrown(t *topic) bool {
	r := e.opts.Retention(t.name)
	return t.sum.Load()-t.sweptSum > uint64(r.Bytes) || t.sweptTime < e.opts.Space.Now().Add(-r.Age).UnixMilli()
}

// trimLoaded has readers and the committer drop what the retention does not keep.
func (e *Engine) trimLoaded(t *topic) {
	s := e.topics.shard(t.name)
	s.mu.Lock()
	t.pins++
	s.mu.Unlock()
	span, err := e.span(t.id, e.opts.Retention(t.name))
	if err == nil {
		t.swept, t.sweptTime, t.sweptSum = span.keep, span.keepTime, span.keepSum
		t.log.TrimTo(span.keep)
	}
	if err != nil || span.keep <= span.first || !e.queue.push(&request{topic: t, drop: true, keep: span.keep}) {
		e.topics.unpin(t)
	}
}

// span is what the disk has of a channel.
type span struct {
	first, last wire.Offset // 0 when there is nothing
	keep        wire.Offset // the first that the retention keeps; last+1 when it keeps none
	newest      record      // at last; its entry is not kept
	time        int64       // of newest
	keepTime    int64       // of the record at keep; of newest when there is none
	keepSum     uint64      // up to the record at keep, and without it
}

// span finds by bisection where the retention of a channel begins on disk.
func (e *Engine) span(id uint64, r channel.Retention) (s span, err error) {
	it, err := e.records(id)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	now := e.opts.Space.Now()
	s.keepTime = now.UnixMilli() // what is not there yet is no older
	if !it.First() {
		return s, it.Error()
	}
	s.first = recordOffset(it.Key())
	it.Last()
	if s.newest, err = current(it); err != nil {
		return s, err
	}
	s.last, s.time = s.newest.offset, s.newest.entry.Time()
	oldest := now.Add(-r.Age).UnixMilli()
	from := s.first
	if n := wire.Offset(r.Messages); s.last-s.first >= n {
		from = s.last + 1 - n
	}
	s.keep = from + wire.Offset(sort.Search(int(s.last+1-from), func(i int) bool {
		var rec record
		if rec, err = seek(it, recordKey(id, from+wire.Offset(i))); err != nil {
			return true
		}
		return s.newest.sum-rec.sum+uint64(len(rec.entry)) <= uint64(r.Bytes) && rec.entry.Time() >= oldest
	}))
	if s.keepSum = s.newest.sum; err == nil && s.keep <= s.last {
		var kept record
		kept, err = seek(it, recordKey(id, s.keep))
		s.keepTime, s.keepSum = kept.entry.Time(), kept.sum-uint64(len(kept.entry))
	}
	return s, err
}

// seek reads the first record at or behind key that is not damaged.
func seek(it *pebble.Iterator, key []byte) (r record, err error) {
	for valid := it.SeekGE(key); valid; valid = it.Next() {
		if r, err = parseRecord(it.Key(), it.Value()); err == nil {
			return r, nil
		}
	}
	return r, errors.Join(errDamaged, it.Error())
}

// current reads the record that an iterator is at.
func current(it *pebble.Iterator) (record, error) {
	if !it.Valid() {
		return record{}, errors.Join(errDamaged, it.Error())
	}
	return parseRecord(it.Key(), it.Value())
}

// sweepOthers enforces the retention of the next so many channels that are not in memory.
func (e *Engine) sweepOthers(count int) error {
	it, err := e.db.NewIter(&pebble.IterOptions{LowerBound: []byte{prefixMeta}, UpperBound: []byte{prefixMeta + 1}})
	if err != nil {
		return err
	}
	defer it.Close() //nolint:errcheck // what it would say is asked for below
	valid := it.SeekGE(e.sweepAt)
	if len(e.sweepAt) == 0 || !valid {
		valid = it.First()
	}
	for ; valid && count > 0; valid = it.Next() {
		e.sweepAt = append(e.sweepAt[:0], it.Key()...)
		count--
		m, parseErr := parseMeta(it.Value())
		if parseErr != nil {
			continue // told when somebody asks for it
		}
		if t := e.topics.take(m.name, e.opts.Level); t != nil {
			err = errors.Join(err, e.sweepOther(recordID(it.Key()), m))
			if e.topics.give(t) {
				e.work.do(func() { e.load(t) })
			}
		}
	}
	if !valid {
		e.sweepAt = e.sweepAt[:0]
	} else {
		e.sweepAt = append(e.sweepAt[:0], it.Key()...)
	}
	return errors.Join(err, it.Error())
}

// sweepOther enforces the retention of a channel that nobody can load meanwhile.
func (e *Engine) sweepOther(id uint64, m meta) error {
	// As it is now: the iterator that found it may be older.
	value, err := e.get(metaKey(id))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil
	}
	if err == nil {
		m, err = parseMeta(value)
	}
	if err != nil {
		return err
	}
	s, err := e.span(id, e.opts.Retention(m.name))
	if err != nil {
		return err
	}
	policy := e.opts.Policy(m.name)
	if e.expired(m.name, policy.TTL, max(m.time, s.time)) {
		return e.erase(id, m.name)
	}
	batch := e.db.NewBatch()
	defer batch.Close() //nolint:errcheck // it only gives memory back
	switch {
	case s.keep > s.first:
		if s.last >= m.tail {
			m.tail, m.sum, m.time = s.last, s.newest.sum, s.time
		}
		_ = batch.Set(metaKey(id), m.append(nil), nil)
		_ = batch.DeleteRange(recordKey(id, 0), recordKey(id, s.keep), nil)
	case s.last == 0 && !policy.Given && m.time < e.opts.Space.Now().Add(-forgetAfter).UnixMilli():
		_ = batch.Delete(metaKey(id), nil)
		_ = batch.Delete(madeKey(id), nil)
		_ = batch.Delete(nameKey(m.name), nil)
	default:
		return nil
	}
	return e.apply(batch, false)
}

// measure looks at the size of the directory.
func (e *Engine) measure() {
	used := int64(e.db.Metrics().DiskSpaceUsage())
	e.diskBytes.Store(used)
	if e.opts.MaxBytes == 0 {
		return
	}
	switch over := e.overMax.Load(); {
	case !over && used > e.opts.MaxBytes:
		e.overMax.Store(true)
		e.opts.Logger.Error("the store on disk has reached its bound: publishes are refused", "bytes", used, "bound", e.opts.MaxBytes)
	case over && used < int64(float64(e.opts.MaxBytes)*roomAgain):
		e.overMax.Store(false)
		e.opts.Logger.Info("the store on disk has room again", "bytes", used)
	}
}
