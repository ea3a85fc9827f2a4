package session

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/magpie-bridge/magpie/internal/hub"
	"github.com/magpie-bridge/magpie/internal/hub/keep"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// ListQuery says which sessions a listing has.
type ListQuery struct {
	User    string           // only those of this user; empty: all
	Channel wire.ChannelName // only those that have subscribed this; empty: all
	After   string           // Listing.Next of the page before; empty: the first page
	Limit   int              // how many at most; 1 or more
}

// Listing is a page of the sessions of a node, in the order of their places on it.
type Listing struct {
	Sessions []Info
	Next     string // what to ask for the next page with; empty at the end
	Total    int    // how many were asked for, on all pages
}

// Info is how a session stands.
type Info struct {
	ID            wire.SessionID
	UserID        string
	Device, Token string // what the credential says of it, as in auth.Token; empty: nothing
	Since         int64  // when it was opened on its line, in milliseconds since 1970, to the second; 0: it has just gone
	LastActive    int64  // when the client was heard last, in milliseconds since 1970
	Subscriptions int
	Serves        []string // in order
	Transport     string   // what carries the line; empty where the line does not tell
	Format        string   // what its frames are written in

	at keep.Place
}

// List asks the loops of all shards for a page of their sessions.
func List(ctx context.Context, shards []*Shard, q ListQuery) (Listing, error) {
	after := keep.Place{Loop: -1}
	if q.After != "" {
		var ok bool
		if after, ok = parsePlace(q.After); !ok {
			return Listing{}, wire.Errorf(wire.CodeInvalidArgument, "after is none of a page of sessions: expected its next")
		}
	}
	pages, err := askAll(ctx, shards, func(sh *Shard, answer func(Listing)) {
		l := &lister{query: q, after: after, page: Listing{}}
		v := &tour{ctx: ctx, shard: sh, visit: l.visit, end: func() { answer(l.page) }}
		v.goOn()
	})
	if err != nil {
		return Listing{}, err
	}
	var all Listing
	for _, page := range pages {
		all.Total += page.Total
		all.Sessions = append(all.Sessions, page.Sessions...)
	}
	slices.SortFunc(all.Sessions, func(a, b Info) int { return compare(a.at, b.at) })
	if len(all.Sessions) > q.Limit {
		all.Sessions = all.Sessions[:q.Limit]
		all.Next = placeText(all.Sessions[q.Limit-1].at)
	}
	if len(all.Sessions) > 0 {
		date(all.Sessions, shards[0].settings.Hub.Directory())
	}
	return all, nil
}

// date notes since when sessions are open: each user is looked up once, since one may have many of them.
func date(sessions []Info, directory *hub.Directory) {
	known := make(map[string]map[keep.Place]time.Time)
	for i := range sessions {
		s := &sessions[i]
		since := known[s.UserID]
		if since == nil {
			since = make(map[keep.Place]time.Time)
			for _, r := range directory.Of(s.UserID) {
				since[r.At] = r.Since
			}
			known[s.UserID] = since
		}
		if at, ok := since[s.at]; ok {
			s.Since = at.UnixMilli()
		}
	}
}

func compare(a, b keep.Place) int {
	return cmp.Or(cmp.Compare(a.Loop, b.Loop), cmp.Compare(a.Slot, b.Slot))
}

// placeText writes a place as it stands in ids.
func placeText(at keep.Place) string {
	return strconv.FormatInt(int64(at.Loop), 36) + "-" + strconv.FormatUint(uint64(at.Slot), 36)
}

// lister makes the page of one loop. It is one session longer than asked for where there are more.
type lister struct {
	query ListQuery
	after keep.Place
	page  Listing
}

func (l *lister) visit(s *Session) (cost int, _ bool) {
	if !s.Open() || l.query.User != "" && s.principal.UserID != l.query.User {
		return 0, false
	}
	if l.query.Channel != "" {
		cost = len(s.subs)
		if s.find(l.query.Channel) < 0 {
			return cost, false
		}
	}
	l.page.Total++
	if compare(s.place(), l.after) > 0 && len(l.page.Sessions) <= l.query.Limit {
		l.page.Sessions = append(l.page.Sessions, s.info())
		cost += infoCost + len(l.page.Sessions[len(l.page.Sessions)-1].Serves)
	}
	return cost, false
}

// infoCost is how many looks it takes to describe a session.
const infoCost = 8

func (s *Session) info() Info {
	sh := s.shard
	i := Info{
		ID: s.ID(), UserID: s.principal.UserID, Device: s.principal.Device(), LastActive: sh.time(s.heard).UnixMilli(),
		Subscriptions: len(s.subs), Format: s.Format().Codec().String(), at: s.place(),
	}
	if token := s.principal.Token; token != nil {
		i.Token = token.ID
	}
	if v := sh.serving[s.slot]; v != nil {
		i.Serves = slices.Sorted(maps.Keys(v.methods))
	}
	if carried, ok := s.Format().(interface{ Transport() string }); ok {
		i.Transport = carried.Transport()
	}
	return i
}

// Subscribers asks the loops of all shards how many subscriptions the channels have, which are few.
func Subscribers(ctx context.Context, shards []*Shard, names []wire.ChannelName) ([]int, error) {
	answers, err := askAll(ctx, shards, func(sh *Shard, answer func([]int)) {
		counts := make([]int, len(names))
		for i, name := range names {
			sh.views(name, func(t *topic) { counts[i] += len(t.cursors) })
		}
		answer(counts)
	})
	sum := make([]int, len(names))
	for _, counts := range answers {
		for i, n := range counts {
			sum[i] += n
		}
	}
	return sum, err
}
