package bench

import (
	"bytes"
	"fmt"
	"time"

	"github.com/magpie-bridge/magpie/internal/bench/target"
)

// traffic publishes messages and follows each to its last reader. With a rate it publishes at that pace; otherwise so
// many messages are in flight, and the next is published when one has reached all.
type traffic struct {
	*stage
	publisher int      // the line that publishes; it reads nothing
	readers   []reader // by line
	published []uint64 // by channel
	audience  []int    // by channel: lines that read it now
	slots     []slot   // messages in flight
	free      []uint32 // slots that are not used
	pick      func() int
	payload   []byte
	due       time.Duration // with a rate: when the next message is to be published
	swept     time.Duration // when messages were given up last
}

// slot follows one message in flight.
type slot struct {
	channel  int
	sequence uint64
	waiting  int // readers who have not got it
	at       time.Duration
}

// newTraffic opens the lines of a stage, and one more to publish on.
func newTraffic(s *stage, pick func() int) (*traffic, error) {
	t := &traffic{
		stage:     s,
		publisher: s.lines,
		readers:   make([]reader, s.lines),
		published: make([]uint64, s.result.Channels),
		audience:  make([]int, s.result.Channels),
		slots:     make([]slot, s.opts.InFlight),
		pick:      pick,
		payload:   bytes.Repeat([]byte{'x'}, s.opts.Payload),
	}
	s.members = append(s.members, member{steps: []target.Kind{target.Connect}})
	for i := range t.slots {
		t.free = append(t.free, uint32(i))
	}
	if err := s.openAll(t); err != nil {
		return nil, err
	}
	t.due = s.swarm.Now()
	return t, nil
}

// joined implements play.
func (t *traffic) joined(line int, at target.Place) {
	if line == t.publisher {
		return
	}
	t.audience[t.members[line].channel]++
	if at.Epoch != "" && t.members[line].after.Epoch == "" {
		t.members[line].after = at
		t.readers[line].offset = at.Offset
	}
}

// left implements play: what the line has not got is not waited for.
func (t *traffic) left(line int) {
	if line == t.publisher {
		return
	}
	channel := t.members[line].channel
	t.audience[channel]--
	for i := range t.slots {
		if s := &t.slots[i]; s.waiting > 0 && s.channel == channel && s.sequence > t.readers[line].last {
			t.delivered(uint32(i))
		}
	}
}

// received implements play.
func (t *traffic) received(line int, e target.Event) {
	m, ok := t.accept(line, e)
	if !ok {
		return
	}
	t.count++
	t.latency.Record(t.swarm.Heard() - time.Duration(m.at))
	t.arrived(m)
}

// arrived notes that a message has reached one more of its readers.
func (t *traffic) arrived(m stamp) {
	if int(m.slot) < len(t.slots) {
		if s := &t.slots[m.slot]; s.sequence == m.sequence && s.channel == int(m.channel) && s.waiting > 0 {
			t.delivered(m.slot)
		}
	}
}

// accept checks a message. ok is false when it does not count.
func (t *traffic) accept(line int, e target.Event) (m stamp, ok bool) {
	m, ok = readStamp(e.Payload, t.run)
	if !ok || line == t.publisher || m.channel != uint32(t.members[line].channel) {
		t.faults.Unreadable++
		return m, false
	}
	return m, t.readers[line].take(m.sequence, e.Offset, &t.faults)
}

func (t *traffic) delivered(i uint32) {
	s := &t.slots[i]
	s.waiting--
	if s.waiting == 0 {
		t.free = append(t.free, i)
	}
}

// noSlot is the slot of messages that are published at a rate: nobody waits for them.
const noSlot = ^uint32(0)

// step publishes what is due, and says how long there is nothing to publish.
func (t *traffic) step() (time.Duration, error) {
	if !t.members[t.publisher].joined {
		return 0, fmt.Errorf("the line that publishes broke: %w", t.cause)
	}
	now := t.swarm.Now()
	if t.opts.Rate == 0 {
		return t.refill(now)
	}
	interval := time.Duration(float64(time.Second) / t.opts.Rate)
	for ; t.due <= now; t.due += interval {
		t.publish(noSlot, t.due)
	}
	return t.due - now, nil
}

// refill publishes a message for each that has reached all.
func (t *traffic) refill(now time.Duration) (time.Duration, error) {
	for len(t.free) > 0 {
		i := t.free[len(t.free)-1]
		t.free = t.free[:len(t.free)-1]
		t.publish(i, now)
	}
	t.abandon(now)
	return tickInterval, nil
}

// abandon gives up messages that somebody should have got long ago; the readers tell what was lost.
func (t *traffic) abandon(now time.Duration) {
	if now-t.swept < tickInterval {
		return
	}
	t.swept = now
	for i := range t.slots {
		if s := &t.slots[i]; s.waiting > 0 && now-s.at > t.opts.patience {
			s.waiting = 0
			t.free = append(t.free, uint32(i))
		}
	}
}

func (t *traffic) publish(i uint32, at time.Duration) { t.publishTo(t.pick(), i, at) }

func (t *traffic) publishTo(channel int, i uint32, at time.Duration) {
	t.published[channel]++
	m := stamp{run: t.run, channel: uint32(channel), slot: i, sequence: t.published[channel], at: uint64(at)}
	if i != noSlot {
		t.slots[i] = slot{channel: channel, sequence: m.sequence, waiting: max(t.audience[channel], 1), at: at}
	}
	m.put(t.payload)
	t.say(target.Command{Kind: target.Publish, Line: t.publisher, Channel: channel, Payload: t.payload})
}

// settle waits for what is under way, and counts what never came.
func (t *traffic) settle() error {
	if err := t.rest(t.complete); err != nil {
		return err
	}
	for line := range t.readers {
		if m := &t.members[line]; m.joined {
			t.readers[line].finish(t.published[m.channel], &t.faults)
		}
	}
	return nil
}

// complete reports whether every reader has everything.
func (t *traffic) complete() bool {
	for line := range t.readers {
		m := &t.members[line]
		if m.joined && t.readers[line].last < t.published[m.channel] {
			return false
		}
	}
	return true
}
