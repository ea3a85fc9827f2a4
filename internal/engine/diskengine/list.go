package diskengine

import (
	"context"
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"github.com/magpie-bridge/magpie/internal/engine"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// listStep is how many names a listing passes between two looks at whether anybody waits for it.
const listStep = 1024

// List implements [engine.Lister]. One listing at a time takes one of the workers, which goes through the names of all
// channels: what is asked of the disk for each of them is little, but there may be many.
func (e *Engine) List(ctx context.Context, q engine.ListQuery) (engine.Listing, error) {
	if err := e.health.err(); err != nil {
		return engine.Listing{}, err
	}
	late := wire.Errorf(wire.CodeUnavailable, "the channels could not be listed in time: ask again")
	select {
	case e.listing <- struct{}{}:
	case <-ctx.Done():
		return engine.Listing{}, late
	}
	type outcome struct {
		page engine.Listing
		err  error
	}
	done := make(chan outcome, 1)
	e.work.do(func() {
		defer func() { <-e.listing }()
		page, err := e.list(ctx, q)
		done <- outcome{page, err}
	})
	select {
	case o := <-done:
		switch {
		case errors.Is(o.err, context.Canceled), errors.Is(o.err, context.DeadlineExceeded):
			return engine.Listing{}, late
		case errors.Is(o.err, errClosing):
			return engine.Listing{}, wire.Errorf(wire.CodeUnavailable, "the store on disk is being closed")
		case o.err != nil:
			e.opts.Logger.Error("the channels in the store cannot be listed", "error", o.err)
			return engine.Listing{}, wire.Errorf(wire.CodeInternal, "the channels cannot be listed: the gateway's log tells why")
		}
		return o.page, nil
	case <-ctx.Done():
		return engine.Listing{}, late
	}
}

// list goes through the names on disk, and then through those that are in memory only.
func (e *Engine) list(ctx context.Context, q engine.ListQuery) (engine.Listing, error) {
	selection := engine.NewSelection(q)
	inMemory := make(map[wire.ChannelName]bool)
	for _, t := range e.topics.all() {
		inMemory[t.name] = true
	}
	it, err := e.db.NewIter(&pebble.IterOptions{LowerBound: nameKey(""), UpperBound: []byte{prefixName + 1}})
	if err != nil {
		return engine.Listing{}, err
	}
	passed := 0
	for valid := it.First(); valid && err == nil; valid = it.Next() {
		name := wire.ChannelName(it.Key()[1:])
		if inMemory[name] || e.opts.Level(name) != Memory { // otherwise it is of a time when it was not
			selection.Add(name)
			delete(inMemory, name)
		}
		if passed++; passed%listStep == 0 {
			err = e.wanted(ctx)
		}
	}
	if err := errors.Join(err, it.Error(), it.Close()); err != nil {
		return engine.Listing{}, err
	}
	for name := range inMemory {
		selection.Add(name)
	}
	return selection.Listing(e.describe), nil
}

// errClosing tells that the engine is being closed, which waits for those who use the disk.
var errClosing = errors.New("diskengine: the store is being closed")

// wanted is why nobody waits for a listing any more, or nil.
func (e *Engine) wanted(ctx context.Context) error {
	select {
	case <-e.stop:
		return errClosing
	default:
		return ctx.Err()
	}
}

// describe tells how a channel stands, wherever it is; false when it has gone.
func (e *Engine) describe(name wire.ChannelName) (engine.ChannelInfo, bool) {
	if t := e.topics.loaded(name); t != nil {
		i := engine.NewChannelInfo(name, t.log.Summary())
		if t.level != Memory {
			i.Bytes = e.bytesFrom(t, i.Head)
		}
		return i, true
	}
	id, found, err := e.lookUp(name)
	if err != nil || !found {
		return engine.ChannelInfo{}, false
	}
	i := engine.ChannelInfo{Name: name, Created: e.created(id)}
	value, err := e.get(metaKey(id))
	if err != nil {
		return i, !errors.Is(err, pebble.ErrNotFound)
	}
	m, err := parseMeta(value)
	if err != nil {
		return i, true // whoever uses it is told
	}
	if !e.incarnation.lost(m.written) { // or it goes on under another epoch
		i.Epoch = m.epoch
	}
	i.Tail = m.tail
	i.Head = i.Tail + 1
	if s, err := e.span(id, e.opts.Retention(name)); err == nil && s.last > 0 {
		i.Tail = max(i.Tail, s.last)
		i.Head, i.Bytes = s.keep, int64(s.newest.sum-s.keepSum)
	}
	return i, true
}

// bytesFrom is the size of the entries of a channel from head on, by the sums that stand beside them.
func (e *Engine) bytesFrom(t *topic, head wire.Offset) int64 {
	it, err := e.records(t.id)
	if err != nil {
		return 0
	}
	defer it.Close() //nolint:errcheck // what it would say was asked for below
	newest := t.sum.Load()
	oldest, err := seek(it, recordKey(t.id, head))
	if before := oldest.sum - uint64(len(oldest.entry)); err == nil && before < newest {
		return int64(newest - before)
	}
	return 0
}
