package session

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// The bounds of joining.
const (
	// joinAtOnce is how many channels a session joins before it is the turn of others, and how many are brought into memory
	// for it at the same time.
	joinAtOnce = 32
	// maxWaiting is how many times as many channels as a session may have may wait to be joined while its client does not
	// read.
	maxWaiting = 4
)

// joining is a channel that is to be held by a pattern.
type joining struct {
	name    wire.ChannelName
	from    wire.Start
	pattern *pattern
	filter  string // with which its beginning is being looked up
	given   bool   // the client has said where
	asking  bool   // the hook of the embedding program has not answered yet
	refused error  // what it says
}

// listing finds out which channels there are that are covered.
type listing struct {
	covers func(wire.ChannelName) bool
	done   func(names []wire.ChannelName, err error)
}

// arrivals are channels that have appeared and that a loop has not looked at yet.
type arrivals struct {
	mu    sync.Mutex // guards names
	names []wire.ChannelName
}

// Appeared takes a channel that has just come into being, and that somebody on this loop has a pattern for (hub.Follower).
// Whoever makes it waits: nobody has published to it yet. So those who join it begin with its first message, whenever they
// come to it. Safe for concurrent use.
func (sh *Shard) Appeared(name wire.ChannelName) {
	a := &sh.arrivals
	a.mu.Lock()
	a.names = append(a.names, name)
	first := len(a.names) == 1
	a.mu.Unlock()
	if first {
		sh.loop.Post(sh.arrived)
	}
}

// arrived has the channels joined that have appeared.
func (sh *Shard) arrived() {
	a := &sh.arrivals
	a.mu.Lock()
	names := a.names
	a.names = nil
	a.mu.Unlock()
	for _, name := range names {
		sh.patterns.Match(name, func(p *pattern) {
			if sh.settings.Hub.MaySubscribe(p.of.session.principal, name) == nil {
				p.of.join(p.appeared(name))
			}
		})
	}
}

// appeared is how the pattern comes to hold a channel that has appeared: from its first message on, or from where the client
// has it if that has just told so.
func (p *pattern) appeared(name wire.ChannelName) *joining {
	if from, given := p.positions[name]; given {
		delete(p.positions, name)
		return &joining{name: name, from: from, pattern: p, given: true}
	}
	return &joining{name: name, from: wire.Start{Kind: wire.StartOffset}, pattern: p}
}

// present is how the pattern comes to hold a channel that there has been before: from where its client wanted such to begin.
func (p *pattern) present(name wire.ChannelName) *joining {
	return &joining{name: name, from: p.frame.From, pattern: p}
}

// list finds out which of the channels there are that the session may subscribe. covers is called on another goroutine, done
// on the loop.
func (x *expansion) list(covers func(wire.ChannelName) bool, done func(names []wire.ChannelName, err error)) {
	if x.listings = append(x.listings, listing{covers, done}); len(x.listings) == 1 {
		x.nextListing()
	}
}

// nextListing begins the first of the listings. They are done one after the other: where a channel begins that several of them
// find is for the first to say.
func (x *expansion) nextListing() {
	s, l := x.session, x.listings[0]
	s.shard.settings.Hub.Expand(s.principal, l.covers, 2*s.shard.settings.MaxSubscriptions, func(names []wire.ChannelName, err error) {
		s.shard.loop.Post(func() {
			x.listings = slices.Delete(x.listings, 0, 1)
			l.done(names, err)
			if len(x.listings) > 0 {
				x.nextListing()
			}
			x.tidy()
			x.goOn()
		})
	})
}

// listed has the channels joined that there are: first those that the client has positions for, whether they are there still
// or not, so that it is told of what is lost.
func (x *expansion) listed(p *pattern, names []wire.ChannelName) {
	s := x.session
	first := make([]wire.ChannelName, 0, len(p.positions))
	for name := range p.positions {
		if p.words.Expands(name) && s.shard.settings.Hub.MaySubscribe(s.principal, name) == nil {
			first = append(first, name)
		}
	}
	slices.Sort(first)
	for _, name := range first {
		x.queue = append(x.queue, &joining{name: name, from: p.positions[name], pattern: p, given: true})
	}
	for _, name := range names {
		if _, given := p.positions[name]; !given {
			x.queue = append(x.queue, p.present(name))
		}
	}
	p.positions = nil
}

