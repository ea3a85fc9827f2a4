package bench

import "math/rand/v2"

// channels publishes to one of many channels at a time, at random but in the same order in every run.
func channels(s *stage) error {
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same numbers are wanted in every run
	return s.traffic(func() int { return random.IntN(s.result.Channels) })
}
