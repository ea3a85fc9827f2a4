package bench

// fanout publishes to one channel that every line reads; with more channels, to each in turn.
func fanout(s *stage) error { return s.traffic(s.inTurn()) }

// inTurn names one channel after the other.
func (s *stage) inTurn() func() int {
	next := -1
	return func() int {
		next = (next + 1) % s.result.Channels
		return next
	}
}

// traffic measures messages that are published to the channels that pick names.
func (s *stage) traffic(pick func() int) error {
	t, err := newTraffic(s, pick)
	if err != nil {
		return err
	}
	if err := s.measure(t.step); err != nil {
		return err
	}
	return t.settle()
}
