package source

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// The limits of a batch. They keep one call of the publisher short, and a record no longer in the source than a
// reader would notice.
const (
	MaxBatchRecords = 256
	MaxBatchBytes   = 256 << 10
	MaxBatchWait    = 20 * time.Millisecond
)

// BatcherOptions says what a Batcher publishes to.
type BatcherOptions struct {
	Publisher Publisher
	Channel   wire.ChannelName
	// Logger hears when publishing fails and when it works again. Where the log itself is published to the channel,
	// it must be one whose records are left out of that. Nil: nobody hears.
	Logger *slog.Logger
	// Published is called with each batch that is done with: taken, or never to be. Nil: nobody is.
	Published func(batch []wire.Publication)
}

// BatcherStats counts what a Batcher did.
type BatcherStats struct {
	Published  int64 // messages taken by the publisher, duplicates too
	Duplicates int64 // of them, messages it had already
	Refused    int64 // messages it will never take, and which were given up
	Retries    int64 // calls of the publisher that had to be repeated
}

// Batcher publishes messages in batches: up to 256 of them, or 256 KiB, or what came within 20 ms. One batch is on
// its way while the next is gathered; when that is full too, Add waits. So memory is bounded, and order kept.
//
// Add may be called by several goroutines; what one of them adds stays in its order. Stats may be called at any time.
type Batcher struct {
	publisher Publisher
	channel   wire.ChannelName
	logger    *slog.Logger
	published func(batch []wire.Publication)
	stats     struct{ published, duplicates, refused, retries atomic.Int64 }

	begun chan struct{} // has a token when a batch has its first message
	full  chan struct{} // has a token when the batch being gathered is full, or the last
	room  chan struct{} // has a token when a new batch can be begun

	mu      sync.Mutex // guards the fields below
	batch   []wire.Publication
	payload []byte // where the payloads of batch are copied to
	closed  bool
}

// NewBatcher makes a Batcher. It publishes nothing before Run.
func NewBatcher(options BatcherOptions) *Batcher {
	logger := options.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &Batcher{
		publisher: options.Publisher,
		channel:   options.Channel,
		logger:    logger,
		published: options.Published,
		begun:     make(chan struct{}, 1),
		full:      make(chan struct{}, 1),
		room:      make(chan struct{}, 1),
	}
}

// Add puts a message into the next batch. It copies the payload, and waits while two batches are full. Its error is
// that of ctx.
func (b *Batcher) Add(ctx context.Context, pub wire.Publication) error {
	for !b.tryAdd(pub) {
		select {
		case <-b.room:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (b *Batcher) tryAdd(pub wire.Publication) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n := len(b.batch); n >= MaxBatchRecords || n > 0 && len(b.payload)+len(pub.Payload.Bytes) > MaxBatchBytes {
		signal(b.full)
		return false
	}
	start := len(b.payload)
	b.payload = append(b.payload, pub.Payload.Bytes...) // growing leaves what the batch refers to as it is
	pub.Payload.Bytes = b.payload[start:len(b.payload):len(b.payload)]
	b.batch = append(b.batch, pub)
	if len(b.batch) == 1 {
		signal(b.begun)
	}
	if len(b.batch) == MaxBatchRecords {
		signal(b.full)
	} else {
		signal(b.room) // another goroutine may wait with a smaller message
	}
	return true
}

// Close says that nothing more will be added: Run publishes what there is and returns. Do not call Add after it.
func (b *Batcher) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	signal(b.begun)
	signal(b.full)
}

// Stats tells what was done so far.
func (b *Batcher) Stats() BatcherStats {
	return BatcherStats{
		Published:  b.stats.published.Load(),
		Duplicates: b.stats.duplicates.Load(),
		Refused:    b.stats.refused.Load(),
		Retries:    b.stats.retries.Load(),
	}
}

// Run publishes until Close and returns nil, or until ctx ends, and returns an error if messages remain. Call it once.
func (b *Batcher) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-b.begun:
		case <-ctx.Done():
		}
		timer.Reset(MaxBatchWait)
		select {
		case <-b.full:
		case <-timer.C:
		case <-ctx.Done():
		}
		batch, last := b.next()
		if err := b.send(ctx, batch); err != nil {
			return err
		}
		if b.published != nil {
			b.published(batch)
		}
		if last || ctx.Err() != nil {
			return nil
		}
	}
}

// next takes the batch that was gathered, and tells whether it is the last.
func (b *Batcher) next() (batch []wire.Publication, last bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	batch, last = b.batch, b.closed
	b.batch, b.payload = nil, nil // new memory for each batch: the publisher may still be reading one it was late with
	select {
	case <-b.full:
	default:
	}
	signal(b.room)
	return batch, last
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
