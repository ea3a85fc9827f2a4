// Command embed is a shop with the gateway inside: an order posted to /orders appears in the channel order.update,
// before everybody who has subscribed to it at /ws.
//
//	go run ./examples/embed
//	curl -d '{"id":7,"state":"paid"}' http://127.0.0.1:8080/orders
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/magpie-bridge/magpie"
)

const (
	headerTimeout = 10 * time.Second
	drainTimeout  = 5 * time.Second
	maxOrderBytes = 16 << 10
)

// order is what the shop sells.
type order struct {
	ID    int    `json:"id"`
	State string `json:"state"`
}

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "address to listen on")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, *listen)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "embed:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends, and then lets the clients go before the HTTP server.
func run(ctx context.Context, listen string) error {
	gw, err := magpie.New(magpie.Options{
		Development: true, // with real users: JWTSecret
		Logger:      slog.Default(),
	})
	if err != nil {
		return err
	}
	srv := &http.Server{Addr: listen, Handler: routes(gw), ReadHeaderTimeout: headerTimeout}
	failed := make(chan error, 1)
	go func() { failed <- srv.ListenAndServe() }()
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	return cmp.Or(err, errors.Join(gw.Shutdown(draining), srv.Shutdown(draining)))
}

// routes are the shop's own, with the gateway's behind them.
func routes(gw *magpie.Gateway) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", gw.Handler()) // /ws for clients, the console at /
	mux.HandleFunc("POST /orders", func(w http.ResponseWriter, r *http.Request) {
		var o order
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxOrderBytes)).Decode(&o); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		position, err := gw.Publish(r.Context(), "order.update", magpie.Message{
			ID:   fmt.Sprintf("%d-%s", o.ID, o.State), // the same order posted twice is one message
			Data: o,
		})
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(position) // a client that is gone needs no answer
	})
	return mux
}
