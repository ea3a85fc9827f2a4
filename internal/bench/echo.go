package bench

import (
	"bytes"
	"time"

	"github.com/magpie-bridge/magpie/internal/bench/target"
)

// echo has every line send a message and wait for it to come back, again and again. With more in flight a line sends
// as many at once.
func echo(s *stage) error {
	e := &echoes{stage: s, sent: make([]uint64, s.lines), readers: make([]reader, s.lines), payload: bytes.Repeat([]byte{'x'}, s.opts.Payload)}
	for i := range s.members {
		s.members[i].steps = []target.Kind{target.Connect, target.Listen}
	}
	s.result.Channels = 0
	if err := s.openAll(e); err != nil {
		return err
	}
	for line := range s.members {
		for range s.opts.InFlight {
			e.send(line)
		}
	}
	if err := s.measure(s.nothing); err != nil {
		return err
	}
	e.ended = true
	if err := s.rest(e.complete); err != nil {
		return err
	}
	for line := range e.readers {
		if s.members[line].joined {
			e.readers[line].finish(e.sent[line], &s.faults)
		}
	}
	return nil
}

// nothing is the step of scenarios whose lines keep themselves going.
func (s *stage) nothing() (time.Duration, error) { return tickInterval, nil }

// echoes is the play of echo.
type echoes struct {
	*stage
	sent    []uint64 // by line
	readers []reader // by line
	payload []byte
	ended   bool
}

func (*echoes) joined(int, target.Place) {}

func (*echoes) left(int) {}

func (e *echoes) received(line int, event target.Event) {
	m, ok := readStamp(event.Payload, e.run)
	if !ok || m.channel != uint32(line) {
		e.faults.Unreadable++
		return
	}
	if !e.readers[line].take(m.sequence, 0, &e.faults) {
		return
	}
	e.count++
	e.latency.Record(e.swarm.Heard() - time.Duration(m.at))
	if !e.ended {
		e.send(line)
	}
}

func (e *echoes) send(line int) {
	e.sent[line]++
	m := stamp{run: e.run, channel: uint32(line), sequence: e.sent[line], at: uint64(e.swarm.Now())}
	m.put(e.payload)
	e.say(target.Command{Kind: target.Echo, Line: line, Payload: e.payload})
}

func (e *echoes) complete() bool {
	for line := range e.readers {
		if e.members[line].joined && e.readers[line].last < e.sent[line] {
			return false
		}
	}
	return true
}
