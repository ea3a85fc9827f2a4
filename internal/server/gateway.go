package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/config"
	"github.com/magpie-bridge/magpie/internal/engine"
	"github.com/magpie-bridge/magpie/internal/engine/diskengine"
	"github.com/magpie-bridge/magpie/internal/hub"
	"github.com/magpie-bridge/magpie/internal/hub/keep"
	"github.com/magpie-bridge/magpie/internal/netloop"
	"github.com/magpie-bridge/magpie/internal/session"
	"github.com/magpie-bridge/magpie/internal/transport/websocket"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// Options are what a gateway is made from. Config is required, and must be checked and complete.
type Options struct {
	Config *config.Config
	Logger *slog.Logger   // nil: silent
	Calls  hub.CallLimits // of the handlers that are registered with the gateway
	Hooks  hub.Hooks      // what the embedding program wants to be asked, and told
	// Authenticate is asked before the ways of the configuration, see auth.Before; nil: nobody is.
	Authenticate func(ctx context.Context, token string) (*auth.Principal, error)
	// Reload reads the configuration again for a gateway that runs with another; nil: there is nothing to read. What it returns
	// must be checked and complete.
	Reload  func(running *config.Config) (*config.Config, error)
	Level   *slog.LevelVar       // the level of Logger; nil: it stays as it is
	Pace    bool                 // have the server set how much garbage there may be: the process is its own
	Version string               // told to the console
	Console fs.FS                // the console's files; nil: there is no console
	Tracing trace.TracerProvider // makes spans of the requests to the server API; nil: there are none
}

// Gateway is a gateway without a listener: its routes are mounted by whoever embeds it. It is safe for concurrent
// use.
type Gateway struct {
	cfg    *config.Config // as it was at the start
	log    *slog.Logger
	rules  *rulebook
	reload *reloader
	system *system
	origin *auth.OriginPolicy
	hub    *hub.Hub
	budget *channel.Budget // of the logs

	lineBytes *channel.Budget // of what waits on lines
	engine    engine.Engine
	keeper    *keep.Keeper // nil when no session outlives its line
	group     *netloop.Group
	shards    []*session.Shard
	own       *auth.Principal
	lines     *websocket.Handler
	handler   http.Handler

	closing  sync.Once
	closeErr error // set by closing
}

// lineShare is the part of the logs' memory that may wait on lines besides: a quarter.
const lineShare = 4

// NewGateway builds a gateway and starts its loops; [Gateway.Shutdown] ends it.
func NewGateway(opts Options) (*Gateway, error) {
	cfg := opts.Config
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	g := &Gateway{
		cfg:       cfg,
		log:       opts.Logger,
		budget:    channel.NewBudget(int64(cfg.Memory.LogBytes)),
		lineBytes: channel.NewBudget(int64(cfg.Memory.LogBytes) / lineShare),
	}
	in, err := newAccess(cfg, opts.Authenticate)
	if err != nil {
		return nil, err
	}
	if g.origin, err = auth.NewOriginPolicy(cfg.Origins, cfg.Development); err != nil {
		return nil, fmt.Errorf("origins: %w", err)
	}
	if g.own, err = newOwnPrincipal(); err != nil {
		return nil, err
	}
	if g.rules, err = newRulebook(cfg); err != nil {
		return nil, err
	}
	g.reload = newReloader(opts, in)
	if g.engine, err = newEngine(cfg, g.rules.of, g.budget, opts.Logger); err != nil {
		return nil, err
	}
	g.hub = hub.New(hub.Options{
		Engine:        g.engine,
		Authenticator: in.authenticator,
		Namespace:     func(name wire.ChannelName) *hub.Namespace { return &g.rules.of(name).hub },
		NodeID:        cfg.NodeID,
		MaxSessions:   cfg.Limits.Connections,
		MaxMessage:    int(cfg.Limits.FrameBytes),
		MaxPerUser:    cfg.Limits.SessionsPerUser,
		Calls:         opts.Calls,
		Hooks:         opts.Hooks,
		Presence:      newPresence(cfg, g.rules.of, g.engine, opts.Logger),
		Logger:        opts.Logger,
	})
	if g.keeper, err = newKeeper(cfg, g.engine, g.budget, opts.Logger); err != nil {
		g.hub.Close()
		return nil, errors.Join(err, g.engine.Close(context.Background()))
	}
	if err := g.startLoops(g.rules.of); err != nil {
		g.hub.Close()
		g.closeKeeper(context.Background())
		return nil, errors.Join(err, g.engine.Close(context.Background()))
	}
	g.startSystem(opts.Version)
	if g.handler, err = g.routes(opts); err != nil {
		return nil, errors.Join(err, g.close(context.Background()))
	}
	return g, nil
}

// channelDir is where the disk engine has its store, below the data directory.
const channelDir = "channels"

