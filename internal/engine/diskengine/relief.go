package diskengine

import (
	"cmp"
	"slices"
)

// relieve makes room in memory when the budget is spent, and reports whether there is some: first go the channels that
// nobody watches, the largest first, which come back from disk when they are asked for; and then the oldest chunks of the
// others.
func (e *Engine) relieve() (room bool) { return e.relief.Make(e.opts.Space.Budget(), e.free) }

func (e *Engine) free(goal int64) {
	budget := e.opts.Space.Budget()
	all := e.topics.all()
	slices.SortFunc(all, func(a, b *topic) int { return cmp.Compare(b.log.Cost(), a.log.Cost()) })
	for _, t := range all {
		if budget.Used() <= goal {
			break
		}
		if t.level != Memory {
			e.unload(t)
		}
	}
	for _, t := range all {
		for budget.Used() > goal && t.log.DropOldest() {
			e.relieved.Add(1)
		}
	}
	if budget.Used() > goal {
		e.pages.drop()
	}
}
