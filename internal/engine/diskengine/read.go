package diskengine

import (
	"bytes"
	"errors"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// pageBytes bounds a page, whatever its count of records: what a few writes to a client carry.
const pageBytes = 256 << 10

// Read implements [engine.Engine]; done is called on a worker.
func (e *Engine) Read(name wire.ChannelName, q channel.Query, done func(channel.Run, error)) {
	if err := e.health.err(); err != nil {
		done(channel.Run{}, err)
		return
	}
	if e.work.waiting() >= readQueue {
		done(channel.Run{}, wire.Errorf(wire.CodeResourceExhausted, "the disk has more to read than it can: read again in a while"))
		return
	}
	t := e.pin(name, false)
	e.work.do(func() {
		defer e.topics.unpin(t)
		<-t.ready // its loading stood before this in the queue, so that a worker is about it
		if t.err != nil {
			done(channel.Run{}, t.err)
			return
		}
		done(t.log.Run(&q, e.archive(t)), nil)
	})
}

// archive is the disk as a query sees it.
func (e *Engine) archive(t *topic) channel.Archive {
	if t.level == Memory {
		return channel.Archive{}
	}
	return channel.Archive{
		Since:   func(milliseconds int64) wire.Offset { return e.since(t, t.log, milliseconds) },
		Entries: func(first wire.Offset, q *channel.Query) []channel.Entry { return e.entries(t, first, q) },
	}
}

// entries reads records for a query. Where the first of them is damaged the log is told, and in reverse also where the
// next one is: the log has nothing before it any more.
func (e *Engine) entries(t *topic, first wire.Offset, q *channel.Query) []channel.Entry {
	entries, err := e.collect(t, first, q)
	at := first // of the damage
	if q.Reverse {
		at -= wire.Offset(len(entries))
	}
	if err == nil || !q.Reverse && len(entries) > 0 || at < t.log.Head() { // the last: the retention was faster
		return entries
	}
	upTo := at
	if !q.Reverse {
		upTo = e.readableFrom(t, at, t.log.Tail()+1) - 1
	}
	e.opts.Logger.Error("records in the store are damaged: their readers are told of a gap",
		"channel", t.name, "from", at, "to", upTo, "error", err)
	t.log.Damage(upTo)
	return entries
}

// collect reads records up to the bounds of the query or of the log, or to one that cannot be read, which the error tells.
func (e *Engine) collect(t *topic, first wire.Offset, q *channel.Query) (entries []channel.Entry, err error) {
	it, err := e.records(t.id)
	if err != nil {
		return nil, err
	}
	defer it.Close() //nolint:errcheck // what it would say is asked for below
	move := it.Next
	if q.Reverse {
		move = it.Prev
		it.SeekLT(recordKey(t.id, first+1))
	} else {
		it.SeekGE(recordKey(t.id, first))
	}
	size := 0
	for offset, tail := first, t.log.Tail(); t.log.Head() <= offset && offset <= tail; {
		r, err := current(it)
		if err != nil || r.offset != offset {
			return entries, errors.Join(errDamaged, err)
		}
		if !q.Fits(len(entries), size, len(r.entry)) {
			break
		}
		entries = append(entries, channel.Entry(bytes.Clone(r.entry)))
		size += len(r.entry)
		move()
		offset = q.After(offset)
	}
	return entries, nil
}