// join puts a channel at the end of the queue.
func (x *expansion) join(j *joining) {
	s := x.session
	if limit := s.shard.settings.MaxSubscriptions; x.paused && len(x.queue) >= maxWaiting*limit {
		s.Goodbye(wire.CloseSlow, fmt.Sprintf("pattern %s: more than %d channels wait to be joined", j.pattern.text, maxWaiting*limit), 0)
		return
	}
	if x.queue = append(x.queue, j); len(x.queue) == 1 {
		s.shard.loop.Post(x.goOn)
	}
}

// rests reports whether nothing can be joined now. Whoever is waited for calls goOn.
func (x *expansion) rests() bool {
	s := x.session
	return s.state != stateOpen || len(x.listings) > 0 || x.busy || x.paused || s.shard.reopening[s.slot] != nil
}

// goOn joins the next channels, as far as these are in memory.
func (x *expansion) goOn() {
	if x.rests() || len(x.queue) == 0 {
		return
	}
	s := x.session
	x.prepare()
	for x.asked > 0 && !x.busy {
		j := x.queue[0]
		if !j.pattern.ended && (j.asking || !x.ready(j)) {
			s.Flush()
			return
		}
		x.queue[0] = nil
		x.queue = x.queue[1:]
		x.asked--
		x.open(j)
	}
	s.Flush()
	if x.busy || len(x.queue) == 0 {
		return
	}
	if x.paused = s.waiting() > s.maxOutbox(); !x.paused {
		s.shard.loop.Post(x.goOn)
	}
}

// prepare has the channels that come next brought into memory, and the embedding program asked about them.
func (x *expansion) prepare() {
	if x.asked > 0 {
		return
	}
	s := x.session
	for _, j := range x.queue[:min(len(x.queue), joinAtOnce)] {
		x.asked++
		if x.joined[j.name] != nil || s.find(j.name) >= 0 {
			continue // it was asked for before
		}
		x.screen(j)
		if s.shard.topics[j.name] == nil {
			s.shard.settings.Hub.Prepare(s.principal, j.name, func() {})
		}
	}
}

// screen asks the hook of the embedding program, if there is one, whether the session may read a channel.
func (x *expansion) screen(j *joining) {
	s := x.session
	h := s.shard.settings.Hub
	if h.Hooks().Subscribe == nil {
		return
	}
	c := s.client()
	j.asking = true
	h.Screen(func(ctx context.Context) error { return h.Hooks().Subscribe(ctx, c, j.name) }, func(err error) {
		s.shard.loop.Post(func() {
			j.asking, j.refused = false, err
			x.goOn()
		})
	})
}

// ready reports whether the channel is in memory.
func (x *expansion) ready(j *joining) bool {
	s := x.session
	later := func() { s.shard.loop.Post(x.goOn) }
	return s.shard.topics[j.name] != nil || j.refused != nil || s.shard.settings.Hub.Prepare(s.principal, j.name, later)
}

// open has the pattern hold a channel. What it may not have it is not told of.
func (x *expansion) open(j *joining) {
	s := x.session
	if j.pattern.ended || j.refused != nil {
		return
	}
	at, h := s.find(j.name), x.joined[j.name]
	switch {
	case at < 0:
		x.place(j)
	case h == nil || !slices.Contains(h.by, j.pattern):
		x.holds(j.pattern, at, true)
		t := s.subs[at].topic
		s.send(&wire.Frame{Body: &wire.Subscribed{
			Channel:  t.log.Name(),
			Position: wire.Position{Epoch: t.log.Epoch(), Offset: s.next(at) - 1}, // the cursor stays where it is
			Tail:     t.log.Tail(),
			Pattern:  j.pattern.text,
		}})
	case h.own || h.by[0] != j.pattern: // where it begins, and what it shows, is another's to say
	case j.given:
		x.place(j)
	default:
		x.refilter(j.name, h)
	}
}

