package diskengine

import (
	"encoding/binary"
	"sync"
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// departures remember when channels that are gone some day were used last by somebody who did not append: memory knows that
// only as long as the channel is there. Safe for concurrent use.
type departures struct {
	opened int64 // nobody can say who was there before, so everybody was

	mu   sync.Mutex // guards last
	last map[wire.ChannelName]int64
}

func newDepartures(now time.Time) *departures {
	return &departures{opened: now.UnixMilli(), last: make(map[wire.ChannelName]int64)}
}

func (d *departures) note(name wire.ChannelName, at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last[name] = at.UnixMilli()
}

func (d *departures) of(name wire.ChannelName) int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return max(d.opened, d.last[name])
}

func (d *departures) forget(name wire.ChannelName) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.last, name)
}

// unload takes a channel from memory, unless somebody uses it.
func (e *Engine) unload(t *topic) {
	touched := t.log.Touched()
	if e.topics.unload(t) && e.opts.Policy(t.name).TTL > 0 {
		e.left.note(t.name, touched)
	}
}

// expireLoaded ends a channel in memory that nobody has used for so long that it is to be gone, and reports whether it did.
func (e *Engine) expireLoaded(t *topic) bool {
	ttl := e.opts.Policy(t.name).TTL
	if ttl == 0 {
		return false
	}
	instead := e.topics.expire(t, e.opts.Space.Now().Add(-ttl))
	if instead == nil {
		return false
	}
	if t.level != Memory {
		if err := e.erase(t.id, t.name); err != nil {
			e.opts.Logger.Error("a channel that is to be gone is still in the store", "channel", t.name, "error", err)
		}
	}
	if e.topics.give(instead) {
		e.load(instead) // at once: a worker that waits for it must not be the one that is to load it
	}
	return true
}

// expired reports whether a channel that is not in memory is to be gone; last is the time of its newest message.
func (e *Engine) expired(name wire.ChannelName, ttl time.Duration, last int64) bool {
	return ttl > 0 && max(last, e.left.of(name)) < e.opts.Space.Now().Add(-ttl).UnixMilli()
}

// erase removes all that the store has of a channel, which nobody can load meanwhile.
func (e *Engine) erase(id uint64, name wire.ChannelName) error {
	e.left.forget(name)
	batch := e.db.NewBatch()
	defer batch.Close() //nolint:errcheck // it only gives memory back
	_ = batch.DeleteRange(recordKey(id, 0), recordKey(id+1, 0), nil)
	_ = batch.Delete(metaKey(id), nil)
	_ = batch.Delete(madeKey(id), nil)
	_ = batch.Delete(nameKey(name), nil)
	return e.apply(batch, false)
}

// created is when a channel was made, in milliseconds since 1970; 0 where the store does not say.
func (e *Engine) created(id uint64) int64 {
	value, err := e.get(madeKey(id))
	if err != nil || len(value) != 8 {
		return 0
	}
	return int64(binary.BigEndian.Uint64(value))
}

// Refresh implements [engine.Refresher]. What is on disk alone follows with the next rounds of the sweeper.
func (e *Engine) Refresh() {
	for _, t := range e.topics.all() {
		t.log.SetRetention(e.opts.Retention(t.name))
	}
}

// expire evicts a topic that nobody uses, or has used since a time. It returns another in its place, so that nobody loads
// the channel until give says that it is erased; or nil when the topic stays.
func (ts *topics) expire(t *topic, unused time.Time) (instead *topic) {
	s := ts.shard(t.name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !t.loaded || t.pins > 0 || s.byName[t.name] != t || !t.log.Expire(unused) {
		return nil
	}
	instead = &topic{name: t.name, level: t.level, ready: make(chan struct{})}
	s.byName[t.name] = instead
	return instead
}
