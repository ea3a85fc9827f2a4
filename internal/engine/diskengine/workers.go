package diskengine

import "sync"

// workPool runs what has to wait for the disk on few goroutines. Safe for concurrent use.
type workPool struct {
	mu      sync.Mutex // guards the fields below
	changed *sync.Cond // of mu
	jobs    []func()
	closed  bool
	running sync.WaitGroup
}

func newWorkPool(workers int) *workPool {
	p := &workPool{}
	p.changed = sync.NewCond(&p.mu)
	for range workers {
		p.running.Go(p.run)
	}
	return p
}

// do has job run as soon as a worker is free. What is under way is bounded by whoever calls it.
func (p *workPool) do(job func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.jobs = append(p.jobs, job)
	p.changed.Signal()
}

// waiting returns how many jobs no worker has begun.
func (p *workPool) waiting() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.jobs)
}

// close waits until all jobs have run.
func (p *workPool) close() {
	p.mu.Lock()
	p.closed = true
	p.changed.Broadcast()
	p.mu.Unlock()
	p.running.Wait()
}

func (p *workPool) run() {
	for {
		p.mu.Lock()
		for len(p.jobs) == 0 && !p.closed {
			p.changed.Wait()
		}
		if len(p.jobs) == 0 {
			p.mu.Unlock()
			return
		}
		job := p.jobs[0]
		p.jobs[0] = nil
		p.jobs = p.jobs[1:]
		p.mu.Unlock()
		job()
	}
}
