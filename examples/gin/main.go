// Command gin is a Gin application that was rebuilt from polling to a live line. Both are still there, side by side: the
// page at / asks for the price once a second on its left, and is told of it at once on its right.
//
//	go run ./examples/gin
//	open http://127.0.0.1:8080/
package main

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/magpie-bridge/magpie"
)

//go:embed index.html
var page []byte

const (
	channel       = "price.gold"
	every         = 700 * time.Millisecond // between two prices
	headerTimeout = 10 * time.Second
	drainTimeout  = 5 * time.Second
)

// quote is what both sides show.
type quote struct {
	Number int       `json:"number"` // counts the prices, so that each side can tell how many it missed
	Price  float64   `json:"price"`
	At     time.Time `json:"at"`
}

// market is where the price is made.
type market struct {
	gw   *magpie.Gateway
	log  *slog.Logger
	last atomic.Pointer[quote]
}

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "address to listen on")
	flag.Parse()
	gin.SetMode(gin.ReleaseMode)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, *listen)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "gin:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends, and then lets the clients go before the HTTP server.
func run(ctx context.Context, listen string) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	gw, err := magpie.New(magpie.Options{
		Development: true, // with real users: JWTSecret
		Logger:      log,
	})
	if err != nil {
		return err
	}
	m := &market{gw: gw, log: log}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", listen)
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: m.routes(), ReadHeaderTimeout: headerTimeout}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(listener) }()
	go m.trade(ctx)
	log.Info("open the page", "url", "http://"+listener.Addr().String()+"/")
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	return cmp.Or(err, errors.Join(gw.Shutdown(draining), srv.Shutdown(draining)))
}

// routes are an ordinary Gin application's: the gateway takes its connections over from under the middleware.
func (m *market) routes() http.Handler {
	r := gin.New()
	r.Use(gin.Recovery())
	r.GET("/", func(c *gin.Context) { c.Data(http.StatusOK, "text/html; charset=utf-8", page) })
	r.GET("/price", m.poll)                 // the old way
	r.GET("/ws", gin.WrapH(m.gw.Handler())) // the new one
	return r
}

func (m *market) poll(c *gin.Context) {
	q := m.last.Load()
	if q == nil {
		c.JSON(http.StatusServiceUnavailable, gin.H{"error": "there is no price yet"})
		return
	}
	c.JSON(http.StatusOK, q)
}

// trade makes prices until ctx ends.
func (m *market) trade(ctx context.Context) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	price := 2400.0
	for number := 1; ; number++ {
		price += rand.Float64() - 0.5 //nolint:gosec // nobody buys at it
		if err := m.set(ctx, quote{Number: number, Price: price, At: time.Now()}); err != nil {
			m.log.Error("a price was not published", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// set changes the price for those who ask, and tells those who watch.
func (m *market) set(ctx context.Context, q quote) error {
	m.last.Store(&q)
	_, err := m.gw.Publish(ctx, channel, magpie.Message{Data: q})
	return err
}
