package keep

import (
	"strings"
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// entry is one kept session. It is small, since there may be many for long.
type entry struct {
	id            wire.SessionID
	user          string
	channels      string // their names, with separator between
	active        time.Time
	older, newer  *entry // in the order in which they were kept
	accountedSize int
}

// separator stands between channel names; no name contains it.
const separator = " "

// entryOverhead is about what an entry takes besides its strings: itself, and its places in the maps.
const entryOverhead = 256

func newEntry(s Session, now time.Time) *entry {
	names := make([]string, len(s.Channels))
	for i, name := range s.Channels {
		names[i] = string(name)
	}
	e := &entry{id: s.ID, user: s.User, channels: strings.Join(names, separator), active: now}
	e.accountedSize = entryOverhead + len(e.id) + len(e.user) + len(e.channels)
	return e
}

func (e *entry) session() Session {
	s := Session{ID: e.id, User: e.user, Active: e.active}
	for name := range strings.SplitSeq(e.channels, separator) {
		if name != "" {
			s.Channels = append(s.Channels, wire.ChannelName(name))
		}
	}
	return s
}

// queue is entries in the order in which they were kept.
type queue struct{ oldest, newest *entry }

func (q *queue) add(e *entry) {
	e.older = q.newest
	if e.older == nil {
		q.oldest = e
	} else {
		e.older.newer = e
	}
	q.newest = e
}

func (q *queue) remove(e *entry) {
	if e.older == nil {
		q.oldest = e.newer
	} else {
		e.older.newer = e.newer
	}
	if e.newer == nil {
		q.newest = e.older
	} else {
		e.newer.older = e.older
	}
	e.older, e.newer = nil, nil
}
