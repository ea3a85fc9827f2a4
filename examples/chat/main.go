// Command chat is a small chat room with the gateway inside: a room is a channel, a name is a token that the program's own
// login signs, and the page is plain HTML with a WebSocket. Whoever loses the line is given what was said meanwhile.
//
//	go run ./examples/chat
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

	// policy lets the page run its own script and speak to its own host: a script that somebody smuggled into a message
	// would not run, even if the page showed it as HTML.
	policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "address to listen on")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, *listen)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "chat:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends, and then lets the clients go before the HTTP server.
func run(ctx context.Context, listen string) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	secret := rand.Text() + rand.Text() // of this run: over a restart everybody signs in again
	gw, err := magpie.New(magpie.Options{JWTSecret: secret, NoConsole: true, Logger: log})
	if err != nil {
		return err
	}
	handler, err := routes(gw, newLogin(secret))
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

// routes are the page, the login, and the line.
func routes(gw *magpie.Gateway, l *login) (http.Handler, error) {
	page, err := fs.Sub(files, "page")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", secured(http.FileServerFS(page)))
	mux.HandleFunc("GET /login", l.show)
	mux.HandleFunc("POST /login", l.signIn)
	mux.HandleFunc("DELETE /login", l.signOut)
	mux.Handle("GET /ws", gw.Handler())
	return http.NewCrossOriginProtection().Handler(mux), nil // no other site signs anybody in or out
}

// secured adds what browsers hold the page to.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "no-referrer")
		next.ServeHTTP(w, r)
	})
}
