package main

import (
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

const (
	// slice is how many readers are served before the sockets are looked at again.
	slice = 128
	// roomy is when a log is begun anew, once everybody has read it.
	roomy = 1 << 20
)

// channel is a log of finished frames and those who read it.
type channel struct {
	name    string
	log     []byte
	last    uint64 // the offset of the last message
	readers []*line
	next    int // the reader that is served next
	behind  int // readers to look at in this pass
	dirty   bool
}

func (l *loop) channel(number int) *channel {
	c := l.channels[number]
	if c == nil {
		c = &channel{name: strconv.Itoa(number)}
		l.channels[number] = c
	}
	return c
}

// publish appends a frame that looks as Magpie's does, and has everybody looked at.
func (l *loop) publish(c *channel, payload []byte) {
	if len(c.log) > roomy && !c.dirty && c.read() {
		c.log = c.log[:0]
		for _, r := range c.readers {
			r.cursor = 0
		}
	}
	c.last++
	const before, between, after = `{"type":"message","channel":"bench.`, `,"publisher":"dev","timestamp":1795220090824,"data":"`, `"}`
	var digits [20]byte
	offset := strconv.AppendUint(digits[:0], c.last, 10)
	length := len(before) + len(c.name) + len(`","offset":`) + len(offset) + len(between) + len(payload) + len(after)
	b := appendHeader(c.log, length)
	b = append(append(append(b, before...), c.name...), `","offset":`...)
	b = append(append(append(b, offset...), between...), payload...)
	c.log = append(b, after...)
	c.behind = len(c.readers)
	if !c.dirty {
		c.dirty = true
		l.dirty = append(l.dirty, c)
	}
}

// read reports whether everybody has read everything.
func (c *channel) read() bool {
	return !slices.ContainsFunc(c.readers, func(r *line) bool { return r.cursor < len(c.log) })
}

// serve writes to a slice of readers, of one channel after the other.
func (l *loop) serve() {
	for left := slice; len(l.dirty) > 0 && left > 0; {
		c := l.dirty[0]
		for c.behind > 0 && left > 0 {
			c.behind--
			if c.next >= len(c.readers) {
				c.next = 0
			}
			r := c.readers[c.next]
			c.next++
			if r.cursor < len(c.log) && !r.waiting {
				left--
				l.flush(r)
			}
		}
		if c.behind > 0 {
			return
		}
		c.dirty = false
		l.dirty = l.dirty[1:]
	}
}

// flush writes all that a reader has not got.
func (l *loop) flush(r *line) {
	for r.cursor < len(r.channel.log) {
		n, err := write(r.fd, r.channel.log[r.cursor:])
		switch err {
		case 0:
			r.cursor += n
		case unix.EAGAIN:
			l.await(r)
			return
		default:
			l.close(r)
			return
		}
	}
}

func (c *channel) add(r *line) {
	r.channel, r.cursor, r.place = c, len(c.log), len(c.readers)
	c.readers = append(c.readers, r)
	c.behind = min(c.behind+1, len(c.readers))
}

// remove puts the last reader into the place of one that is gone, and has everybody looked at who may have been passed over.
func (c *channel) remove(r *line) {
	last := c.readers[len(c.readers)-1]
	c.readers[r.place] = last
	last.place = r.place
	c.readers = c.readers[:len(c.readers)-1]
	if c.dirty {
		c.behind = len(c.readers)
	}
}
