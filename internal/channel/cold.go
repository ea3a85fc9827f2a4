package channel

import (
	"slices"
	"sort"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// Store is where the entries of a log lie that have left memory: whoever reads that far back fetches them, a page at a
// time. Its methods are safe for concurrent use and never wait for the store.
type Store interface {
	// Fetch brings entries from the given offset on into memory, by [Log.AddPage], and calls ready once, on any goroutine:
	// when they are there, or cannot be had. Which of the two the log says.
	Fetch(l *Log, from wire.Offset, ready func())
	// Since calls found once, on any goroutine, with the first offset whose time is at least t, in milliseconds since
	// 1970, or with one behind the tail.
	Since(l *Log, t int64, found func(first wire.Offset))
}

// maxWarmBytes bounds the entries that a log with a store keeps in memory: what readers who lag an ordinary while are behind.
const maxWarmBytes = 16 << 20

// Page is a run of entries that was fetched. It counts as memory until it is dropped.
type Page struct {
	log   *Log
	chunk *chunk
}

// Fetch has the store bring entries from the offset on into memory; see [Store]. The log must have said that they are cold.
func (l *Log) Fetch(from wire.Offset, ready func()) { l.store.Fetch(l, from, ready) }

// Missing is the run of offsets from the given one on that is not in memory; it is empty, before <= from, when from is, or
// when it is behind the tail.
func (l *Log) Missing(from wire.Offset) (before wire.Offset) {
	before = l.Tail() + 1
	if l.chunkOf(from) != nil {
		return from
	}
	if list := *l.chunks.Load(); len(list) > 0 {
		before = min(before, list[0].first)
	}
	pages := *l.pages.Load()
	if i := sort.Search(len(pages), func(i int) bool { return pages[i].first > from }); i < len(pages) {
		before = min(before, pages[i].first)
	}
	return before
}

// AddPage makes entries readable that the store has, the first of them at the given offset. Those are left out that are in
// memory already. It returns nil when nothing remains.
func (l *Log) AddPage(first wire.Offset, entries []Entry) *Page {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(entries) > 0 && l.chunkOf(first) != nil {
		first, entries = first+1, entries[1:]
	}
	if n := int(max(l.Missing(first), first) - first); n < len(entries) {
		entries = entries[:n]
	}
	if len(entries) == 0 || l.closed || first+wire.Offset(len(entries)) <= l.Head() {
		return nil
	}
	c := newPage(first, entries)
	l.charge(c.cost())
	pages := *l.pages.Load()
	at := sort.Search(len(pages), func(i int) bool { return pages[i].first > first })
	grown := slices.Insert(slices.Clone(pages), at, c)
	l.pages.Store(&grown)
	return &Page{log: l, chunk: c}
}

func newPage(first wire.Offset, entries []Entry) *chunk {
	size := 0
	for _, e := range entries {
		size += len(e)
	}
	c := &chunk{first: first, data: make([]byte, size), ends: make([]uint32, len(entries))}
	for _, e := range entries {
		c.add(e)
	}
	return c
}

// Bytes is the size of the page's entries.
func (p *Page) Bytes() int { return len(p.chunk.data) }

// Touched reports whether anybody has read the page since this was asked last.
func (p *Page) Touched() (touched bool) {
	for f := range p.chunk.views {
		if v := p.chunk.views[f].Load(); v != nil && v.used.Swap(false) {
			touched = true
		}
	}
	return touched
}

// Drop takes the page from memory.
func (p *Page) Drop() {
	l := p.log
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dropPages(func(c *chunk) bool { return c == p.chunk })
}

// dropPages lets go of the pages that are chosen. The caller holds the mutex.
func (l *Log) dropPages(chosen func(*chunk) bool) {
	pages := *l.pages.Load()
	if !slices.ContainsFunc(pages, chosen) {
		return
	}
	var rest []*chunk
	for _, c := range pages {
		if !chosen(c) {
			rest = append(rest, c)
			continue
		}
		l.release(c)
	}
	l.pages.Store(&rest)
}

// sink lets the oldest chunk leave memory; its entries stay in the store. The caller holds the mutex.
func (l *Log) sink() {
	list := *l.chunks.Load()
	c := list[0]
	for offset := max(l.Head(), c.first); offset < c.after(); offset++ {
		l.bytes -= int64(len(c.entry(int(offset - c.first))))
	}
	rest := slices.Clone(list[1:])
	l.chunks.Store(&rest)
	l.release(c)
}

// TrimTo makes head the oldest readable offset, because the store keeps nothing before it.
func (l *Log) TrimTo(head wire.Offset) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.trimTo(min(head, l.Tail()+1))
}

// Damage tells that the entries up to the given offset cannot be read from the store any more: they are given up.
func (l *Log) Damage(upTo wire.Offset) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.damaged.Store(uint64(max(upTo, wire.Offset(l.damaged.Load()))))
	l.trimTo(min(upTo, l.Tail()) + 1)
}

// trimTo drops what is before head. The caller holds the mutex.
func (l *Log) trimTo(head wire.Offset) {
	for offset := max(l.Head(), l.warm()); offset < head; offset++ {
		c := l.chunkOf(offset)
		l.bytes -= int64(len(c.entry(int(offset - c.first))))
	}
	if head > l.Head() {
		l.moveHead(head)
	}
}

// warm is the oldest offset from which on everything is in memory: head <= warm for a log with a store, and no more than a
// part of the oldest chunk else.
func (l *Log) warm() wire.Offset {
	if list := *l.chunks.Load(); len(list) > 0 {
		return list[0].first
	}
	return l.Tail() + 1
}
