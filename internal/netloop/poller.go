package netloop

import "time"

// sleeper waits without sockets of its own: all events come by wake, from the goroutines of the connections.
type sleeper struct {
	woken chan struct{}
	timer *time.Timer
}

func newSleeper() *sleeper {
	return &sleeper{woken: make(chan struct{}, 1), timer: time.NewTimer(time.Hour)}
}

func (s *sleeper) wait(timeout time.Duration) {
	if timeout == 0 {
		select {
		case <-s.woken:
		default:
		}
		return
	}
	if timeout < 0 {
		<-s.woken
		return
	}
	s.timer.Reset(timeout)
	select {
	case <-s.woken:
	case <-s.timer.C:
	}
}

func (s *sleeper) wake() {
	select {
	case s.woken <- struct{}{}:
	default:
	}
}

func (s *sleeper) close() { s.timer.Stop() }
