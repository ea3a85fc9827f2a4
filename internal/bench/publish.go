package bench

import (
	"bytes"
	"time"

	"github.com/magpie-bridge/magpie/internal/bench/target"
)

// publish has every line publish a message and wait until it is acknowledged as stored, again and again. With more in
// flight a line publishes as many at once. Nobody reads.
func publish(s *stage) error {
	p := &stores{
		stage: s, sent: make([]uint64, s.lines), readers: make([]reader, s.lines), offsets: make([]uint64, s.lines),
		payload: bytes.Repeat([]byte{'x'}, s.opts.Payload), at: make([][]time.Duration, s.lines),
	}
	for i := range s.members {
		s.members[i].steps = []target.Kind{target.Connect, target.Prepare}
	}
	if err := s.openAll(p); err != nil {
		return err
	}
	for line := range s.members {
		for range s.opts.InFlight {
			p.send(line)
		}
	}
	if err := s.measure(s.nothing); err != nil {
		return err
	}
	p.ended = true
	if err := s.rest(p.complete); err != nil {
		return err
	}
	for line := range p.readers {
		if s.members[line].joined {
			p.readers[line].finish(p.sent[line], &s.faults)
		}
	}
	return nil
}

// stores is the play of publish.
type stores struct {
	*stage
	sent    []uint64          // by line
	readers []reader          // by line, of the acknowledgements
	offsets []uint64          // by line, where the last message of the line stands
	at      [][]time.Duration // by line, when those under way were sent
	payload []byte
	ended   bool
}

func (*stores) joined(int, target.Place) {}

func (*stores) left(int) {}

func (p *stores) received(line int, event target.Event) {
	if event.Sequence == 0 || event.Sequence > p.sent[line] {
		p.faults.Unreadable++
		return
	}
	if !p.readers[line].take(event.Sequence, 0, &p.faults) {
		return
	}
	if event.Offset <= p.offsets[line] { // its own messages stand in the order in which it published them
		p.faults.Misplaced++
	}
	p.offsets[line] = event.Offset
	p.count++
	p.latency.Record(p.swarm.Heard() - p.at[line][0])
	p.at[line] = p.at[line][1:]
	if !p.ended {
		p.send(line)
	}
}

func (p *stores) send(line int) {
	p.sent[line]++
	p.at[line] = append(p.at[line], p.swarm.Now())
	stamp{run: p.run, channel: uint32(line), sequence: p.sent[line]}.put(p.payload)
	p.say(target.Command{Kind: target.Store, Line: line, Channel: p.members[line].channel, Sequence: p.sent[line], Payload: p.payload})
}

func (p *stores) complete() bool {
	for line := range p.readers {
		if p.members[line].joined && p.readers[line].last < p.sent[line] {
			return false
		}
	}
	return true
}
