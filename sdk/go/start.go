package magpieclient

import (
	"fmt"
	"strconv"
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// Start says where a subscription or a page of history begins. The zero value is [Now].
type Start struct{ start wire.Start }

// Now begins with the next message that is published.
func Now() Start { return Start{} }

// At continues after a position, usually one that was saved.
func At(p Position) Start {
	return Start{wire.Start{Kind: wire.StartPosition, Epoch: wire.Epoch(p.Epoch), Offset: wire.Offset(p.Offset)}}
}

// After begins after an offset of the present numbering; 0 is the beginning of what is kept. Prefer [At], which
// notices that the numbering has changed.
func After(offset uint64) Start {
	return Start{wire.Start{Kind: wire.StartOffset, Offset: wire.Offset(offset)}}
}

// Last begins with the newest n messages.
func Last(n uint64) Start { return Start{wire.Start{Kind: wire.StartLast, Last: n}} }

// Since begins with the first message published at or after t.
func Since(t time.Time) Start { return Start{wire.Start{Kind: wire.StartTime, Time: t.UnixMilli()}} }

func parseOffset(digits string) (uint64, error) {
	offset, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || offset > uint64(wire.MaxOffset) {
		return 0, fmt.Errorf("offset %q: expected a whole number up to %d", digits, wire.MaxOffset)
	}
	return offset, nil
}
