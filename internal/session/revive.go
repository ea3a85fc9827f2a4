package session

import (
	"slices"
	"strings"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/hub/trie"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// What a resumed session had of patterns comes back in three steps: the patterns, so that nothing that appears is missed from
// then on; the channels that they had brought, each from where the client has it; and those that have appeared meanwhile,
// from their first message on.

// keptPatterns are the patterns to be kept of a session whose line ends: those without a filter.
func (x *expansion) keptPatterns() (texts []wire.ChannelName) {
	if x == nil {
		return nil
	}
	for text, p := range x.patterns {
		if p.whole() {
			texts = append(texts, text)
		}
	}
	return texts
}

// kept reports whether one of these holds a channel.
func (x *expansion) kept(name wire.ChannelName) bool {
	return x != nil && x.joined[name] != nil && slices.ContainsFunc(x.joined[name].by, (*pattern).whole)
}

// whole reports whether all messages of the pattern's channels are wanted.
func (p *pattern) whole() bool {
	return p.frame.Filter == "" && !p.frame.ExcludeSelf && !p.frame.Conflate
}

// alone reports whether only patterns hold a channel.
func (x *expansion) alone(name wire.ChannelName) bool {
	return x != nil && x.joined[name] != nil && !x.joined[name].own
}

// revive has the session hold its patterns again, and adds to the channels that are to be reopened those that it had by them,
// and those that the client has positions for: what was subscribed at the last moment may not have been kept.
func (r *reopening) revive(joined []wire.ChannelName, known map[wire.ChannelName]bool, positions []wire.ChannelPosition) {
	s := r.session
	if s.state != stateOpen {
		return
	}
	r.joined = make(map[wire.ChannelName]bool, len(joined))
	for _, text := range r.patterns {
		r.hold(text)
	}
	add := func(name wire.ChannelName, byPattern bool) {
		if known[name] {
			return
		}
		known[name] = true
		r.channels = append(r.channels, name)
		if byPattern {
			r.joined[name] = true
		}
	}
	for _, name := range joined {
		add(name, true)
		if _, heard := r.from[name]; !heard { // the client lost its line before it was told of the channel
			r.from[name] = wire.Start{Kind: wire.StartOffset}
		}
	}
	for i := range positions {
		add(positions[i].Channel, len(s.patternsOf(positions[i].Channel)) > 0)
	}
}

// hold subscribes a pattern, unasked.
func (r *reopening) hold(text wire.ChannelName) {
	s := r.session
	words, err := auth.ParsePattern(string(text))
	if err == nil {
		_, err = s.shard.expansionOf(s).hold(text, words)
	}
	if err != nil {
		s.sendUnsubscribed(text, err)
		return
	}
	s.send(&wire.Frame{Body: &wire.Subscribed{Channel: text}})
}

// patternsOf returns the patterns of the session that stand for a channel, in the order of their texts.
func (s *Session) patternsOf(name wire.ChannelName) (all []*pattern) {
	x := s.shard.expansions[s.slot]
	if x == nil {
		return nil
	}
	for _, p := range x.patterns {
		if p.words.Expands(name) {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b *pattern) int { return strings.Compare(string(a.text), string(b.text)) })
	return all
}

// restart opens the subscription of a resumed session to a channel, for all that hold it.
func (s *Session) restart(t *topic, opening channel.Opening) {
	name := t.log.Name()
	by := s.patternsOf(name)
	r := s.shard.reopening[s.slot]
	own := r == nil || !r.joined[name]
	switch {
	case own:
		s.start("", "", t, opening, nil)
	case len(by) > 0:
		s.start("", by[0].text, t, opening, nil)
		by[0].of.holds(by[0], s.find(name), false)
		by = by[1:]
	case len(t.cursors) == 0: // the pattern by which it had the channel could not be had again
		s.shard.release(t)
	}
	for _, p := range by {
		p.of.open(&joining{name: name, pattern: p})
	}
}

// catchUp looks for the channels that have appeared while a resumed session had no line.
func (s *Session) catchUp() {
	if x := s.shard.expansions[s.slot]; x != nil {
		x.lookAgain((*pattern).appeared, func() {})
	}
}

// lookAgain has the patterns of a session take up the channels that there are and that they do not have yet, and then goes on
// with what comes after.
func (x *expansion) lookAgain(begin func(*pattern, wire.ChannelName) *joining, after func()) {
	s := x.session
	if s.state != stateOpen {
		after()
		return
	}
	var sought trie.Trie[*pattern]
	for _, p := range x.patterns {
		sought.Add(p.text, p)
	}
	covers := func(name wire.ChannelName) (found bool) {
		sought.Match(name, func(*pattern) { found = true })
		return found
	}
	x.list(covers, func(names []wire.ChannelName, err error) {
		defer after()
		if s.state != stateOpen {
			return
		}
		for _, name := range names {
			sought.Match(name, func(p *pattern) { x.queue = append(x.queue, begin(p, name)) })
		}
		if err != nil {
			x.lost(err)
		}
	})
}

// lost ends the patterns, because it cannot be told what has appeared: the client is to subscribe them again.
func (x *expansion) lost(err error) {
	for _, p := range x.patterns {
		x.end(p)
		x.session.sendUnsubscribed(p.text, err)
	}
	x.session.Flush()
}

// resumeJoining goes on when the line has room again.
func (s *Session) resumeJoining() {
	if len(s.shard.expansions) == 0 {
		return
	}
	if x := s.shard.expansions[s.slot]; x != nil && x.paused && s.waiting() <= s.maxOutbox() {
		x.paused = false
		s.shard.loop.Post(x.goOn)
	}
}
