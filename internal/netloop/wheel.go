package netloop

import (
	"math"
	"time"
)

// A wheel keeps a loop's timers: a hashed timing wheel (Varghese and Lauck, 1987, scheme 6). Timers here are
// heartbeats and timeouts, which are moved much more often than they fire, so moving one later costs nothing: its
// entry stays where it is and is put further on when it comes up.
type wheel struct {
	start time.Time // of tick 0; ticks count the time since, which nobody can set back as they can a clock
	fire  func(c *life, now time.Time)
	slots [wheelSlots][]wheelEntry
	at    int64 // the tick that was handled last
	armed int   // entries in the slots
}

const (
	wheelSlots = 512
	wheelTick  = 100 * time.Millisecond

	// keptEntries is the room that a slot keeps for its next round. A burst of connections needs more and must not be
	// remembered by every slot; a slot that has to grow again does so once a round, which is nearly a minute.
	keptEntries = 64
)

type wheelEntry struct {
	conn *life
	due  uint32 // the tick it was put in for; an entry whose timer says otherwise is void
}

// timer is a connection's timer: when it fires, and where its entry waits. Ticks of a tenth of a second need no more than
// 32 bits for 13 years.
type timer struct {
	at    uint32 // ticks; 0: stopped
	entry uint32 // due of the valid entry; 0: none
}

// newWheel returns a wheel that calls fire for the connections whose time has come.
func newWheel(start time.Time, fire func(c *life, now time.Time)) wheel {
	return wheel{start: start, fire: fire}
}

func (w *wheel) tickOf(t time.Time) int64 { return int64(t.Sub(w.start) / wheelTick) }

// set makes the connection's timer fire in the first tick that begins at or after the given time.
func (w *wheel) set(c *life, at time.Time) {
	t := &c.timer
	if at.IsZero() {
		t.at = 0
		return
	}
	t.at = uint32(min(max(w.tickOf(at), w.at)+1, math.MaxUint32))
	if t.entry == 0 || t.at < t.entry {
		w.put(c)
	}
}

func (w *wheel) put(c *life) {
	t := &c.timer
	t.entry = min(t.at, uint32(w.at+wheelSlots-1)) // a far timer is looked at once a round
	slot := &w.slots[t.entry%wheelSlots]
	*slot = append(*slot, wheelEntry{conn: c, due: t.entry})
	w.armed++
}

// advance fires what has come due.
func (w *wheel) advance(now time.Time) {
	tick := w.tickOf(now)
	if w.armed == 0 || tick-w.at > wheelSlots {
		// Nothing to visit, or a jump over the whole wheel: one round sees every slot.
		w.at = max(w.at, tick-wheelSlots)
	}
	for w.at < tick {
		w.at++
		slot := &w.slots[w.at%wheelSlots]
		entries := *slot
		if len(entries) == 0 {
			continue
		}
		*slot = nil // timers set while these fire may come here
		w.armed -= len(entries)
		for _, e := range entries {
			w.visit(e, tick, now)
		}
		clear(entries)
		if *slot == nil && cap(entries) <= keptEntries {
			*slot = entries[:0]
		}
	}
}

func (w *wheel) visit(e wheelEntry, tick int64, now time.Time) {
	t := &e.conn.timer
	if t.entry != e.due {
		return
	}
	t.entry = 0
	switch {
	case t.at == 0:
	case int64(t.at) > tick:
		w.put(e.conn)
	default:
		t.at = 0
		w.fire(e.conn, now)
	}
}

// wait is how long the loop may sleep before it must look again.
func (w *wheel) wait() time.Duration {
	if w.armed == 0 {
		return -1
	}
	return wheelTick
}
