package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/magpie-bridge/magpie/internal/hub"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// probeTimeout is how long the probe message may take before the node counts as not ready.
const probeTimeout = 2 * time.Second

// Healthz answers 200 for as long as the process can answer at all: whoever gets nothing should restart it.
func Healthz(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok") }

// Readyz answers 200 when the node can take sessions and messages, measured by a message through the engine and not
// by an open socket; 503 with the reason otherwise.
func Readyz(h *hub.Hub) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h.Draining() {
			say(w, http.StatusServiceUnavailable, "draining")
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), probeTimeout)
		defer cancel()
		if err := h.Probe(ctx); err != nil {
			say(w, http.StatusServiceUnavailable, "the engine does not take messages: "+wire.AsError(err).Message)
			return
		}
		say(w, http.StatusOK, "ready")
	})
}

func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = fmt.Fprintln(w, text) // a client that is gone needs no answer
}
