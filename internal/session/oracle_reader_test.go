package session

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// held is a pattern that a reader has subscribed.
type held struct {
	filter string
	asked  int          // the step in which it was subscribed first
	heard  int          // the step in which the answer was heard last
	from   []wire.Start // what was asked for, one time and the next
	given  map[wire.ChannelName]wire.Position
	tails  map[wire.ChannelName]wire.Offset // when it was asked for last
}

// request is one that has not been answered.
type request struct {
	step  int
	frame wire.Body
	tails map[wire.ChannelName]wire.Offset
}

// reader is what a client knows.
type reader struct {
	world    map[wire.ChannelName]*past
	open     map[string]request
	places   map[wire.ChannelName]*place
	patterns map[wire.ChannelName]*held
	revived  *revival // what it has resumed, if it has
}

// revival is what a client had when its session was resumed.
type revival struct {
	places   map[wire.ChannelName]*place
	patterns map[wire.ChannelName]*held
	given    map[wire.ChannelName]wire.Position
	tails    map[wire.ChannelName]wire.Offset
	exact    bool // nothing had been asked that was not answered
	step     int
}

func newReader(world map[wire.ChannelName]*past) *reader {
	return &reader{
		world:    world,
		open:     make(map[string]request),
		places:   make(map[wire.ChannelName]*place),
		patterns: make(map[wire.ChannelName]*held),
	}
}

// hear takes the next frame, in the given step.
func (r *reader) hear(step int, e event) error {
	switch b := e.body().(type) {
	case *wire.Subscribed:
		if q, asked := r.open[e.frame.RequestID]; asked {
			delete(r.open, e.frame.RequestID)
			return r.answered(step, q, b)
		}
		return r.joined(step, b)
	case *wire.Unsubscribed:
		q, asked := r.open[e.frame.RequestID]
		delete(r.open, e.frame.RequestID)
		if !asked || q.frame.(*wire.Unsubscribe).Channel != b.Channel || b.Code != "" {
			return fmt.Errorf("nobody asked for %s", e)
		}
		return r.ended(b.Channel)
	case *wire.Error:
		q := r.open[e.frame.RequestID]
		delete(r.open, e.frame.RequestID)
		if u, ok := q.frame.(*wire.Unsubscribe); ok && b.Code == wire.CodeNotFound && !r.has(u.Channel) {
			return nil
		}
		return fmt.Errorf("%s is answered with %s", q.frame, e)
	case *wire.Page:
		q := r.open[e.frame.RequestID]
		delete(r.open, e.frame.RequestID)
		return checkPage(r.world[b.Channel], q, b)
	case *wire.Message:
		return r.at(b.Channel, func(p *place) error { return p.message(b) })
	case *wire.PositionUpdate:
		return r.at(b.Channel, func(p *place) error { return p.position(b.Position) })
	case *wire.Gap:
		return r.at(b.Channel, func(p *place) error { return p.gap(b) })
	}
	return fmt.Errorf("unexpected: %s", e)
}

// at has a frame checked by the place that it is for.
func (r *reader) at(name wire.ChannelName, check func(*place) error) error {
	if p := r.places[name]; p != nil {
		return check(p)
	}
	return fmt.Errorf("something of %s comes, which is not followed", name)
}

// has reports whether there is a subscription that was made with this name.
func (r *reader) has(name wire.ChannelName) bool {
	if name.IsPattern() {
		return r.patterns[name] != nil
	}
	return r.places[name] != nil && r.places[name].own
}