func newEngine(cfg *config.Config, of func(wire.ChannelName) *rules, budget *channel.Budget, logger *slog.Logger) (engine.Engine, error) {
	retention := func(name wire.ChannelName) channel.Retention { return of(name).retention }
	policy := func(name wire.ChannelName) engine.Policy { return of(name).policy }
	space := channel.NewSpace(budget, nil, websocket.Formats()...)
	if cfg.OnDisk() {
		return diskengine.Open(diskengine.Options{
			Space:     space,
			Dir:       filepath.Join(cfg.Data, channelDir),
			Retention: retention,
			Policy:    policy,
			Level:     func(name wire.ChannelName) diskengine.Level { return of(name).level },
			MaxBytes:  int64(cfg.Disk.MaxBytes),
			Logger:    logger,
		})
	}
	return engine.NewMemory(engine.MemoryOptions{Space: space, Retention: retention, Policy: policy}), nil
}

func (g *Gateway) startLoops(of func(wire.ChannelName) *rules) error {
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
		Budget:           g.lineBytes,
		Keeper:           g.keeper,
		MaxFrameBytes:    int(cfg.Limits.FrameBytes),
		MaxSubscriptions: cfg.Limits.Subscriptions,
		MaxOutbox:        int(cfg.Limits.OutboxBytes),
		ConnectTimeout:   cfg.Limits.ConnectTimeout,
		PingInterval:     cfg.Heartbeat.Interval,
		IdleTimeout:      cfg.Heartbeat.Timeout,
		WriteTimeout:     cfg.Heartbeat.WriteTimeout,
		Filter:           newFilters(),
		Slow:             func(name wire.ChannelName) session.SlowPolicy { return of(name).slow },
	}
	for _, loop := range group.Loops() {
		settings.Now = loop.Now
		shard := session.NewShard(settings, loop, loop.Index())
		loop.SetWorker(shard)
		g.shards = append(g.shards, shard)
	}
	session.Introduce(g.shards)
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

// Call makes a call as the gateway itself. parts takes the parts of the result, if it is not nil. Its errors are *wire.Error.
func (g *Gateway) Call(ctx context.Context, c *wire.Call, parts func(wire.Payload)) (*wire.Reply, error) {
	return g.hub.Ask(ctx, g.own, c, parts)
}

// Handle has calls of a method served by a handler.
func (g *Gateway) Handle(method string, handler hub.Handler) error {
	return g.hub.Handle(method, handler)
}

// Sessions returns the number of sessions connected now.
func (g *Gateway) Sessions() int { return int(g.hub.Metrics.Sessions.Load()) }

// Shutdown drains the gateway: no new session is taken, every client is told to come back at a time of its own within
// the configured window, and when they are gone, or ctx ends, everything is closed. Calling it again changes nothing.
func (g *Gateway) Shutdown(ctx context.Context) error {
	g.leave(ctx)
	return g.close(ctx)
}

// leave tells every session to go, until none is left or ctx ends. A handshake that was under way is told as soon as it
// has become a session.
func (g *Gateway) leave(ctx context.Context) {
	const look, sayAgain = 10 * time.Millisecond, 100 * time.Millisecond
	g.hub.Drain()
	g.system.draining()
	if g.keeper != nil {
		g.keeper.Drain()
	}
	g.finishCalls(ctx)
	g.sayGoodbye()
	looking, saying := time.NewTicker(look), time.NewTicker(sayAgain)
	defer looking.Stop()
	defer saying.Stop()
	for g.hub.Metrics.Sessions.Load() > 0 {
		select {
		case <-ctx.Done():
			g.log.Warn("clients that did not leave in time are cut off", "sessions", g.hub.Metrics.Sessions.Load())
			return
		case <-saying.C:
			g.sayGoodbye()
		case <-looking.C:
		}
	}
}

// finishCalls waits for the handlers that run, for half of the time that there is until ctx ends: the rest is for the goodbyes.
func (g *Gateway) finishCalls(ctx context.Context) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
		defer cancel()
	}
	g.hub.FinishCalls(ctx)
}

// sayGoodbye tells the sessions that were not told yet to leave.
func (g *Gateway) sayGoodbye() {
	window := g.cfg.Shutdown.Window
	for i, loop := range g.group.Loops() {
		shard := g.shards[i]
		loop.Post(func() {
			shard.Each(func(s *session.Session) {
				if s.Closing() {
					return
				}
				//nolint:gosec // spreads the return of clients; nothing is kept safe by it
				s.Goodbye(wire.CloseDraining, "draining", time.Duration(rand.Int64N(int64(window)+1)))
			})
		})
	}
}

// close ends the loops, with the lines that are left, and then the engine.
func (g *Gateway) close(ctx context.Context) error {
	g.closing.Do(func() {
		g.system.end()
		g.hub.Close()
		g.group.Close()
		g.hub.FinishHooks(ctx) // they have heard of all sessions now
		g.closeKeeper(ctx)     // it has heard of all sessions now
		g.closeErr = g.engine.Close(ctx)
	})
	return g.closeErr
}
