package session

import (
	"encoding/binary"
	"encoding/hex"
	"strings"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// choose applies what a subscription leaves out besides what its filter does: what the session itself has published, and all
// but the newest message of each key. A pattern conflates those of its channels that can be.
func (s *Session) choose(t *topic, b *wire.Subscribe) {
	at := s.find(t.log.Name())
	if at < 0 || s.subs[at].topic != t {
		return
	}
	sub := &s.subs[at]
	if sub.exclude != b.ExcludeSelf {
		if sub.exclude = b.ExcludeSelf; sub.exclude {
			t.choosy++
		} else {
			t.choosy--
		}
	}
	sub.conflate = b.Conflate && t.conflatable()
}

// conflatable reports whether the channel knows of each key which message is the newest.
func (t *topic) conflatable() bool {
	return t.sifted == nil && t.slow != nil && t.slow.Action == SlowLatest
}

// checkChoice refuses what does not go together.
func checkChoice(b *wire.Subscribe) error {
	if b.Conflate && (b.Filter != "" || b.ExcludeSelf) {
		return wire.Errorf(wire.CodeInvalidArgument, "conflate does not go with filter or excludeSelf: leave out one of them")
	}
	return nil
}

// differs reports whether what is asked for is something else than what the subscription is.
func (sub *subscription) differs(t *topic, b *wire.Subscribe) bool {
	return sub.topic != t || sub.exclude != b.ExcludeSelf || sub.conflate != b.Conflate
}

// mayConflate tells what stands against what a subscription asks for, or nil.
func (t *topic) mayConflate(b *wire.Subscribe) error {
	if !b.Conflate || t.conflatable() {
		return nil
	}
	return wire.Errorf(wire.CodeFailedPrecondition, "channel %s keeps no index of its keys: its namespace has to say slow_consumer: latest", t.log.Name())
}

// origin is what marks the messages of this session, on whichever line it published them: the secret part of its id.
func (s *Session) origin() uint64 {
	random := s.random
	if id, given := s.shard.given[s.slot]; given {
		part := id[strings.LastIndexByte(string(id), '-')+1:]
		_, _ = hex.Decode(random[:], []byte(part[:min(len(part), 2*len(random))])) // an id of ours
	}
	return binary.LittleEndian.Uint64(random[:]) | 1 // 0 would be none
}

// leaveOut adds what a cursor owes to a write whose session does not want what it has published itself, and reports whether
// more is left.
func (s *Session) leaveOut(w *writing, sub *subscription) (more bool) {
	t := sub.topic
	c := &t.cursors[sub.index]
	if c.next < t.log.Head() {
		s.tellLost(t, c)
	}
	var found [channel.MaxSparse]wire.Offset
	run, last, ready := s.candidates(sub, found[:0])
	if !ready {
		return false
	}
	run, through := s.others(t, run, last)
	if len(run) == 0 {
		s.skipTo(t, c, through+1)
		return t.owes(c)
	}
	if run[0]-c.next >= channel.PositionEvery || c.next == 1 { // a prev of 0 would be none
		s.skipTo(t, c, run[0])
	}
	batch := t.log.FramesAt(s.format, c.next, run, sparseBudget, &w.sparse)
	if !w.lay(c, &batch) {
		return s.without(sub, &batch, run[0])
	}
	return true
}

// candidates are the next entries that the subscription's filter lets through, and the newest entry that was looked at for
// them. ready is false while older entries have to be looked at first.
func (s *Session) candidates(sub *subscription, run []wire.Offset) (found []wire.Offset, last wire.Offset, ready bool) {
	t := sub.topic
	next := t.cursors[sub.index].next
	if t.sifted == nil {
		last = min(t.log.Tail(), next+channel.MaxSparse-1)
		for offset := next; offset <= last; offset++ {
			run = append(run, offset)
		}
		return run, last, true
	}
	d := t.sifted.derived
	last = d.Through()
	run, lost, known := d.Next(run, next, channel.MaxSparse)
	switch {
	case !known:
		if s.cover(sub, next) {
			s.shard.pumpLater(s)
		}
		return nil, 0, false
	case lost: // it is found lost again when the head has passed it
		s.shard.pumpLater(s)
		return nil, 0, false
	case len(run) == channel.MaxSparse:
		last = run[len(run)-1]
	}
	return run, max(last, next-1), true
}

// others keeps those of the entries that the session has not published itself, as far as they are in memory: of one that is
// not it is not known. through is the entry up to which it is.
func (s *Session) others(t *topic, run []wire.Offset, last wire.Offset) (kept []wire.Offset, through wire.Offset) {
	own := s.origin()
	kept = run[:0]
	for _, offset := range run {
		origin, ok := t.log.Origin(offset)
		if !ok && len(kept) > 0 {
			return kept, offset - 1 // not before it is there
		}
		if !ok {
			return append(kept, offset), offset // what comes of it is for the frames to say
		}
		if origin != own {
			kept = append(kept, offset)
		}
	}
	return kept, last
}
