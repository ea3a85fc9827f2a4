package bench

import (
	"slices"
	"time"

	"github.com/magpie-bridge/magpie/internal/bench/target"
)

// storm drops every line at once and lets all return at once, while messages are published, until the time is up. A
// line returns with the place where it was, if the server has places: then it is to get what it missed, once and in
// order. The latency is that from the drop to the acknowledged subscription.
func storm(s *stage) error {
	t, err := newTraffic(s, s.inTurn())
	if err != nil {
		return err
	}
	w := &weather{traffic: t, here: slices.Repeat([]bool{true}, s.lines), home: s.lines}
	s.play = w
	s.begin()
	w.next = s.began + s.opts.calm
	err = s.repeat(s.opts.Duration, func() (time.Duration, error) { return w.step(true) })
	for gone := s.swarm.Now() + s.opts.patience; err == nil && w.home < s.lines && s.swarm.Now() < gone; {
		err = s.repeat(s.opts.calm/20, func() (time.Duration, error) { return w.step(false) })
	}
	if err != nil {
		return err
	}
	s.end()
	s.result.PerSecond = 0
	if w.storming > 0 {
		s.result.PerSecond = float64(s.result.Operations) / w.storming.Seconds()
	}
	s.phase = "waiting for the last"
	return t.settle()
}

// weather is the play of storm.
type weather struct {
	*traffic
	here     []bool        // by line
	home     int           // lines that are here
	away     []int         // lines that are to be opened again
	struck   time.Duration // when the last storm began
	next     time.Duration // when the next is to begin
	storming time.Duration // how long all storms took together
}

func (w *weather) joined(line int, at target.Place) {
	w.traffic.joined(line, at)
	if at.Epoch == "" && line != w.publisher {
		w.readers[line].offset = 0 // it begins with whatever comes
	}
	now := w.swarm.Heard()
	w.count++
	w.latency.Record(now - w.struck)
	w.here[line] = true
	if w.home++; w.home == w.lines {
		w.storming += now - w.struck
		w.next = now + w.opts.calm
	}
}

func (w *weather) left(line int) {
	if line == w.publisher {
		return
	}
	if w.here[line] {
		w.depart(line)
	}
	w.away = append(w.away, line)
}

func (w *weather) received(line int, e target.Event) { w.accept(line, e) }

func (w *weather) step(strike bool) (time.Duration, error) {
	if strike && w.home == w.lines && w.swarm.Now() >= w.next {
		w.strike()
	}
	for _, line := range w.away {
		if err := w.dial(line); err != nil {
			return 0, err
		}
	}
	w.away = w.away[:0]
	return w.traffic.step()
}

// strike drops every line.
func (w *weather) strike() {
	w.struck = w.swarm.Now()
	for line := range w.lines {
		if w.here[line] {
			w.drop(line)
			w.depart(line)
			w.away = append(w.away, line)
		}
	}
}

// depart notes where a line was.
func (w *weather) depart(line int) {
	w.home--
	w.here[line] = false
	m := &w.members[line]
	w.audience[m.channel]--
	m.after.Offset = w.readers[line].offset
}
