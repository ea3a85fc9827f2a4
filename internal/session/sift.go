package session

import (
	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// sifting names a channel as a filter shows it.
type sifting struct {
	name   wire.ChannelName
	filter string
}

// sifted is what a topic has besides whose subscribers see only what a filter lets through. Most of them stand at the same
// place, so the frames that were laid down last serve the next of them too.
type sifted struct {
	derived *channel.Derived
	key     sifting

	scratch channel.Scratch // of the batch
	format  channel.FormatID
	batch   channel.Batch
	last    wire.Offset // the last match that was there when it was laid down
}

// topicOf returns the loop's view of what a subscription asks for, watching it from now on.
func (s *Session) topicOf(b *wire.Subscribe) (*topic, error) {
	if b.Filter == "" {
		return s.shard.topic(s, b.Channel)
	}
	f, err := s.filterOf(b.Filter)
	if err != nil {
		return nil, err
	}
	return s.shard.siftedTopic(s, b.Channel, f)
}

// filterOf compiles the text of a filter.
func (s *Session) filterOf(text string) (channel.Filter, error) {
	settings := &s.shard.settings
	if settings.Filter == nil {
		return nil, wire.Errorf(wire.CodeUnimplemented, "filters are not served by this gateway: leave out \"filter\" and choose from the messages yourself")
	}
	return settings.Filter(text)
}

// checkFilter reports what is wrong with the text of a filter.
func (s *Session) checkFilter(text string) error {
	if text == "" {
		return nil
	}
	_, err := s.filterOf(text)
	return err
}

func (sh *Shard) siftedTopic(s *Session, name wire.ChannelName, f channel.Filter) (*topic, error) {
	key := sifting{name, f.String()}
	h := sh.settings.Hub
	if t := sh.sifted[key]; t != nil {
		return t, h.MaySubscribe(s.principal, name)
	}
	t := &topic{}
	t.watch = channel.NewWatch(func(*channel.Watch) { sh.moved(t) })
	log, err := h.Watch(s.principal, name, t.watch) // it keeps the log until the derived one does
	if err != nil {
		return nil, err
	}
	defer log.Unwatch(t.watch)
	derived, err := log.Derive(f)
	if err != nil {
		return nil, err
	}
	key.name = log.Name()
	t.log, t.sifted = log, &sifted{derived: derived, key: key}
	sh.renewPresence(t)
	derived.Watch(t.watch)
	sh.sifted[key] = t
	return t, nil
}

// holds reports whether the topic is still the loop's view.
func (sh *Shard) holds(t *topic) bool {
	if t.sifted != nil {
		return sh.sifted[t.sifted.key] == t
	}
	return sh.topics[t.log.Name()] == t
}

// views calls f for each of the loop's views of a channel.
func (sh *Shard) views(name wire.ChannelName, f func(*topic)) {
	if t := sh.topics[name]; t != nil {
		f(t)
	}
	for key, t := range sh.sifted {
		if key.name == name {
			f(t)
		}
	}
}

// release ends the loop's use of the derived log.
func (v *sifted) release(sh *Shard, w *channel.Watch) {
	v.derived.Unwatch(w)
	v.derived.Release()
	delete(sh.sifted, v.key)
}

// owes reports whether the next of a topic's messages for a cursor is there.
func (t *topic) owes(c *cursor) bool {
	if t.sifted == nil {
		return c.next <= t.log.Tail()
	}
	var one [1]wire.Offset
	run, lost, known := t.sifted.derived.Next(one[:0], c.next, 1)
	return len(run) > 0 || lost || !known
}

// maxLastMatches bounds the newest matches that a subscription may begin with.
const maxLastMatches = 1_000_000

// sift adds what a cursor of a filtered subscription owes to a write, and reports whether more is left. As with conflation,
// what is passed over is never left untold.
func (s *Session) sift(w *writing, sub *subscription) (more bool) {
	t := sub.topic
	c, d := &t.cursors[sub.index], t.sifted.derived
	through := d.Through() // before the matches are asked for: all up to here are among them
	var found [channel.MaxSparse]wire.Offset
	run, lost, known := d.Next(found[:0], c.next, channel.MaxSparse)
	switch {
	case !known && c.next >= t.log.Head():
		return s.cover(sub, c.next)
	case lost || !known:
		s.tellLost(t, c)
		return true
	case len(run) == 0:
		if through+1 >= c.next+channel.PositionEvery || c.next <= d.Told() {
			s.skipTo(t, c, through+1)
		}
		return false
	}
	if run[0]-c.next >= channel.PositionEvery || c.next == 1 { // a prev of 0 would be none
		s.skipTo(t, c, run[0])
	}
	batch := t.sifted.frames(t.log, s.format, c.next, run)
	if !w.lay(c, &batch) {
		return s.without(sub, &batch, run[0])
	}
	return batch.After <= run[len(run)-1] || len(run) == channel.MaxSparse
}

// cover has older entries looked at, which the cursor waits for.
func (s *Session) cover(sub *subscription, from wire.Offset) (more bool) {
	t := sub.topic
	sub.fetching = true
	s.inFlight++
	if t.sifted.derived.Cover(from, 0, func() { s.shard.loop.Post(func() { s.arrived(t) }) }) {
		sub.fetching = false
		s.inFlight--
		return true
	}
	return false
}

// frames returns those of the matches in run, for a cursor at next. They last until the next call.
func (v *sifted) frames(log *channel.Log, f channel.FormatID, next wire.Offset, run []wire.Offset) channel.Batch {
	last := run[len(run)-1]
	if len(v.batch.Bytes) == 0 || v.format != f || v.batch.First != next || v.last != last {
		v.scratch.Reset()
		v.batch = log.FramesAt(f, next, run, cursorBudget, &v.scratch)
		v.format, v.last = f, last
	}
	return v.batch
}
