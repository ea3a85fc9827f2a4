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
	joined        string // as well
	active        time.Time
	older, newer  *entry // in the order in which they were kept
	accountedSize int
}

// separator stands between channel names; no name contains it.
const separator = " "

// entryOverhead is about what an entry takes besides its strings: itself, and its places in the maps.
const entryOverhead = 256

func newEntry(s Session, now time.Time) *entry {
	e := &entry{id: s.ID, user: s.User, channels: joinNames(s.Channels), joined: joinNames(s.Joined), active: now}
	e.accountedSize = entryOverhead + len(e.id) + len(e.user) + len(e.channels) + len(e.joined)
	return e
}

func joinNames(list []wire.ChannelName) string {
	names := make([]string, len(list))
	for i, name := range list {
		names[i] = string(name)
	}
	return strings.Join(names, separator)
}

func splitNames(text string) (list []wire.ChannelName) {
	for name := range strings.SplitSeq(text, separator) {
		if name != "" {
			list = append(list, wire.ChannelName(name))
		}
	}
	return list
}

func (e *entry) session() Session {
	return Session{ID: e.id, User: e.user, Active: e.active, Channels: splitNames(e.channels), Joined: splitNames(e.joined)}
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
