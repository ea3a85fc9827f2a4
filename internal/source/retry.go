package source

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// The pause before a batch is tried again doubles from the first to the last of these.
const (
	firstPause = 50 * time.Millisecond
	lastPause  = 5 * time.Second
)

// repeatNotice is how often a failure that goes on is told again.
const repeatNotice = time.Minute

// outage is what is known while publishing fails.
type outage struct {
	since    time.Time // zero: publishing works
	noticed  time.Time
	attempts int
}

// send publishes a batch and returns when all of it was taken, or will never be. Its error tells that ctx ended before.
func (b *Batcher) send(ctx context.Context, batch []wire.Publication) error {
	var failing outage
	for len(batch) > 0 {
		rest, failure := b.attempt(ctx, batch)
		if failure == nil {
			break
		}
		if len(rest) < len(batch) {
			failing.attempts = 0 // it moves
		}
		batch = rest
		if len(batch) == 0 {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("publish to %s: %d records were read but not published: %w", b.channel, len(batch), failure)
		}
		b.stats.retries.Add(1)
		b.notice(&failing, len(batch), failure)
		failing.attempts++
		sleep(ctx, pause(failing.attempts, failure))
	}
	if !failing.since.IsZero() {
		b.logger.LogAttrs(ctx, slog.LevelInfo, "publishing log records works again",
			slog.String("channel", string(b.channel)), slog.Duration("after", time.Since(failing.since)))
	}
	return nil
}

// attempt publishes once. It gives back what has to be tried again, from the first message that was not taken on: so
// the order of messages holds, and those behind it that were taken are recognised by their ids.
func (b *Batcher) attempt(ctx context.Context, batch []wire.Publication) (rest []wire.Publication, failure error) {
	results, err := b.publisher.Publish(ctx, b.channel, batch)
	if err == nil && len(results) != len(batch) {
		err = fmt.Errorf("%d results for %d messages", len(results), len(batch))
	}
	if err != nil {
		if !hopeless(err) {
			return batch, err
		}
		if len(batch) == 1 {
			b.refuse(ctx, batch[0], err)
			return nil, nil
		}
		return b.oneByOne(ctx, batch)
	}
	for i, result := range results {
		switch {
		case result.Err == nil:
			b.stats.published.Add(1)
			if result.Duplicate {
				b.stats.duplicates.Add(1)
			}
		case hopeless(result.Err):
			b.refuse(ctx, batch[i], result.Err)
		default:
			return batch[i:], result.Err
		}
	}
	return nil, nil
}

// oneByOne finds the messages for which a whole batch was refused.
func (b *Batcher) oneByOne(ctx context.Context, batch []wire.Publication) ([]wire.Publication, error) {
	for i := range batch {
		if rest, err := b.attempt(ctx, batch[i:i+1]); len(rest) > 0 {
			return batch[i:], err
		}
	}
	return nil, nil
}

func (b *Batcher) refuse(ctx context.Context, pub wire.Publication, err error) {
	if n := b.stats.refused.Add(1); n&(n-1) == 0 { // 1, 2, 4, 8, ...: a stream of them must not flood the log
		b.logger.LogAttrs(ctx, slog.LevelError, "the gateway refuses a log record, which is left out",
			slog.String("channel", string(b.channel)), slog.String("messageId", pub.MessageID), slog.Int64("refused", n), slog.Any("error", err))
	}
}

// hopeless reports whether the same message can never be taken. Whatever else is wrong (a right, a credential, a
// node) can be put right while the source waits.
func hopeless(err error) bool {
	switch wire.AsError(err).Code { //nolint:exhaustive // the others may pass
	case wire.CodeInvalidArgument, wire.CodeOutOfRange, wire.CodeUnimplemented:
		return true
	}
	return false
}

// notice tells of a failure when it begins, and each minute while it lasts.
func (b *Batcher) notice(failing *outage, waiting int, err error) {
	now := time.Now()
	if failing.since.IsZero() {
		failing.since = now
	}
	if now.Sub(failing.noticed) < repeatNotice {
		return
	}
	failing.noticed = now
	b.logger.LogAttrs(context.Background(), slog.LevelWarn, "cannot publish log records; the source waits and tries again",
		slog.String("channel", string(b.channel)), slog.Int("records", waiting), slog.Any("error", err))
}

// pause is how long to wait before the attempt after that many: as long as the gateway asked for, or between half of
// and the whole of a time that doubles.
func pause(attempts int, err error) time.Duration {
	if asked := wire.AsError(err).RetryAfter; asked > 0 {
		return min(asked, lastPause)
	}
	longest := min(firstPause<<min(attempts-1, 10), lastPause)
	return longest/2 + rand.N(longest/2) //nolint:gosec // to spread load, not to keep a secret
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
