package bench

import (
	"time"

	"github.com/magpie-bridge/magpie/internal/bench/target"
)

// The small channel of mixed.
const (
	smallReaders = 10
	smallRate    = 200 // messages a second
)

// mixed has one channel that takes all that the server can give, and beside it a small one at a steady pace, of which
// the latency is told: what a busy channel costs the others.
func mixed(s *stage) error {
	const large, small = 0, 1
	s.result.Channels = small + 1
	for i := range s.members {
		s.members[i].channel = large
		if i < min(smallReaders, s.lines-1) {
			s.members[i].channel = small
		}
	}
	t, err := newTraffic(s, func() int { return large })
	if err != nil {
		return err
	}
	s.play = blend{t, small}
	rate := s.opts.Rate
	if rate == 0 {
		rate = smallRate
	}
	interval := time.Duration(float64(time.Second) / rate)
	err = s.measure(func() (time.Duration, error) {
		now := s.swarm.Now()
		for ; t.due <= now; t.due += interval {
			t.publishTo(small, noSlot, t.due)
		}
		if _, err := t.refill(now); err != nil {
			return 0, err
		}
		return t.due - now, nil
	})
	if err != nil {
		return err
	}
	return t.settle()
}

// blend is the play of mixed: the latency of one channel only counts.
type blend struct {
	*traffic
	small uint32
}

func (b blend) received(line int, e target.Event) {
	m, ok := b.accept(line, e)
	if !ok {
		return
	}
	b.count++
	if m.channel == b.small {
		b.latency.Record(b.swarm.Heard() - time.Duration(m.at))
	}
	b.arrived(m)
}
