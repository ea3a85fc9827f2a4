package magpieclient

import (
	"errors"
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// The heartbeat of a gateway that names none.
const (
	defaultInterval = 30 * time.Second
	defaultTimeout  = 90 * time.Second
)

var errSilent = errors.New("the gateway was not heard for longer than the heartbeat timeout")

// touch notes that the gateway was heard.
func (l *line) touch() { l.heard.Store(int64(time.Since(l.began))) }

// quietFor tells for how long the gateway has not been heard although we listened.
func (l *line) quietFor() time.Duration {
	if l.held.Load() {
		return 0
	}
	return time.Since(l.began) - time.Duration(l.heard.Load())
}

// watch asks a gateway that has been quiet for the interval whether it is there, and ends the line when it has been
// silent for the timeout.
func (l *line) watch() {
	interval, timeout := defaultInterval, defaultTimeout
	if l.hello.HeartbeatInterval > 0 {
		interval = time.Duration(l.hello.HeartbeatInterval) * time.Millisecond
	}
	if l.hello.HeartbeatTimeout > 0 {
		timeout = time.Duration(l.hello.HeartbeatTimeout) * time.Millisecond
	}
	interval = min(interval, timeout/2) // or there would be no time for the answer
	asked := int64(-1)                  // when the gateway had last been heard as it was asked
	for l.ctx.Err() == nil {
		quiet := l.quietFor()
		switch {
		case quiet >= timeout:
			l.cancel(errSilent)
			return
		case quiet < interval:
			sleep(l.ctx, interval-quiet)
		case asked != l.heard.Load():
			asked = l.heard.Load()
			l.push(wire.Frame{Body: &wire.Ping{}})
		default:
			sleep(l.ctx, min(interval, timeout-quiet))
		}
	}
}
