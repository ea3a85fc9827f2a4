package channel

import (
	"sync"
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// Format lays an entry down as one kind of line carries it: a codec within a framing. Implementations are stateless
// and safe for concurrent use; AppendMessage keeps nothing of m.
type Format interface {
	AppendMessage(dst []byte, m *wire.Message) []byte
}

// FormatID is the index of a format in its [Space].
type FormatID uint8

// MaxFormats bounds the formats of a space: each costs a pointer in every chunk.
const MaxFormats = 4

// Space is what the channels of one process share. Set it up before the first log; then it is safe for concurrent
// use.
type Space struct {
	budget  *Budget
	now     func() time.Time
	formats []Format
	scratch sync.Pool // of *wire.Message, for laying down views
}

// NewSpace returns a space whose format IDs are the indexes of formats. now is the clock; nil means time.Now.
func NewSpace(budget *Budget, now func() time.Time, formats ...Format) *Space {
	if len(formats) > MaxFormats {
		panic("channel: more formats than a chunk has room for")
	}
	if now == nil {
		now = time.Now
	}
	return &Space{
		budget:  budget,
		now:     now,
		formats: formats,
		scratch: sync.Pool{New: func() any { return new(wire.Message) }},
	}
}

// Budget returns the space's budget.
func (s *Space) Budget() *Budget { return s.budget }

// Now returns the space's time.
func (s *Space) Now() time.Time { return s.now() }
