package bench

import (
	"time"

	"github.com/magpie-bridge/magpie/internal/bench/target"
)

// connect opens lines, so many at a time, and when as many stand as the stage is to have, drops the oldest for each new
// one. The latency is that from the first packet to the acknowledged subscription.
func connect(s *stage) error {
	j := &joins{stage: s, opening: make([]bool, s.lines), away: make([]int, 0, s.lines)}
	for line := range s.lines {
		j.away = append(j.away, s.lines-1-line)
	}
	s.play = j
	return s.measure(j.step)
}

// joins is the play of connect.
type joins struct {
	*stage
	opening []bool // by line
	open    int    // lines that are being opened
	away    []int  // lines that are not there; the last is opened next
	here    []int  // lines that have joined, the oldest first
}

func (j *joins) joined(line int, _ target.Place) {
	j.count++
	j.latency.Record(j.swarm.Heard() - j.members[line].dialled)
	j.opened(line)
	j.here = append(j.here, line)
}

func (j *joins) opened(line int) {
	j.opening[line] = false
	j.open--
}

// left has a line opened again. One that had joined is among those here, and has its turn there.
func (j *joins) left(line int) {
	if j.opening[line] {
		j.opened(line)
		j.away = append(j.away, line)
	}
}

func (j *joins) received(int, target.Event) { j.faults.Unreadable++ }

// step drops and opens. Neither may be done while events are handed over.
func (j *joins) step() (time.Duration, error) {
	for j.open < j.opts.InFlight {
		var line int
		switch {
		case len(j.away) > 0:
			line, j.away = j.away[len(j.away)-1], j.away[:len(j.away)-1]
		case len(j.here) > 0:
			line, j.here = j.here[0], j.here[1:]
			j.drop(line)
		default:
			return tickInterval, nil
		}
		j.opening[line] = true
		j.open++
		if err := j.dial(line); err != nil {
			return 0, err
		}
	}
	return tickInterval, nil
}
