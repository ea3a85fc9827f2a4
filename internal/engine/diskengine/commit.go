package diskengine

import (
	"encoding/binary"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// group is one round of the committer.
type group struct {
	engine  *Engine
	batch   *pebble.Batch
	sync    bool
	ids     map[groupID]wire.Offset // of the messages placed in this round
	touched []*topic
	buf     []byte
}

type groupID struct {
	topic         *topic
	publisher, id string
}

// commitLoop is the committer.
func (e *Engine) commitLoop() {
	for {
		requests := e.queue.take()
		if requests == nil {
			return
		}
		e.commit(requests)
	}
}

// commit places the requests, makes them durable, lets readers have them, and answers.
func (e *Engine) commit(requests []*request) {
	g := group{engine: e, batch: e.db.NewBatch()}
	defer g.batch.Close() //nolint:errcheck // it only gives memory back
	for _, r := range requests {
		if r.drop {
			g.drop(r)
			continue
		}
		g.place(r)
	}
	if !g.batch.Empty() {
		e.tally.next(g.batch)
		if e.apply(g.batch, g.sync) != nil {
			return // the store has failed, and with it everything that waited was answered
		}
		e.tally.done(g.sync)
	}
	if !e.queue.landed() {
		return
	}
	for _, t := range g.touched {
		t.sum.Store(t.meta.sum)
		// The log cannot have been closed: its topic is pinned by the request.
		_ = t.log.Add(t.adding)
		clear(t.adding)
		t.adding = t.adding[:0]
	}
	for _, r := range requests {
		e.topics.unpin(r.topic)
		if r.done != nil {
			r.done(r.topic.meta.epoch, r.placed, nil)
		}
	}
}

// place gives each entry of r the next offset, but for those that the channel has already.
func (g *group) place(r *request) {
	t := r.topic
	now := t.log.Now().UnixMilli()
	for _, entry := range r.entries {
		publisher, id := entry.Identity()
		if id != "" {
			if offset := g.find(t, publisher, id); offset != 0 {
				r.placed = append(r.placed, channel.Placed{Offset: offset, Duplicate: true})
				continue
			}
		}
		entry.Stamp(max(now, t.meta.time))
		g.add(t, entry)
		if id != "" {
			g.remember(groupID{t, publisher, id}, t.meta.tail)
		}
		r.placed = append(r.placed, channel.Placed{Offset: t.meta.tail})
	}
}

func (g *group) find(t *topic, publisher, id string) wire.Offset {
	if offset := g.ids[groupID{t, publisher, id}]; offset != 0 {
		return offset
	}
	return t.log.Find(publisher, id)
}

func (g *group) remember(id groupID, offset wire.Offset) {
	if g.ids == nil {
		g.ids = make(map[groupID]wire.Offset)
	}
	g.ids[id] = offset
}

func (g *group) add(t *topic, entry channel.Entry) {
	if len(t.adding) == 0 {
		g.touched = append(g.touched, t)
		g.promise(t)
	}
	t.meta.tail++
	t.meta.sum += uint64(len(entry))
	t.meta.time = entry.Time()
	g.buf = appendRecordKey(g.buf[:0], t.id, t.meta.tail)
	key := g.buf
	g.buf = appendRecordValue(g.buf, key, t.meta.sum, entry)
	_ = g.batch.Set(key, g.buf[len(key):], nil) // fails only for a batch that was applied
	t.adding = append(t.adding, entry)
}

// promise sees to what the level of t asks for.
func (g *group) promise(t *topic) {
	g.sync = g.sync || t.level == Synced
	if t.stored {
		return
	}
	t.stored = true
	t.meta.written = 0
	if t.level == Written {
		t.meta.written = g.engine.incarnation.number
	}
	g.sync = true // the note must be there before what it is about
	_ = g.batch.Set(nameKey(t.name), metaKey(t.id)[1:], nil)
	if t.made != 0 {
		_ = g.batch.Set(madeKey(t.id), binary.BigEndian.AppendUint64(nil, uint64(t.made)), nil)
		t.made = 0
	}
	g.setMeta(t)
}

func (g *group) setMeta(t *topic) { _ = g.batch.Set(metaKey(t.id), t.meta.append(nil), nil) }

// drop removes the records before r.keep; the meta keeps the numbering, which nothing else does when none is left.
func (g *group) drop(r *request) {
	t := r.topic
	_ = g.batch.DeleteRange(recordKey(t.id, 0), recordKey(t.id, min(r.keep, t.meta.tail+1)), nil)
	g.setMeta(t)
}

// apply writes the batch: to the disk with sync, to the kernel without. An error means that the store has failed.
func (e *Engine) apply(batch *pebble.Batch, sync bool) (err error) {
	if sync {
		e.gate.wanted.Add(1)
		defer e.gate.wanted.Add(-1)
	}
	defer func() {
		if p := recover(); p != nil { // Pebble panics when the log cannot be written
			err = fmt.Errorf("write to the store: %v", p)
			e.health.fail(err)
		}
	}()
	if err := e.db.Apply(batch, pebble.Sync); err != nil {
		err = fmt.Errorf("write to the store: %w", err)
		e.health.fail(err)
		return err
	}
	return nil
}
