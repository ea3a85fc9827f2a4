package engine

import (
	"sync"

	"github.com/magpie-bridge/magpie/internal/channel"
)

// Relief is when room is made in memory: once the budget is spent, by one goroutine at a time, until a tenth of it is free
// again, so that it need not run again at once. What gives way is the engine's own rule. The zero value is ready; it is safe
// for concurrent use.
type Relief struct {
	mu sync.Mutex // held by the one goroutine that makes room, guards the field below

	// futile is 0, or what is in use until another look is worth its while: the last one found too little to drop.
	futile int64
}

// freeShare is the part of the budget that relief leaves free, and lookAgain that which must be filled before it looks again
// where it found too little: looking costs a step for each log there is.
const (
	freeShare = 10
	lookAgain = 64
)

// Look makes the next relief one that looks, whatever the last one found.
func (r *Relief) Look() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.futile = 0
}

// Make has free called when the budget is spent, to drop what it can until only goal bytes are in use, and reports whether
// there is room. Publishers wait for it: that is what keeps the cap.
func (r *Relief) Make(budget *channel.Budget, free func(goal int64)) (room bool) {
	if !budget.Spent() {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !budget.Spent() {
		return true // another has made room meanwhile
	}
	if budget.Used() < r.futile {
		return false
	}
	goal := budget.Limit() - budget.Limit()/freeShare
	free(goal)
	r.futile = 0
	if used := budget.Used(); used > goal {
		r.futile = used + budget.Limit()/lookAgain
	}
	return !budget.Spent()
}
