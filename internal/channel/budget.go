package channel

import "sync/atomic"

// Budget counts bytes against a limit: those of the logs, with their chunks, views and idempotency windows, or those that
// wait on lines. It only counts; what gives way when it is spent is the policy of whoever charges it. Safe for
// concurrent use; a nil budget counts nothing and is never spent.
type Budget struct {
	limit int64
	used  atomic.Int64
}

// NewBudget returns a budget of limit bytes; 0 or less means no limit.
func NewBudget(limit int64) *Budget { return &Budget{limit: limit} }

// Limit returns the budget in bytes, 0 or less when there is none.
func (b *Budget) Limit() int64 { return b.limit }

// Used returns the bytes charged.
func (b *Budget) Used() int64 {
	if b == nil {
		return 0
	}
	return b.used.Load()
}

// Spent reports whether more is charged than the limit allows.
func (b *Budget) Spent() bool { return b != nil && b.limit > 0 && b.used.Load() > b.limit }

// Charge counts n bytes more, or less where n is negative.
func (b *Budget) Charge(n int) {
	if b != nil {
		b.used.Add(int64(n))
	}
}
