package main

import (
	"fmt"
	"sync"
	"time"
)

// checker collects what publishers were told and what subscribers saw, and says where these disagree. Safe for concurrent
// use.
type checker struct {
	mu       sync.Mutex // guards the fields below
	channels map[string]*book
	tally    tally
	faults   []string
	timing   bool // collect how long messages take
	took     []time.Duration
}

// times begins, or ends, to collect how long messages take, and returns what was collected.
func (c *checker) times(on bool) []time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	took := c.took
	c.timing, c.took = on, nil
	return took
}

// tally counts.
type tally struct {
	Acknowledged int `json:"acknowledged"`
	Delivered    int `json:"delivered"`
	Lost         int `json:"lost"`  // acknowledged, and neither delivered nor told as a gap
	Twice        int `json:"twice"` // delivered again, or standing at two places
	Order        int `json:"order"` // not the next one, without a gap
	False        int `json:"false"` // recovered was said, and was not so; or one offset named two messages
	Gaps         int `json:"gaps"`  // told
}

// book is what is known of a channel.
type book struct {
	epoch string
	at    map[uint64]string // the message at each offset
	where map[string]uint64 // the offset of each message
	acked map[uint64]bool
	last  uint64 // the newest offset acknowledged
}

func newChecker() *checker { return &checker{channels: map[string]*book{}} }

// maxFaults is how many faults are told in words.
const maxFaults = 10

func (c *checker) fault(count *int, format string, args ...any) {
	*count++
	if len(c.faults) < maxFaults {
		c.faults = append(c.faults, fmt.Sprintf(format, args...))
	}
}

func (c *checker) book(channel string) *book {
	b := c.channels[channel]
	if b == nil {
		b = &book{at: map[uint64]string{}, where: map[string]uint64{}, acked: map[uint64]bool{}}
		c.channels[channel] = b
	}
	return b
}

// place notes that a message stands at an offset, and finds out whether that was said otherwise before.
func (c *checker) place(who, channel string, b *book, offset uint64, id string) {
	if other, known := b.at[offset]; known && other != id {
		c.fault(&c.tally.False, "%s: offset %d of %s is message %s, and was %s before", who, offset, channel, id, other)
	}
	if other, known := b.where[id]; known && other != offset {
		c.fault(&c.tally.Twice, "%s: message %s of %s stands at %d, and at %d", who, id, channel, other, offset)
	}
	b.at[offset], b.where[id] = id, offset
}

// inEpoch notes the epoch that a channel is in: it never changes, because nothing may be rolled back.
func (c *checker) inEpoch(who, channel string, b *book, epoch string) {
	if b.epoch != "" && b.epoch != epoch {
		c.fault(&c.tally.False, "%s: %s is in epoch %s, and was in %s", who, channel, epoch, b.epoch)
	}
	b.epoch = epoch
}

// acknowledged notes what a publisher was told.
func (c *checker) acknowledged(who, channel string, p position, id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := c.book(channel)
	c.inEpoch(who, channel, b, p.Epoch)
	c.place(who, channel, b, p.Offset, id)
	b.acked[p.Offset] = true
	b.last = max(b.last, p.Offset)
	c.tally.Acknowledged++
}

// view is what one subscriber has seen of a channel.
type view struct {
	name, channel string
	position      position
	gaps          [][2]uint64 // told
	missing       [][2]uint64 // not told
}

// subscribed takes where a subscription begins.
func (c *checker) subscribed(v *view, f *frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inEpoch(v.name, v.channel, c.book(v.channel), f.Position.Epoch)
	if f.Recovered && v.position.Epoch != "" && f.Position != v.position {
		c.fault(&c.tally.False, "%s: %s is said to be recovered at %d, from %d", v.name, v.channel, f.Position.Offset, v.position.Offset)
	}
	if !f.Recovered && v.position.Epoch != "" && v.position.Offset > f.Position.Offset {
		c.fault(&c.tally.Lost, "%s: %s goes on at %d, and was at %d", v.name, v.channel, f.Position.Offset, v.position.Offset)
	}
	if v.position.Epoch == "" {
		v.position = f.Position
	}
}

// message takes a message.
func (c *checker) message(v *view, f *frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch next := v.position.Offset + 1; {
	case f.Offset < next:
		c.fault(&c.tally.Twice, "%s: %d of %s came when %d was due", v.name, f.Offset, v.channel, next)
	case f.Offset > next:
		c.fault(&c.tally.Order, "%s: %d of %s came when %d was due", v.name, f.Offset, v.channel, next)
		v.missing = append(v.missing, [2]uint64{next, f.Offset - 1})
	}
	c.place(v.name, v.channel, c.book(v.channel), f.Offset, f.MessageID)
	if c.timing {
		c.took = append(c.took, sinceSent(f.MessageID))
	}
	v.position.Offset = max(v.position.Offset, f.Offset)
	c.tally.Delivered++
}

// gap takes a gap that was told.
func (c *checker) gap(v *view, f *frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tally.Gaps++
	v.gaps = append(v.gaps, [2]uint64{f.FromOffset, f.ToOffset})
	v.position.Offset = max(v.position.Offset, f.ToOffset)
}

// behind returns how far the view is behind what was acknowledged.
func (c *checker) behind(v *view) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return int(c.book(v.channel).last) - int(v.position.Offset)
}

// finish finds what was acknowledged and never seen.
func (c *checker) finish(views []*view) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, v := range views {
		for offset := range c.book(v.channel).acked {
			if offset > v.position.Offset || within(v.missing, offset) && !within(v.gaps, offset) {
				c.fault(&c.tally.Lost, "%s: %d of %s was acknowledged and never came", v.name, offset, v.channel)
			}
		}
	}
}

// within reports whether one of the ranges covers the offset.
func within(ranges [][2]uint64, offset uint64) bool {
	for _, g := range ranges {
		if g[0] <= offset && offset <= g[1] {
			return true
		}
	}
	return false
}

// report is what was found.
func (c *checker) report() report {
	c.mu.Lock()
	defer c.mu.Unlock()
	return report{Tally: c.tally, Faults: append([]string(nil), c.faults...), Figures: map[string]string{}}
}