// place opens the cursor of a channel that nothing else holds, or moves it.
func (x *expansion) place(j *joining) {
	s := x.session
	if limit := s.shard.settings.MaxSubscriptions; s.find(j.name) < 0 && len(s.subs) >= limit {
		x.refuse(j, wire.Errorf(wire.CodeResourceExhausted, "pattern %s: this session has %d subscriptions, which is its limit", j.pattern.text, limit))
		return
	}
	t, err := j.pattern.topic(j.name)
	if err != nil {
		x.refuse(j, err)
		return
	}
	opening, known := s.shard.locate(t, j.from, func(opening func() channel.Opening) { x.found(j, t, opening) })
	if !known {
		x.busy, j.filter = true, j.pattern.frame.Filter
		return
	}
	s.start("", j.pattern.text, t, opening, j.pattern.frame.Info)
	s.choose(t, &j.pattern.frame)
	x.holds(j.pattern, s.find(j.name), false)
}

// topic returns the loop's view of a channel as the pattern shows it.
func (p *pattern) topic(name wire.ChannelName) (*topic, error) {
	b := p.frame
	b.Channel = name
	return p.of.session.topicOf(&b)
}

// refilter has a channel shown as the first of the patterns shows it that hold it, unless the client has it by its name. The
// cursor goes on from where it is.
func (x *expansion) refilter(name wire.ChannelName, h *holding) {
	s := x.session
	if h.own {
		return
	}
	at, first := s.find(name), h.by[0]
	if at < 0 {
		return
	}
	t, err := first.topic(name)
	if err != nil { // what it shows now is not what is wanted
		s.drop(at)
		delete(x.joined, name)
		s.sendUnsubscribed(name, err)
		return
	}
	if s.subs[at].topic != t {
		s.start("", first.text, t, t.log.GoOn(s.next(at)), first.frame.Info)
	}
	s.choose(t, &first.frame)
}

// next is what the cursor of a subscription is to deliver next.
func (s *Session) next(at int) wire.Offset { return s.subs[at].topic.cursors[s.subs[at].index].next }

// locate finds where a subscription begins. If that has to be looked up, found is called on the loop.
func (sh *Shard) locate(t *topic, from wire.Start, found func(func() channel.Opening)) (opening channel.Opening, known bool) {
	later := func(opening func() channel.Opening) { sh.loop.Post(func() { found(opening) }) }
	if t.sifted != nil && from.Kind == wire.StartLast && from.Last > 0 {
		count := int(min(from.Last, uint64(maxLastMatches)))
		newest := func() channel.Opening { return t.log.OpenAt(t.sifted.derived.Last(count)) }
		if !t.sifted.derived.Cover(t.log.Head(), count, func() { later(newest) }) {
			return opening, false
		}
		return newest(), true
	}
	if !t.log.Seek(from, func(first wire.Offset) { later(func() channel.Opening { return t.log.OpenAt(first) }) }) {
		return opening, false
	}
	return t.log.Open(from), true
}

// found goes on with a channel whose beginning had to be looked up.
func (x *expansion) found(j *joining, t *topic, opening func() channel.Opening) {
	s := x.session
	x.busy = false
	current := s.shard.holds(t)
	switch {
	case s.state != stateOpen || j.pattern.ended:
	case !current || j.filter != j.pattern.frame.Filter || s.mayOpen(j.name) != nil:
		// The last of its subscribers has left meanwhile, there is another filter, or the session may not have it any more.
		x.queue = slices.Insert(x.queue, 0, j)
		x.asked++
	case s.find(j.name) >= 0: // the client was quicker
		x.open(j)
	default:
		s.start("", j.pattern.text, t, opening(), j.pattern.frame.Info)
		s.choose(t, &j.pattern.frame)
		x.holds(j.pattern, s.find(j.name), false)
	}
	if current && len(t.cursors) == 0 {
		s.shard.release(t)
	}
	if s.state == stateOpen {
		s.Flush() // nothing else may be left to join, and nothing to deliver
	}
	x.goOn()
}

// holds notes that a pattern holds the channel whose subscription is at a place of the session's; own tells that the client
// has it by its name, if no other pattern holds it.
func (x *expansion) holds(p *pattern, at int, own bool) {
	name := x.session.subs[at].topic.log.Name()
	h := x.joined[name]
	if h == nil {
		h = &holding{own: own}
		x.joined[name] = h
	}
	if !slices.Contains(h.by, p) {
		h.by = append(h.by, p)
	}
}

// refuse tells the client of a channel that it does not have, though the pattern stands for it.
func (x *expansion) refuse(j *joining, err error) {
	if wire.AsError(err).Code != wire.CodePermissionDenied { // then it is none of those that the pattern stands for, to this session
		x.session.sendUnsubscribed(j.name, err)
	}
}
