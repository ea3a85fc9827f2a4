package hub

import (
	"slices"
	"sync"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// job is something that is to be run.
type job struct {
	run  func()
	size int // bytes that it holds
}

// workers runs handlers on a bounded number of goroutines, which exist only while there is something to run. Jobs are begun
// in the order in which they came. Safe for concurrent use.
type workers struct {
	most    int // goroutines
	waiting int // jobs that may wait for one

	mu      sync.Mutex // guards the fields below
	changed *sync.Cond // of mu: running has fallen to 0
	queue   []*job
	held    int // bytes, by the queue
	running int
}

func newWorkers(most, waiting int) *workers {
	w := &workers{most: most, waiting: waiting}
	w.changed = sync.NewCond(&w.mu)
	return w
}

// do has something run that holds nothing to speak of, and that nobody takes back.
func (w *workers) do(run func()) error { return w.put(&job{run: run}) }

// put has a job run.
func (w *workers) put(j *job) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.running == w.most && (len(w.queue) >= w.waiting || w.held+j.size > maxWaitingBytes) {
		return wire.Errorf(wire.CodeResourceExhausted,
			"the gateway runs %d calls, and %d more wait for their turn: call again in a while", w.most, len(w.queue))
	}
	w.queue = append(w.queue, j)
	w.held += j.size
	if w.running < w.most {
		w.running++
		go w.run()
	}
	return nil
}

// withdraw takes a job back that waits.
func (w *workers) withdraw(j *job) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if at := slices.Index(w.queue, j); at >= 0 {
		w.queue = slices.Delete(w.queue, at, at+1)
		w.held -= j.size
	}
}

func (w *workers) run() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.queue) > 0 {
		next := w.queue[0]
		w.held -= next.size
		w.queue[0] = nil
		if w.queue = w.queue[1:]; len(w.queue) == 0 {
			w.queue = nil
		}
		w.mu.Unlock()
		next.run()
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