// answered takes the answer to a subscribe.
func (r *reader) answered(step int, q request, b *wire.Subscribed) error {
	asked := q.frame.(*wire.Subscribe)
	if asked.Channel != b.Channel {
		return fmt.Errorf("%s is answered for %s", asked.Channel, b.Channel)
	}
	if b.Channel.IsPattern() {
		h := r.patterns[b.Channel]
		if h == nil {
			h = &held{asked: q.step}
			r.patterns[b.Channel] = h
		}
		h.filter, h.heard, h.tails, h.from = asked.Filter, step, q.tails, append(h.from, asked.From)
		h.given = make(map[wire.ChannelName]wire.Position)
		for _, at := range asked.Positions {
			h.given[at.Channel] = at.Position
		}
		return nil
	}
	p := r.places[b.Channel]
	follows := p != nil && asked.From.Kind == wire.StartNow && p.filter != asked.Filter
	if p == nil {
		p = &place{past: r.world[b.Channel]}
		r.places[b.Channel] = p
	}
	if p.owed != nil {
		return fmt.Errorf("the gap %+v has not been told", *p.owed)
	}
	p.learn(b)
	var err error
	if follows {
		p.owed, err = p.goesOn(b, p.at)
	} else {
		p.owed, err = p.begins(b, asked.From, asked.Filter, q.tails[b.Channel])
	}
	p.at, p.filter, p.own, p.asked = b.Position.Offset, asked.Filter, true, asked.Filter
	return err
}

// learn takes the epoch of a channel from the first who tells it.
func (c *past) learn(b *wire.Subscribed) {
	if c.epoch == "" {
		c.epoch = b.Position.Epoch
	}
}

// joined takes a subscribed that nobody has asked for: a channel joins by a pattern, or a session is resumed.
func (r *reader) joined(step int, b *wire.Subscribed) error {
	switch {
	case b.Pattern == "" && r.revived == nil:
		return fmt.Errorf("%s is subscribed, and nobody asked for it", b.Channel)
	case b.Channel.IsPattern():
		was := r.revived.patterns[b.Channel]
		if was == nil {
			was = &held{asked: step, from: []wire.Start{{}}}
		}
		r.patterns[b.Channel] = &held{asked: was.asked, heard: max(was.heard, was.asked), from: was.from, tails: r.revived.tails}
		return nil
	}
	p := r.places[b.Channel]
	if p != nil && b.Pattern != "" {
		return r.met(p, b)
	}
	if p != nil {
		return fmt.Errorf("%s is subscribed once more, and nobody asked for it", b.Channel)
	}
	p = &place{past: r.world[b.Channel]}
	p.learn(b)
	starts, lo := []wire.Start{{}}, wire.Offset(0)
	if h := r.patterns[b.Pattern]; h != nil {
		p.by, p.filter = []wire.ChannelName{b.Pattern}, h.filter
		starts, lo = h.starts(p.past), h.tails[b.Channel]
	} else if p.own = true; b.Pattern != "" {
		return fmt.Errorf("%s joins by %s, which is not subscribed", b.Channel, b.Pattern)
	}
	if r.revived != nil {
		starts = r.revived.starts(p.past, starts)
	}
	r.places[b.Channel] = p
	return p.settle(b, starts, lo)
}

// settle puts the reader where one of the starts is.
func (p *place) settle(b *wire.Subscribed, starts []wire.Start, lo wire.Offset) error {
	p.at = b.Position.Offset
	var failures []error
	silent := false
	for _, from := range starts {
		switch gap, err := p.begins(b, from, p.filter, lo); {
		case err != nil:
			failures = append(failures, err)
		case gap != nil:
			p.may = append(p.may, gap)
		default:
			silent = true
		}
	}
	if len(failures) == len(starts) {
		return errors.Join(failures...)
	}
	if !silent {
		p.owed = p.may[0] // one of them has to be
	}
	return nil
}

// starts are where a channel may begin that joins.
func (h *held) starts(c *past) []wire.Start {
	first := wire.Start{Kind: wire.StartOffset}
	if at, given := h.given[c.name]; given {
		return []wire.Start{{Kind: wire.StartPosition, Epoch: at.Epoch, Offset: at.Offset}}
	}
	switch {
	case c.mentioned > h.heard: // it has appeared
		return []wire.Start{first}
	case len(h.from) == 1 && c.settled > 0 && c.settled <= h.asked: // it was there
		return h.from
	}
	return append(slices.Clone(h.from), first)
}

// starts are where a channel may begin that comes back, or joins after that.
func (v *revival) starts(c *past, starts []wire.Start) []wire.Start {
	if at, given := v.given[c.name]; given {
		delete(v.given, c.name)
		return []wire.Start{{Kind: wire.StartPosition, Epoch: at.Epoch, Offset: at.Offset}}
	}
	if c.mentioned > v.step {
		return starts
	}
	// The client did not know that it had it: now, or from the first message on as if it had appeared meanwhile.
	return append(slices.Clone(starts), wire.Start{Kind: wire.StartOffset}, wire.Start{})
}

