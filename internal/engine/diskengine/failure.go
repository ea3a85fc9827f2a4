package diskengine

import (
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// health tells whether the store can go on. Safe for concurrent use.
type health struct {
	logger *slog.Logger
	failed func() // called once, when the store has failed

	ended chan struct{} // closed when the store has failed
	once  sync.Once
	cause atomic.Pointer[wire.Error]
}

// fail notes that the store cannot go on.
func (h *health) fail(cause error) {
	h.once.Do(func() {
		h.cause.Store(wire.Errorf(wire.CodeUnavailable,
			"the store on disk has failed and takes nothing until the gateway is restarted: %v", cause))
		h.logger.Error("the store on disk has failed: publishes are refused until the gateway is restarted", "error", cause)
		close(h.ended)
		h.failed()
	})
}

// err is nil as long as the store works.
func (h *health) err() error {
	if e := h.cause.Load(); e != nil {
		return e
	}
	return nil
}

// pebbleLogger hears Pebble (pebble.Logger).
type pebbleLogger struct{ health *health }

// Infof implements pebble.Logger; what Pebble does all day is of no interest.
func (pebbleLogger) Infof(string, ...any) {}

// Errorf implements pebble.Logger.
func (l pebbleLogger) Errorf(format string, args ...any) {
	l.health.logger.Warn("the store on disk reports a problem", "error", fmt.Sprintf(format, args...))
}

// Fatalf implements pebble.Logger. Pebble calls it when it cannot go on, and expects it never to return; so the
// goroutine stays here, with the locks that it holds, and the engine never calls into Pebble again.
func (l pebbleLogger) Fatalf(format string, args ...any) {
	l.health.fail(fmt.Errorf(format, args...))
	select {}
}

// listener keeps Pebble from taking damaged data, which is found out and told wherever it is read, for the end.
func (h *health) listener() *pebble.EventListener {
	return &pebble.EventListener{
		DataCorruption: func(info pebble.DataCorruptionInfo) {
			h.logger.Error("data in the store is damaged", "file", info.Path, "error", info.Details)
		},
		BackgroundError: func(err error) {
			h.logger.Warn("the store on disk could not tidy up", "error", err)
		},
	}
}
