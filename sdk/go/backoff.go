package magpieclient

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"github.com/magpie-bridge/magpie/internal/wire"
)

const (
	// backoffFirst is the least a client waits: a gateway that restarts needs about as long.
	backoffFirst = time.Second
	// backoffMost bounds the wait, so that nobody is away for long after an outage of hours.
	backoffMost = 30 * time.Second
	// stableAfter is how long a line must have been open for the next failure to count as the first one. A gateway
	// that accepts and drops at once would otherwise be dialled every second by everyone.
	stableAfter = 5 * time.Second
)

// backoff says how long to wait before each attempt: min(30 s, random between 1 s and 1 s x 2^n). The randomness
// spreads the clients of a gateway that was lost.
type backoff struct {
	failures int
	uniform  func() float64 // in [0, 1)
}

func newBackoff() backoff { return backoff{uniform: rand.Float64} }

// next counts a failure and gives the wait after it.
func (b *backoff) next() time.Duration {
	b.failures++
	ceiling := backoffMost
	if b.failures < 5 {
		ceiling = backoffFirst << b.failures
	}
	return min(backoffMost, backoffFirst+time.Duration(b.uniform()*float64(ceiling-backoffFirst)))
}

// reset forgets the failures.
func (b *backoff) reset() { b.failures = 0 }

// lineError tells why a line ended, and what follows from it.
type lineError struct {
	err        error
	final      bool          // coming back would not help
	retryAfter time.Duration // what the gateway asked for; 0: the client's own backoff
}

func (e *lineError) Error() string { return e.err.Error() }

func (e *lineError) Unwrap() error { return e.err }

// refusedHandshake judges a failed upgrade. The gateway answers 4xx to what would fail again.
func refusedHandshake(response *http.Response, err error) *lineError {
	if response == nil {
		return &lineError{err: err}
	}
	switch code := response.StatusCode; code {
	case http.StatusUnauthorized:
		return &lineError{err: errorf(wire.CodeUnauthenticated, "the gateway refused the credential (HTTP 401)"), final: true}
	case http.StatusForbidden:
		return &lineError{err: errorf(wire.CodePermissionDenied, "the gateway refused the connection (HTTP 403)"), final: true}
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return &lineError{err: err}
	default:
		return &lineError{err: err, final: code >= 400 && code < 500}
	}
}

// refusedConnect judges an error frame in answer to connect.
func refusedConnect(e *wire.Error) *lineError {
	return &lineError{err: errorOf(e), final: !e.Retryable, retryAfter: e.RetryAfter}
}

// brokenLine judges what ended the reading of a line. A goodbye, if there was one, precedes the close and says more.
func brokenLine(err error, farewell *wire.Goodbye) *lineError {
	if farewell != nil {
		return &lineError{
			err:        &CloseError{Code: int(farewell.Code), Reason: farewell.Reason},
			final:      !farewell.Code.Reconnect(),
			retryAfter: time.Duration(farewell.RetryAfterMs) * time.Millisecond,
		}
	}
	if closed, ok := errors.AsType[websocket.CloseError](err); ok {
		code := wire.CloseCode(closed.Code) //nolint:gosec // a close code has 16 bits on the wire
		return &lineError{
			err:   &CloseError{Code: int(closed.Code), Reason: closed.Reason},
			final: !code.Reconnect(),
		}
	}
	return &lineError{err: err}
}

// sleep waits for d, or until ctx is done.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
