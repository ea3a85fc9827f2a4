package bench

import (
	"fmt"

	"github.com/magpie-bridge/magpie/internal/bench/target"
)

// comeback has every line return at once and get the messages that were published while it was away. Both the returning and
// the messages are in the measured time.
func comeback(s *stage) error {
	t, err := away(s)
	if err != nil {
		return err
	}
	s.begin()
	for line := witness + 1; line < s.lines; line++ {
		if err := t.dial(line); err != nil {
			return err
		}
		if line%openedAtOnce == 0 {
			if err := s.turn(0); err != nil {
				return err
			}
		}
	}
	return t.caughtUp()
}

// replay is comeback with lines that have connected before the measured time begins: in it they subscribe, all at once.
func replay(s *stage) error {
	t, err := away(s)
	if err != nil {
		return err
	}
	for line := witness + 1; line < s.lines; line++ {
		s.members[line].steps = []target.Kind{target.Connect}
	}
	if err := s.joinFrom(witness+1, openedAtOnce); err != nil {
		return err
	}
	s.begin()
	for line := witness + 1; line < s.lines; line++ {
		m := &s.members[line]
		t.audience[m.channel]-- // until it has subscribed
		s.forget(line)
		m.steps = []target.Kind{target.Connect, target.Subscribe}
		s.proceed(line, target.Place{})
	}
	return t.caughtUp()
}

// witness is the line that stays, and so sees when the messages are there.
const witness = 0

// away opens all lines, drops all but one, and publishes what they are to miss.
func away(s *stage) (*traffic, error) {
	t, err := newTraffic(s, s.inTurn())
	if err != nil {
		return nil, err
	}
	for line := witness + 1; line < s.lines; line++ {
		m := &s.members[line]
		s.drop(line)
		t.audience[m.channel]--
		m.after.Offset = t.readers[line].offset
	}
	s.phase = "publishing"
	for range s.opts.Messages {
		t.publish(noSlot, s.swarm.Now())
	}
	if err := s.rest(func() bool { return t.readers[witness].last == uint64(s.opts.Messages) }); err != nil {
		return nil, err
	}
	if got := t.readers[witness].last; got != uint64(s.opts.Messages) {
		return nil, fmt.Errorf("only %d of %d messages came to the line that stayed", got, s.opts.Messages)
	}
	return t, nil
}

// caughtUp ends the measured time when every line has every message.
func (t *traffic) caughtUp() error {
	err := t.rest(func() bool { return t.members[t.lines-1].joined && t.stage.joined == len(t.members) && t.complete() })
	t.end()
	if err != nil {
		return err
	}
	return t.settle()
}
