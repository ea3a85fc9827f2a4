package engine

import (
	"context"
	"slices"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// Lister is an engine that can tell which channels it keeps.
type Lister interface {
	// List returns a page of the channels, in the order of their names. It may wait for a disk until ctx ends. Channels
	// that come or go meanwhile may be on the page or not; none is there twice. Errors are *wire.Error.
	List(ctx context.Context, q ListQuery) (Listing, error)
}

// ListQuery says which channels a listing has.
type ListQuery struct {
	After wire.ChannelName            // only those whose names come after it
	Limit int                         // how many at most; 1 or more
	Match func(wire.ChannelName) bool // only those; nil: all
	Names bool                        // nothing but their names
}

// Listing is a page of channels.
type Listing struct {
	Channels []ChannelInfo
	More     bool // there are further ones after these
	Total    int  // how many match, on all pages
}

// ChannelInfo is how a channel stands.
type ChannelInfo struct {
	Name       wire.ChannelName
	Epoch      wire.Epoch  // empty where it is not known until somebody uses the channel
	Head, Tail wire.Offset // the oldest kept, Tail+1 when nothing is, and the newest
	Bytes      int64       // of the entries kept, in their compact form
	Created    int64       // when it was made, in milliseconds since 1970; 0: not known
}

// NewChannelInfo is how a channel stands that is in memory only.
func NewChannelInfo(name wire.ChannelName, s channel.Summary) ChannelInfo {
	return ChannelInfo{Name: name, Epoch: s.Epoch, Head: s.Head, Tail: s.Tail, Bytes: s.Bytes, Created: s.Created}
}

// Selection picks the names of a page out of all that there are, which come in any order. It remembers no more than twice
// as many as the page has.
type Selection struct {
	query ListQuery
	names []wire.ChannelName
	total int
	more  bool
}

// NewSelection returns a selection of what q asks for.
func NewSelection(q ListQuery) *Selection { return &Selection{query: q} }

// Add looks at a name, which must not come twice.
func (s *Selection) Add(name wire.ChannelName) {
	if s.query.Match != nil && !s.query.Match(name) {
		return
	}
	s.total++
	if name <= s.query.After {
		return
	}
	if s.names = append(s.names, name); len(s.names) >= 2*s.query.Limit {
		s.cut()
	}
}

func (s *Selection) cut() {
	slices.Sort(s.names)
	if len(s.names) > s.query.Limit {
		s.names, s.more = s.names[:s.query.Limit], true
	}
}

// Listing describes the channels of the page. Those that info does not find have gone meanwhile.
func (s *Selection) Listing(info func(wire.ChannelName) (ChannelInfo, bool)) Listing {
	s.cut()
	page := Listing{More: s.more, Total: s.total}
	for _, name := range s.names {
		if s.query.Names {
			page.Channels = append(page.Channels, ChannelInfo{Name: name})
		} else if i, ok := info(name); ok {
			page.Channels = append(page.Channels, i)
		}
	}
	return page
}

// List implements [Lister].
func (e *Memory) List(_ context.Context, q ListQuery) (Listing, error) {
	selection := NewSelection(q)
	for i := range e.shards {
		s := &e.shards[i]
		s.mu.RLock()
		for name := range s.logs {
			selection.Add(name)
		}
		s.mu.RUnlock()
	}
	return selection.Listing(func(name wire.ChannelName) (ChannelInfo, bool) {
		s := e.shard(name)
		s.mu.RLock()
		log := s.logs[name]
		s.mu.RUnlock()
		if log == nil {
			return ChannelInfo{}, false
		}
		return NewChannelInfo(name, log.Summary()), true
	}), nil
}
