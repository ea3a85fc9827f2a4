package diskengine

import (
	"bytes"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/engine"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// pageBytes bounds a page, whatever its count of records: what a few writes to a client carry.
const pageBytes = 256 << 10

// Read implements [engine.Engine]; done is called on a worker.
func (e *Engine) Read(name wire.ChannelName, from wire.Offset, limit int, done func(engine.Page, error)) {
	if err := e.health.err(); err != nil {
		done(engine.Page{}, err)
		return
	}
	if e.work.waiting() >= readQueue {
		done(engine.Page{}, wire.Errorf(wire.CodeResourceExhausted, "the disk has more to read than it can: read again in a while"))
		return
	}
	t := e.pin(name)
	e.work.do(func() {
		defer e.topics.unpin(t)
		<-t.ready // its loading stood before this in the queue, so that a worker is about it
		if t.err != nil {
			done(engine.Page{}, t.err)
			return
		}
		done(e.page(t, from, limit))
	})
}

func (e *Engine) page(t *topic, from wire.Offset, limit int) (engine.Page, error) {
	p := engine.Page{Epoch: t.log.Epoch(), Tail: t.log.Tail(), First: from}
	if t.level == Memory {
		p.First, p.Entries = t.log.Entries(from, limit)
		return p, nil
	}
	it, err := e.records(t.id)
	if err != nil {
		return p, readError(t, from, err)
	}
	defer it.Close() //nolint:errcheck // what it would say is asked for below
	size := 0
	for it.SeekGE(recordKey(t.id, from)); it.Valid() && len(p.Entries) < limit && size < pageBytes; it.Next() {
		rec, err := parseRecord(it.Key(), it.Value())
		offset := recordOffset(it.Key())
		if offset > p.Tail {
			break // not visible yet
		}
		if len(p.Entries) == 0 {
			p.First = offset
		}
		if err == nil && offset != p.First+wire.Offset(len(p.Entries)) {
			err = errDamaged
		}
		if err != nil {
			return upTo(p, readError(t, offset, err))
		}
		p.Entries = append(p.Entries, channel.Entry(bytes.Clone(rec.entry)))
		size += len(rec.entry)
	}
	if err := it.Error(); err != nil {
		return upTo(p, readError(t, from, err))
	}
	return p, nil
}

// upTo is the page that ends before damage; when that is where it begins, there is only the error.
func upTo(p engine.Page, err error) (engine.Page, error) {
	if len(p.Entries) > 0 {
		return p, nil
	}
	return p, err
}

func readError(t *topic, offset wire.Offset, err error) error {
	return wire.Errorf(wire.CodeDataLoss, "channel %q cannot be read from the store at offset %d: %v", t.name, offset, err)
}
