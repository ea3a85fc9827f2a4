package diskengine

import (
	"bytes"
	"sort"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// below is the disk as a channel's log sees it ([channel.Store]).
type below struct {
	engine *Engine
	topic  *topic
}

// Fetch implements [channel.Store].
func (b below) Fetch(l *channel.Log, from wire.Offset, ready func()) {
	b.engine.pages.fetch(fetchKey{l, from}, b.topic, ready)
}

// Since implements [channel.Store].
func (b below) Since(l *channel.Log, t int64, found func(wire.Offset)) {
	b.engine.work.do(func() { found(b.engine.since(b.topic, l, t)) })
}

// since finds by bisection the first record of at least that time. What cannot be read counts as older.
func (e *Engine) since(t *topic, l *channel.Log, milliseconds int64) wire.Offset {
	head, tail := l.Head(), l.Tail()
	it, err := e.records(t.id)
	if err != nil {
		return tail + 1
	}
	defer it.Close() //nolint:errcheck // what it would say is said when the records are read
	return head + wire.Offset(sort.Search(int(tail+1-head), func(i int) bool {
		r, err := seek(it, recordKey(t.id, head+wire.Offset(i)))
		return err == nil && r.entry.Time() >= milliseconds
	}))
}

// pages are what is in memory of the part of the logs that has left it, for those who read there. The cursors of many
// clients that come back meet in the same pages, so that each is read and encoded once. Safe for concurrent use.
type pages struct {
	engine *Engine
	limit  int // bytes of the pages kept

	fetched atomic.Int64

	mu      sync.Mutex // guards the fields below
	fetches map[fetchKey]*pageFetch
	waiting []*pageFetch // for a worker, in their order
	running int
	kept    []*channel.Page // the oldest first
	bytes   int             // of kept
}

// fetchKey is where a page begins. A log that is loaded again is another one.
type fetchKey struct {
	log  *channel.Log
	from wire.Offset
}

// pageFetch is a page on its way.
type pageFetch struct {
	key   fetchKey
	topic *topic
	ready []func()
}

func newPages(e *Engine) *pages {
	limit := maxPagesBytes
	if l := e.opts.Space.Budget().Limit(); l > 0 {
		limit = min(limit, int(l/pagesShare))
	}
	return &pages{engine: e, limit: max(limit, fetchers*pageBytes), fetches: make(map[fetchKey]*pageFetch)}
}

// fetch brings the page at key, and calls ready then.
func (p *pages) fetch(key fetchKey, t *topic, ready func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f := p.fetches[key]; f != nil {
		f.ready = append(f.ready, ready)
		return
	}
	f := &pageFetch{key: key, topic: t, ready: []func(){ready}}
	p.fetches[key] = f
	p.waiting = append(p.waiting, f)
	p.start()
}

// start hands what waits to workers. The caller holds the mutex.
func (p *pages) start() {
	for p.running < fetchers && len(p.waiting) > 0 {
		f := p.waiting[0]
		p.waiting[0] = nil
		p.waiting = p.waiting[1:]
		p.running++
		p.engine.work.do(func() { p.run(f) })
	}
}

func (p *pages) run(f *pageFetch) {
	if p.engine.health.err() != nil {
		return // nothing will come of it, and whoever waits would only ask again
	}
	page := p.engine.readPage(f.topic, f.key.log, f.key.from)
	p.mu.Lock()
	if page != nil {
		p.fetched.Add(1)
		p.kept = append(p.kept, page)
		p.bytes += page.Bytes()
		p.makeRoom(p.limit)
	}
	delete(p.fetches, f.key)
	p.running--
	p.start()
	p.mu.Unlock()
	for _, ready := range f.ready {
		ready()
	}
}

// makeRoom drops pages until no more than limit bytes are kept: first those that nobody has read since they were looked at
// last, and never the one that came last. The caller holds the mutex.
func (p *pages) makeRoom(limit int) {
	for second := range 2 {
		if p.bytes <= limit {
			return
		}
		var kept []*channel.Page
		for i, page := range p.kept {
			if p.bytes <= limit || i == len(p.kept)-1 && limit > 0 || second == 0 && page.Touched() {
				kept = append(kept, page)
				continue
			}
			p.bytes -= page.Bytes()
			page.Drop()
		}
		p.kept = kept
	}
}

// drop lets go of all pages, because memory is needed for more than they are.
func (p *pages) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.makeRoom(0)
}

// readPage brings a page of records into the log. Where they turn out to be damaged the log is told, and goes on behind.
func (e *Engine) readPage(t *topic, l *channel.Log, from wire.Offset) *channel.Page {
	before := l.Missing(from)
	if before <= from || from < l.Head() {
		return nil // it came meanwhile, or went
	}
	entries, err := e.readRun(t, from, before)
	if len(entries) > 0 {
		return l.AddPage(from, entries)
	}
	if from < l.Head() {
		return nil // the retention was faster
	}
	upTo := e.readableFrom(t, from, before) - 1
	e.opts.Logger.Error("records in the store are damaged: their readers are told of a gap",
		"channel", t.name, "from", from, "to", upTo, "error", err)
	l.Damage(upTo)
	return nil
}

// readRun reads the records from the given offset on, up to the one that cannot be read or is not there.
func (e *Engine) readRun(t *topic, from, before wire.Offset) (entries []channel.Entry, err error) {
	it, err := e.db.NewIter(&pebble.IterOptions{LowerBound: recordKey(t.id, from), UpperBound: recordKey(t.id, before)})
	if err != nil {
		return nil, err
	}
	defer it.Close() //nolint:errcheck // what it would say is asked for below
	size := 0
	for valid := it.First(); valid && size < pageBytes; valid = it.Next() {
		r, err := parseRecord(it.Key(), it.Value())
		if err == nil && r.offset != from+wire.Offset(len(entries)) {
			err = errDamaged
		}
		if err != nil {
			return entries, err
		}
		entries = append(entries, channel.Entry(bytes.Clone(r.entry)))
		size += len(r.entry)
	}
	return entries, it.Error()
}

// readableFrom is the first offset behind from whose record can be read, or before when there is none.
func (e *Engine) readableFrom(t *topic, from, before wire.Offset) wire.Offset {
	it, err := e.records(t.id)
	if err != nil {
		return before
	}
	defer it.Close() //nolint:errcheck // a part that cannot be read at all ends the search
	if r, err := seek(it, recordKey(t.id, from+1)); err == nil {
		return min(r.offset, before)
	}
	return before
}
