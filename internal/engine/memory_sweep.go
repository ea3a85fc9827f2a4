package engine

import (
	"container/heap"
	"time"

	"github.com/magpie-bridge/magpie/internal/channel"
)

// sweepLoop lets go of what time alone makes old.
func (e *Memory) sweepLoop() {
	ticker := time.NewTicker(e.opts.SweepEvery)
	defer ticker.Stop()
	for {
		select {
		case <-e.stop:
			return
		case <-ticker.C:
			e.sweep()
		}
	}
}

func (e *Memory) sweep() {
	now := e.opts.Space.Now()
	for _, log := range e.all() {
		since := log.Sweep()
		if since.IsZero() {
			continue // somebody watches it
		}
		gone := false
		switch p := e.opts.Policy(log.Name()); {
		case p.TTL > 0:
			gone = log.Expire(now.Add(-p.TTL))
		case !p.Given:
			gone = since.Before(now.Add(-e.opts.IdleAfter)) && log.Close(false)
		}
		if gone {
			e.remove(log)
		}
	}
	e.relief.Look()
	e.relieve() // readers make views without ever appending
}

func (e *Memory) all() []*channel.Log {
	var logs []*channel.Log
	for i := range e.shards {
		s := &e.shards[i]
		s.mu.RLock()
		for _, log := range s.logs {
			logs = append(logs, log)
		}
		s.mu.RUnlock()
	}
	return logs
}

// relieve makes room when the budget is spent, and reports whether there is some. Channels that are empty and without
// subscribers give way first, of which only the numbering is lost; then the largest logs, a chunk at a time. What
// subscribers lose by it they are told, as with any retention.
func (e *Memory) relieve() (room bool) { return e.relief.Make(e.opts.Space.Budget(), e.free) }

func (e *Memory) free(goal int64) {
	budget := e.opts.Space.Budget()
	largest := costHeap{}
	for _, log := range e.all() {
		if e.dispense(log) {
			continue
		}
		largest = append(largest, costed{log: log, cost: log.Cost()})
	}
	heap.Init(&largest)
	for len(largest) > 0 && budget.Used() > goal {
		top := &largest[0]
		if top.log.DropOldest() {
			e.relieved.Add(1)
			top.cost = top.log.Cost()
			heap.Fix(&largest, 0)
			continue
		}
		e.dispense(top.log)
		heap.Pop(&largest)
	}
}

// dispense evicts a log that is empty and has no subscribers, where its channel may be made again by whoever needs it.
func (e *Memory) dispense(log *channel.Log) bool {
	if e.opts.Policy(log.Name()).Given || !log.Close(false) {
		return false
	}
	e.remove(log)
	return true
}

type costed struct {
	log  *channel.Log
	cost int64
}

// costHeap has the most expensive log on top (container/heap).
type costHeap []costed

func (h costHeap) Len() int           { return len(h) }
func (h costHeap) Less(i, j int) bool { return h[i].cost > h[j].cost }
func (h costHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *costHeap) Push(x any)        { *h = append(*h, x.(costed)) }
func (h *costHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = costed{}
	*h = old[:len(old)-1]
	return last
}
