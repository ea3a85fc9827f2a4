package bench

import "github.com/magpie-bridge/magpie/internal/bench/target"

// idle opens the lines and leaves them alone. What the server's memory grew by is what they cost.
func idle(s *stage) error {
	before, kernel := s.look(), s.observer.Kernel()
	if err := s.openAll(quiet{s}); err != nil {
		return err
	}
	if err := s.measure(s.nothing); err != nil {
		return err
	}
	after := s.look()
	if s.result.Server != nil {
		s.result.Server.BytesPerLine = float64(after.Anonymous-before.Anonymous) / float64(s.lines)
		s.result.Server.KernelBytesPerLine = float64(s.observer.Kernel()-kernel) / float64(s.lines)
	}
	return nil
}

// quiet is the play of lines to which nothing is to happen.
type quiet struct{ *stage }

func (quiet) joined(int, target.Place) {}

func (quiet) left(int) {}

// received counts a message that nobody published.
func (q quiet) received(int, target.Event) { q.faults.Unreadable++ }
