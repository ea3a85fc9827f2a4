package hub

import (
	"context"
	"sync"
)

// InitialCredit is how many parts of a result a callee may send before it is given more.
const InitialCredit = 16

// MaxCredit bounds what a caller can give, so that it cannot overflow.
const MaxCredit = 1 << 30

// credit counts the parts that a caller still takes. Safe for concurrent use.
type credit struct {
	mu   sync.Mutex // guards the fields below
	n    int64
	more chan struct{} // closed when n has grown; nil while nobody waits
}

// take waits for a credit and takes it.
func (c *credit) take(ctx context.Context) error {
	for {
		c.mu.Lock()
		if c.n > 0 {
			c.n--
			c.mu.Unlock()
			return nil
		}
		if c.more == nil {
			c.more = make(chan struct{})
		}
		more := c.more
		c.mu.Unlock()
		select {
		case <-more:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (c *credit) add(count int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n = min(c.n+count, MaxCredit)
	if c.more != nil {
		close(c.more)
		c.more = nil
	}
}
