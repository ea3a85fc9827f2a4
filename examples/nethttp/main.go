// Command nethttp is a REST service of the usual kind, with a plain http.ServeMux, into which the gateway was mounted below
// the service's own routes, at /live/. The service tells the pages of what changes, serves a call of theirs, and calls the page
// of whoever asks for something that cannot be undone: are you sure?
//
//	go run ./examples/nethttp
//	open http://127.0.0.1:8080/
package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/magpie-bridge/magpie"
)

//go:embed page
var files embed.FS

const (
	headerTimeout = 10 * time.Second
	drainTimeout  = 5 * time.Second
	policy        = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "address to listen on")
	patience := flag.Duration("patience", 30*time.Second, "how long somebody may think before confirming")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, *listen, *patience)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "nethttp:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends, and then lets the clients go before the HTTP server.
func run(ctx context.Context, listen string, patience time.Duration) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	secret := rand.Text() + rand.Text() // of this run: over a restart everybody signs in again
	gw, err := magpie.New(magpie.Options{JWTSecret: secret, NoConsole: true, Logger: log})
	if err != nil {
		return err
	}
	handler, err := routes(gw, newStock(gw, patience), login(secret))
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", listen)
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: handler, ReadHeaderTimeout: headerTimeout}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(listener) }()
	log.Info("open the page", "url", "http://"+listener.Addr().String()+"/")
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	return cmp.Or(err, errors.Join(gw.Shutdown(draining), srv.Shutdown(draining)))
}

// routes are the service's own, as they were, and one more for the gateway.
func routes(gw *magpie.Gateway, s *stock, l login) (http.Handler, error) {
	page, err := fs.Sub(files, "page")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/", secured(http.FileServerFS(page)))
	mux.HandleFunc("GET /login", l.show)
	mux.HandleFunc("POST /login", l.signIn)
	mux.HandleFunc("GET /items", l.required(s.serveItems))
	mux.HandleFunc("PUT /items/{id}", l.required(s.servePut))
	mux.HandleFunc("DELETE /items/{id}", l.required(s.serveDelete))

	mux.Handle("/live/", http.StripPrefix("/live", gw.Handler())) // /live/ws for the pages
	gw.Handle("stock.take", s.serveTake)
	return http.NewCrossOriginProtection().Handler(mux), nil // no other site does anything in a user's name
}

// secured adds what browsers hold the page to.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r)
	})
}
