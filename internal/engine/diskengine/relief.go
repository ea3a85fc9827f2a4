package diskengine

import (
	"cmp"
	"slices"
	"sync"
)

// relief makes room in memory when the budget is spent: first go the channels that nobody watches, the largest first,
// which come back from disk when they are asked for; and then the oldest chunks of the others.
type relief struct {
	mu sync.Mutex // held by the one goroutine that makes room, guards the field below

	// futile is 0, or what is in use until another look is worth its while: the last one found too little to drop.
	futile int64
}

// lookAgain is the part of the budget that must be filled before relief looks again where it found too little.
const lookAgain = 64

// relieve makes room when the budget is spent, and reports whether there is some.
func (e *Engine) relieve() (room bool) {
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
	goal := budget.Limit() - budget.Limit()/10
	all := e.topics.all()
	slices.SortFunc(all, func(a, b *topic) int { return cmp.Compare(b.log.Cost(), a.log.Cost()) })
	for _, t := range all {
		if budget.Used() <= goal {
			break
		}
		if t.level != Memory {
			e.topics.unload(t)
		}
	}
	for _, t := range all {
		for budget.Used() > goal && t.log.DropOldest() {
			e.relieved.Add(1)
		}
	}
	e.relief.futile = 0
	if used := budget.Used(); used > goal {
		e.relief.futile = used + budget.Limit()/lookAgain
	}
	return !budget.Spent()
}
