package netloop

import "time"

// A wheel keeps a loop's timers: a hashed timing wheel (Varghese and Lauck, 1987, scheme 6). Timers here are
// heartbeats and timeouts, which are moved much more often than they fire, so moving one later costs nothing: its
// entry stays where it is and is put further on when it comes up.
type wheel struct {
	start time.Time // of tick 0; ticks count the time since, which nobody can set back as they can a clock
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
	timer *timer
	due   int64 // the tick it was put in for; an entry whose timer says otherwise is void
}

// timer is a connection's timer: when it fires, and where its entry waits.
type timer struct {
	at    int64 // ticks; 0: stopped
	entry int64 // due of the valid entry; 0: none
	fire  func(now time.Time)
}

func newWheel(start time.Time) wheel { return wheel{start: start} }

func (w *wheel) tickOf(t time.Time) int64 { return int64(t.Sub(w.start) / wheelTick) }

// set makes t fire in the first tick that begins at or after the given time.
func (w *wheel) set(t *timer, at time.Time) {
	if at.IsZero() {
		t.at = 0
		return
	}
	t.at = max(w.tickOf(at)+1, w.at+1)
	if t.entry == 0 || t.at < t.entry {
		w.put(t)
	}
}

func (w *wheel) put(t *timer) {
	t.entry = min(t.at, w.at+wheelSlots-1) // a far timer is looked at once a round
	slot := &w.slots[t.entry%wheelSlots]
	*slot = append(*slot, wheelEntry{timer: t, due: t.entry})
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
	t := e.timer
	if t.entry != e.due {
		return
	}
	t.entry = 0
	switch {
	case t.at == 0:
	case t.at > tick:
		w.put(t)
	default:
		t.at = 0
		t.fire(now)
	}
}

// wait is how long the loop may sleep before it must look again.
func (w *wheel) wait() time.Duration {
	if w.armed == 0 {
		return -1
	}
	return wheelTick
}
