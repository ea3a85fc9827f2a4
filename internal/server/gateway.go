package server

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/config"
	"github.com/magpie-bridge/magpie/internal/engine"
	"github.com/magpie-bridge/magpie/internal/hub"
	"github.com/magpie-bridge/magpie/internal/netloop"
	"github.com/magpie-bridge/magpie/internal/session"
	"github.com/magpie-bridge/magpie/internal/transport/websocket"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// Options are what a gateway is made from. Config is required, and must be checked and complete.
type Options struct {
	Config  *config.Config
	Logger  *slog.Logger // nil: silent
	Version string       // told to the console
	Console fs.FS        // the console's files; nil: there is no console
}

// Gateway is a gateway without a listener: its routes are mounted by whoever embeds it. It is safe for concurrent
// use.
type Gateway struct {
	cfg     *config.Config
	log     *slog.Logger
	hub     *hub.Hub
	engine  engine.Engine
	group   *netloop.Group
	shards  []*session.Shard
	own     *auth.Principal
	handler http.Handler
}

// NewGateway builds a gateway and starts its loops; [Gateway.Shutdown] ends it.
func NewGateway(opts Options) (*Gateway, error) {
	cfg := opts.Config
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	g := &Gateway{cfg: cfg, log: opts.Logger}
	authenticator, err := newAuthenticator(cfg)
	if err != nil {
		return nil, err
	}
	origin, err := auth.NewOriginPolicy(cfg.Origins, cfg.Development)
	if err != nil {
		return nil, fmt.Errorf("origins: %w", err)
	}
	if g.own, err = newOwnPrincipal(); err != nil {
		return nil, err
	}
	if g.engine, err = newEngine(cfg); err != nil {
		return nil, err
	}
	g.hub = hub.New(hub.Options{
		Engine:        g.engine,
		Authenticator: authenticator,
		NodeID:        cfg.NodeID,
		MaxSessions:   cfg.Limits.Connections,
		MaxMessage:    int(cfg.Limits.FrameBytes),
		Logger:        opts.Logger,
	})
	if err := g.startLoops(); err != nil {
		return nil, err
	}
	g.handler = g.routes(origin, opts)
	return g, nil
}

func newEngine(cfg *config.Config) (engine.Engine, error) {
	retention, err := newRetention(cfg)
	if err != nil {
		return nil, err
	}
	space := channel.NewSpace(channel.NewBudget(int64(cfg.Memory.LogBytes)), nil, websocket.Formats()...)
	return engine.NewMemory(engine.MemoryOptions{Space: space, Retention: retention}), nil
}

func (g *Gateway) startLoops() error {
	cfg := g.cfg
	group, err := netloop.NewGroup(netloop.Options{
		Loops:  cfg.Loops,
		Driver: netloop.Driver(cfg.Driver),
		Logger: g.log,
	})
	if err != nil {
		return err
	}
	settings := session.Settings{
		Hub:              g.hub,
		MaxFrameBytes:    int(cfg.Limits.FrameBytes),
		MaxSubscriptions: cfg.Limits.Subscriptions,
		MaxOutbox:        int(cfg.Limits.OutboxBytes),
		ConnectTimeout:   cfg.Limits.ConnectTimeout,
		PingInterval:     cfg.Heartbeat.Interval,
		IdleTimeout:      cfg.Heartbeat.Timeout,
		WriteTimeout:     cfg.Heartbeat.WriteTimeout,
	}
	for _, loop := range group.Loops() {
		shard := session.NewShard(settings, loop, loop.Index())
		loop.SetWorker(shard)
		g.shards = append(g.shards, shard)
	}
	g.group = group
	group.Start()
	return nil
}

// Handler returns the gateway's routes, for mounting at the root of a server or below any router.
func (g *Gateway) Handler() http.Handler { return g.handler }

// Publish appends a message, or a batch, as the gateway itself, and returns when it is as durable as the channel
// promises. Its errors are *wire.Error.
func (g *Gateway) Publish(ctx context.Context, p *wire.Publish) (*wire.Published, error) {
	return g.hub.PublishWait(ctx, g.own, p)
}

// Sessions returns the number of sessions connected now.
func (g *Gateway) Sessions() int { return int(g.hub.Metrics.Sessions.Load()) }

// Shutdown drains the gateway: no new session is taken, every client is told to come back at a time of its own within
// the configured window, and when they are gone, or ctx ends, everything is closed.
func (g *Gateway) Shutdown(ctx context.Context) error {
	g.hub.Drain()
	g.sayGoodbye()
	g.awaitSessions(ctx)
	g.group.Close()
	return g.engine.Close(ctx)
}

// sayGoodbye tells every session to leave.
func (g *Gateway) sayGoodbye() {
	window := g.cfg.Shutdown.Window
	for i, loop := range g.group.Loops() {
		shard := g.shards[i]
		loop.Post(func() {
			shard.Each(func(s *session.Session) {
				//nolint:gosec // spreads the return of clients; nothing is kept safe by it
				s.Goodbye(wire.CloseDraining, "draining", time.Duration(rand.Int64N(int64(window)+1)))
			})
		})
	}
}

func (g *Gateway) awaitSessions(ctx context.Context) {
	const look = 10 * time.Millisecond
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	for g.hub.Metrics.Sessions.Load() > 0 {
		select {
		case <-ctx.Done():
			g.log.Warn("clients that did not leave in time are cut off", "sessions", g.hub.Metrics.Sessions.Load())
			return
		case <-ticker.C:
		}
	}
}
