package hub

import (
	"sync"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// workers runs handlers on a bounded number of goroutines, which exist only while there is something to run. Jobs are begun
// in the order in which they came. Safe for concurrent use.
type workers struct {
	most    int // goroutines
	waiting int // jobs that may wait for one

	mu      sync.Mutex // guards the fields below
	changed *sync.Cond // of mu: running has fallen to 0
	queue   []func()
	running int
}

func newWorkers(most, waiting int) *workers {
	w := &workers{most: most, waiting: waiting}
	w.changed = sync.NewCond(&w.mu)
	return w
}

// do has a job run.
func (w *workers) do(job func()) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.running == w.most && len(w.queue) >= w.waiting {
		return wire.Errorf(wire.CodeResourceExhausted,
			"the gateway runs %d calls, and %d more wait for their turn: call again in a while", w.most, w.waiting)
	}
	w.queue = append(w.queue, job)
	if w.running < w.most {
		w.running++
		go w.run()
	}
	return nil
}

func (w *workers) run() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.queue) > 0 {
		job := w.queue[0]
		w.queue[0] = nil
		if w.queue = w.queue[1:]; len(w.queue) == 0 {
			w.queue = nil
		}
		w.mu.Unlock()
		job()
		w.mu.Lock()
	}
	if w.running--; w.running == 0 {
		w.changed.Broadcast()
	}
}

// wait waits until nothing runs.
func (w *workers) wait() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.running > 0 {
		w.changed.Wait()
	}
}
