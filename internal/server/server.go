package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"
)

// The bounds of plain HTTP. A handshake and a publish are small and quick; whoever is slower than that is not served.
const (
	headerTimeout  = 10 * time.Second
	requestTimeout = 30 * time.Second
	answerTimeout  = 2 * time.Minute
	idleTimeout    = 2 * time.Minute
	maxHeaderBytes = 32 << 10
)

// Server is a gateway with a listener and the sources that the configuration names.
type Server struct {
	gateway  *Gateway
	listener net.Listener
	http     *http.Server
	sources  *sources
	pace     bool
}

// New builds a server and binds its address, so that what is wrong with either is known before anything runs.
func New(opts Options) (*Server, error) {
	ln, err := listen(opts.Config.Listen)
	if err != nil {
		return nil, err
	}
	s, err := newServer(opts, ln)
	if err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	return s, nil
}

func newServer(opts Options, ln net.Listener) (*Server, error) {
	src, logger := prepareSources(opts)
	opts.Logger = logger
	gateway, err := NewGateway(opts)
	if err != nil {
		return nil, err
	}
	if err := src.open(gateway); err != nil {
		return nil, errors.Join(err, gateway.Shutdown(context.Background()))
	}
	s := &Server{gateway: gateway, listener: ln, sources: src, http: newHTTPServer(gateway), pace: opts.Pace}
	if opts.Config.TLS.Enabled() {
		if err := s.secure(); err != nil {
			return nil, errors.Join(err, gateway.Shutdown(context.Background()))
		}
	}
	return s, nil
}

// secure has the listener speak TLS.
func (s *Server) secure() error {
	certificates, err := newCertificates(s.gateway.cfg.TLS, s.gateway.log)
	if err != nil {
		return fmt.Errorf("tls: %w", err)
	}
	s.http.TLSConfig = certificates.config()
	s.http.Protocols.SetHTTP2(true)
	s.http.Protocols.SetUnencryptedHTTP2(false)
	return nil
}

func newHTTPServer(g *Gateway) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true) // gRPC comes over nothing else
	return &http.Server{
		Handler:           g.Handler(),
		Protocols:         protocols,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       requestTimeout,
		WriteTimeout:      answerTimeout, // of plain HTTP: a line that is taken over has none of these
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(g.log.Handler(), slog.LevelWarn),
	}
}

// listen binds the address, and explains what people run into.
func listen(address string) (net.Listener, error) {
	ln, err := new(net.ListenConfig).Listen(context.Background(), "tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("the address %s is in use, perhaps by another gateway: stop it, or choose another with --listen", address)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("this user may not listen on %s: choose a port above 1023 with --listen", address)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, fmt.Errorf("%s is no address of this machine: choose one with --listen", address)
	case err != nil:
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return ln, nil
}

// Addr is the address that the server listens on.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Gateway returns the gateway that is served.
func (s *Server) Gateway() *Gateway { return s.gateway }

// Run serves until ctx ends, and then drains: sources publish what they have read, requests in hand are answered,
// clients are told to come back, and the engine is closed. All of it takes no longer than the configured drain time.
func (s *Server) Run(ctx context.Context) error {
	sourcesCtx, stopSources := context.WithCancel(context.WithoutCancel(ctx))
	defer stopSources()
	published := make(chan struct{})
	go func() {
		defer close(published)
		s.sources.run(sourcesCtx)
	}()

	go giveBack(sourcesCtx, s.gateway.hub.Metrics.SessionsOpened.Load, freeMemory)
	if s.pace {
		go pace(sourcesCtx, s.gateway.hub.Metrics.SessionsOpened.Load, liveHeap, setGarbage)
	}
	failed := make(chan error, 1)
	go func() { failed <- s.serve() }()
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
		err = fmt.Errorf("serve on %s: %w", s.listener.Addr(), err)
	}

	s.gateway.log.Info("draining")
	drainCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.gateway.cfg.Shutdown.Drain)
	defer cancel()
	s.gateway.hub.Drain()
	s.gateway.system.draining()
	stopSources()
	err = errors.Join(err, s.drain(drainCtx, published))
	_ = s.listener.Close() // for the last time, if it was stopped before it came to serve; otherwise it is closed
	return err
}

// serve accepts until the listener is closed: the loops take the WebSocket lines, and net/http the rest. Over TLS it is
// net/http that accepts, since handshakes take too long for a loop.
func (s *Server) serve() error {
	if s.http.TLSConfig != nil {
		return s.http.ServeTLS(s.gateway.group.BeneathTLS(s.listener), "", "")
	}
	rest, err := s.gateway.lines.Listen(s.listener, linePath)
	if err != nil {
		return err
	}
	return s.http.Serve(rest)
}

// drain ends everything until ctx ends. Nothing of it waits for a request that hangs, but the end.
func (s *Server) drain(ctx context.Context, published <-chan struct{}) error {
	answered := make(chan error, 1)
	go func() { answered <- s.answerRequests(ctx) }()
	select {
	case <-published: // clients see it before they go
	case <-time.After(s.sources.drain):
		s.gateway.log.Warn("log lines that could not be published in time are left out")
	}
	s.gateway.leave(ctx)
	return errors.Join(<-answered, s.gateway.close(ctx))
}

// answerRequests closes the listener and waits for the requests in hand; when ctx ends, they are cut off.
func (s *Server) answerRequests(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return s.http.Close()
	}
	return err
}