// met takes what is told when a pattern comes to hold a channel that is followed, or the filter of one is applied.
func (r *reader) met(p *place, b *wire.Subscribed) (err error) {
	h := r.patterns[b.Pattern]
	if h == nil {
		return fmt.Errorf("%s joins by %s, which is not subscribed", b.Channel, b.Pattern)
	}
	delete(h.given, b.Channel)
	if !slices.Contains(p.by, b.Pattern) {
		p.by = append(p.by, b.Pattern)
		if b.Position.Offset != p.at {
			return fmt.Errorf("%s meets %s at %d, and is said to stand at %d", b.Pattern, b.Channel, p.at, b.Position.Offset)
		}
		return nil
	}
	if i := slices.Index(p.by, b.Pattern); p.own || !r.ending(p.by[:i]) {
		return fmt.Errorf("%s is shown as %s has it, and others go before: %v", b.Channel, b.Pattern, p.by)
	}
	if p.owed != nil {
		return fmt.Errorf("the gap %+v has not been told", *p.owed)
	}
	p.owed, err = p.goesOn(b, p.at)
	p.at, p.filter = b.Position.Offset, h.filter
	return err
}

// ending reports whether all of these patterns are being unsubscribed.
func (r *reader) ending(patterns []wire.ChannelName) bool {
	return !slices.ContainsFunc(patterns, func(text wire.ChannelName) bool {
		for _, q := range r.open {
			if u, ok := q.frame.(*wire.Unsubscribe); ok && u.Channel == text {
				return false
			}
		}
		return true
	})
}

// ended takes the answer to an unsubscribe.
func (r *reader) ended(name wire.ChannelName) error {
	if !r.has(name) {
		return fmt.Errorf("%s is unsubscribed, and was not subscribed", name)
	}
	if !name.IsPattern() {
		if p := r.places[name]; len(p.by) > 0 {
			p.own = false
		} else {
			delete(r.places, name)
		}
		return nil
	}
	delete(r.patterns, name)
	for of, p := range r.places {
		p.by = slices.DeleteFunc(p.by, func(by wire.ChannelName) bool { return by == name })
		switch {
		case p.own:
		case len(p.by) == 0:
			delete(r.places, of)
		case p.filter != r.patterns[p.by[0]].filter:
			return fmt.Errorf("%s has gone, and %s is still filtered with %q", name, of, p.filter)
		}
	}
	return nil
}

// complete checks that nothing is owed to the reader when everything has come to rest.
func (r *reader) complete(final bool) error {
	for id, q := range r.open {
		return fmt.Errorf("request %s, %+v, is not answered", id, q.frame)
	}
	for _, p := range r.places {
		if err := p.complete(final); err != nil {
			return err
		}
	}
	for text := range r.patterns {
		for name, c := range r.world {
			if p := r.places[name]; c.published > 0 && standsFor(text, name) && (p == nil || !slices.Contains(p.by, text)) {
				return fmt.Errorf("%s has not joined by %s", name, text)
			}
		}
	}
	return r.revived.complete(r)
}

// complete checks that all has come back that was there.
func (v *revival) complete(r *reader) error {
	if v == nil || !v.exact {
		return nil
	}
	v.exact = false // once: it may be unsubscribed from now on
	for name, p := range v.places {
		if p.own && p.asked == "" && !r.has(name) {
			return fmt.Errorf("%s has not come back", name)
		}
	}
	for text, h := range v.patterns {
		if h.filter == "" && !r.has(text) {
			return fmt.Errorf("%s has not come back", text)
		}
	}
	return nil
}

// standsFor reports whether a pattern stands for a channel.
func standsFor(pattern, name wire.ChannelName) bool {
	want, words := strings.Split(string(pattern), "."), strings.Split(string(name), ".")
	for i, word := range want {
		switch {
		case word == ">":
			return i < len(words)
		case i >= len(words) || word != "*" && word != words[i]:
			return false
		}
	}
	return len(want) == len(words)
}
