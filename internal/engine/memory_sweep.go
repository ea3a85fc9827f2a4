package engine

import (
	"container/heap"
	"sync"
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
	idle := e.opts.Space.Now().Add(-e.opts.IdleAfter)
	for _, log := range e.all() {
		if since := log.Sweep(); !since.IsZero() && since.Before(idle) && log.Close(false) {
			e.remove(log)
		}
	}
	e.relief.look()
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

// relief is who gives way when the budget is spent: channels that are empty and without subscribers, of which only the
// numbering is lost; then the largest logs first, a chunk at a time, until a tenth of the budget is free again. What
// subscribers lose by it they are told, as with any retention.
type relief struct {
	mu sync.Mutex // held by the one goroutine that makes room, guards the field below

	// futile is 0, or what is in use until another look is worth its while: the last one found too little to drop.
	futile int64
}

// look makes the next relief one that looks, whatever the last one found.
func (r *relief) look() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.futile = 0
}

// freeTo is the share of the budget that relief leaves in use, so that it need not run again at once.
const freeTo = 0.9

// lookAgain is the part of the budget that must be filled before relief looks again at logs that gave it too little:
// looking costs a step for each log there is.
const lookAgain = 64

// relieve makes room when the budget is spent, and reports whether there is some. Publishers wait for it: that is what
// keeps the cap.
func (e *Memory) relieve() (room bool) {
	budget := e.opts.Space.Budget()
	if !budget.Spent() {
		return true
	}
	e.relief.mu.Lock()
	defer e.relief.mu.Unlock()
	if !budget.Spent() {
		return true // another has made room meanwhile
	}
	if budget.Used() < e.relief.futile {
		return false
	}
	goal := int64(float64(budget.Limit()) * freeTo)
	largest := costHeap{}
	for _, log := range e.all() {
		if log.Close(false) {
			e.remove(log)
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
		if top.log.Close(false) {
			e.remove(top.log)
		}
		heap.Pop(&largest)
	}
	e.relief.futile = 0
	if used := budget.Used(); used > goal {
		e.relief.futile = used + budget.Limit()/lookAgain
	}
	return !budget.Spent()
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
