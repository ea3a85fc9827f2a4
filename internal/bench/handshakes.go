package bench

import "time"

// halfwayRest is how long the server is looked at when all handshakes are under way.
const halfwayRest = 2 * time.Second

// handshakes opens connections that stop in the middle of their handshake, and tells what these cost the server.
func handshakes(s *stage) error {
	s.play = quiet{s}
	before := s.look()
	s.begin()
	most := before.Anonymous
	watch := func() error {
		most = max(most, s.look().Anonymous)
		return s.turn(time.Millisecond)
	}
	for line := range s.lines {
		if err := s.dial(line); err != nil {
			return err
		}
		for s.swarm.Halfway() < line-openedAtOnce {
			if err := watch(); err != nil {
				return err
			}
		}
	}
	for until := s.swarm.Now() + halfwayRest; s.swarm.Now() < until; {
		if err := watch(); err != nil {
			return err
		}
	}
	s.count = uint64(s.swarm.Halfway())
	s.end()
	if s.result.Server != nil {
		s.result.Server.BytesPerLine = float64(most-before.Anonymous) / float64(s.lines)
	}
	return nil
}
