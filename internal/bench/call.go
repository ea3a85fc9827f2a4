package bench

import (
	"bytes"
	"time"

	"github.com/magpie-bridge/magpie/internal/bench/target"
)

// call has the lines call what others serve, which answer at once with what they were asked: again and again, so many calls
// of each caller at a time. The lines that serve are there besides those that call.
func call(s *stage) error {
	c := &calls{
		stage: s, sent: make([]uint64, s.lines), slots: make([]pending, s.lines*s.opts.InFlight),
		payload: bytes.Repeat([]byte{'x'}, s.opts.Payload),
	}
	s.result.Channels, s.result.Servers = 0, s.opts.Servers
	for i := range s.members {
		s.members[i].steps = []target.Kind{target.Connect, target.Attend}
	}
	for range s.opts.Servers {
		s.members = append(s.members, member{steps: []target.Kind{target.Connect, target.Serve}})
	}
	if err := s.openAll(c); err != nil {
		return err
	}
	for i := range c.slots {
		c.send(i)
	}
	if err := s.measure(s.nothing); err != nil {
		return err
	}
	c.ended = true
	if err := s.rest(func() bool { return c.open == 0 }); err != nil {
		return err
	}
	s.faults.Lost += uint64(c.open)
	return nil
}

// calls is the play of call. Every call has a slot, and its payload says which: calls may come to the servers, and their
// answers return, in any order, but each once.
type calls struct {
	*stage
	sent    []uint64  // by caller
	slots   []pending // InFlight for each caller, one after the other
	open    int       // calls that are not answered
	payload []byte
	ended   bool
}

// pending is the newest call of a slot.
type pending struct {
	number   uint64 // of the caller's
	served   bool   // it has come to a server
	answered bool
}

func (*calls) joined(int, target.Place) {}

func (*calls) left(int) {}

func (c *calls) received(line int, e target.Event) {
	m, ok := readStamp(e.Payload, c.run)
	if !ok || int(m.channel) >= c.lines || int(m.slot) >= c.opts.InFlight {
		c.faults.Unreadable++
		return
	}
	slot := int(m.channel)*c.opts.InFlight + int(m.slot)
	switch {
	case m.sequence > c.slots[slot].number:
		c.faults.Unreadable++ // nobody has called that
	case e.Kind == target.Called:
		c.serve(line, slot, m, e)
	default:
		c.take(line, slot, m, e)
	}
}

// serve answers a call that came to a line.
func (c *calls) serve(line, slot int, m stamp, e target.Event) {
	p := &c.slots[slot]
	switch {
	case line < c.lines: // it serves nothing
		c.faults.Crossed++
	case m.sequence < p.number || p.served:
		c.faults.Duplicated++
	default:
		p.served = true
		c.say(target.Command{Kind: target.Answer, Line: line, ID: e.ID, Payload: e.Payload})
	}
}

// take checks an answer that came to a line, and calls anew.
func (c *calls) take(line, slot int, m stamp, e target.Event) {
	p := &c.slots[slot]
	switch {
	case line != int(m.channel), e.Sequence != 0 && e.Sequence != m.sequence:
		c.faults.Crossed++
	case m.sequence < p.number || p.answered:
		c.faults.Duplicated++
	case !p.served: // somebody else must have answered
		c.faults.Unreadable++
	default:
		p.answered = true
		c.open--
		c.count++
		c.latency.Record(c.swarm.Heard() - time.Duration(m.at))
		if !c.ended {
			c.send(slot)
		}
	}
}

func (c *calls) send(slot int) {
	line := slot / c.opts.InFlight
	c.sent[line]++
	c.open++
	c.slots[slot] = pending{number: c.sent[line]}
	m := stamp{
		run: c.run, channel: uint32(line), slot: uint32(slot % c.opts.InFlight), sequence: c.sent[line], at: uint64(c.swarm.Now()),
	}
	m.put(c.payload)
	c.say(target.Command{Kind: target.Call, Line: line, Sequence: c.sent[line], Payload: c.payload})
}
