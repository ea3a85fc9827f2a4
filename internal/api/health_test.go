package api

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/engine"
	"github.com/magpie-bridge/magpie/internal/hub"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// get asks a handler for a page.
func get(t *testing.T, h http.Handler, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	return w
}

// faulty is an engine that answers appends as a test says (engine.Engine).
type faulty struct {
	engine.Engine
	answer func(done func(wire.Epoch, []channel.Placed, error))
}

func (e faulty) Append(_ wire.ChannelName, _ []channel.Record, done func(wire.Epoch, []channel.Placed, error)) {
	e.answer(done)
}

func TestReadyz(t *testing.T) {
	for name, test := range map[string]struct {
		answer func(done func(wire.Epoch, []channel.Placed, error))
		drain  bool
		status int
		says   string
		after  time.Duration
	}{
		"ready":    {func(done func(wire.Epoch, []channel.Placed, error)) { done("k1", nil, nil) }, false, 200, "ready", 0},
		"draining": {func(done func(wire.Epoch, []channel.Placed, error)) { done("k1", nil, nil) }, true, 503, "draining", 0},
		"engine away": {func(done func(wire.Epoch, []channel.Placed, error)) {
			done("", nil, wire.Errorf(wire.CodeUnavailable, "the disk is full"))
		}, false, 503, "the disk is full", 0},
		"engine fails": {func(done func(wire.Epoch, []channel.Placed, error)) { done("", nil, context.Canceled) }, false, 503, "does not take messages", 0},
		"engine hangs": {func(func(wire.Epoch, []channel.Placed, error)) {}, false, 503, "did not answer", probeTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := hub.New(hub.Options{Engine: faulty{answer: test.answer}, Authenticator: auth.Development(), NodeID: "n1"})
				if test.drain {
					h.Drain()
				}
				began := time.Now()
				got := get(t, Readyz(h), "/readyz")
				if got.Code != test.status || !strings.Contains(got.Body.String(), test.says) {
					t.Errorf("status %d, %q; want %d and %q", got.Code, got.Body, test.status, test.says)
				}
				if took := time.Since(began); took != test.after {
					t.Errorf("the answer took %s, want %s", took, test.after)
				}
				if got.Header().Get("Cache-Control") != "no-store" {
					t.Errorf("the answer may be kept: %v", got.Header())
				}
				if alive := get(t, http.HandlerFunc(Healthz), "/healthz"); alive.Code != http.StatusOK {
					t.Errorf("healthz: status %d", alive.Code)
				}
			})
		})
	}
}
