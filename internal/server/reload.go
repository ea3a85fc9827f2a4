package server

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/magpie-bridge/magpie/internal/api"
	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/config"
	"github.com/magpie-bridge/magpie/internal/engine"
	"github.com/magpie-bridge/magpie/internal/hub"
	"github.com/magpie-bridge/magpie/internal/session"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// renewTimeout is how long a reload waits for the loops to have checked all sessions.
const renewTimeout = 20 * time.Second

// reloader has the configuration in use, and takes up others.
type reloader struct {
	load  func(running *config.Config) (*config.Config, error) // nil: there is nothing to read
	level *slog.LevelVar                                       // nil: the level of the log stays

	mu      sync.Mutex // held during a reload; guards the fields below
	running *config.Config
	access  *access
}

func newReloader(opts Options, in *access) *reloader {
	return &reloader{load: opts.Reload, level: opts.Level, running: opts.Config, access: in}
}

// Reload reads the configuration again. A wrong one is refused whole, and nothing changes. Of another one whatever can be
// taken up without a restart is in use when Reload returns; no line is dropped, but those of API keys that are gone. Its
// errors are *wire.Error.
func (g *Gateway) Reload(ctx context.Context) (*api.Reloaded, error) {
	r := g.reload
	if r.load == nil {
		return nil, wire.Errorf(wire.CodeFailedPrecondition, "this gateway was not started from a file that could be read again")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	changes, err := g.takeUp()
	if err != nil {
		g.log.Error("the configuration is refused, and the gateway runs on with the one before", "error", err)
		return nil, wire.Errorf(wire.CodeFailedPrecondition, "the configuration is refused, and the gateway runs on with the one before: %v", err)
	}
	done := &api.Reloaded{Changes: changes}
	ctx, cancel := context.WithTimeout(ctx, renewTimeout)
	defer cancel()
	renewed, err := session.Renew(ctx, g.shards, session.Renewal{
		MaxSubscriptions: r.running.Limits.Subscriptions,
		Revoked:          r.access.revoked,
	})
	if err != nil {
		g.log.Warn("the loops still check the rights of open subscriptions", "error", err)
	}
	done.Unsubscribed, done.Unserved, done.Disconnected = renewed.Unsubscribed, renewed.Unserved, renewed.Disconnected
	g.tell(done)
	return done, nil
}

// takeUp makes another configuration the one in use, or changes nothing.
func (g *Gateway) takeUp() ([]config.Change, error) {
	r := g.reload
	next, err := r.load(r.running)
	if err != nil {
		return nil, err
	}
	now, changes, err := r.running.Succeed(next)
	if err != nil {
		return nil, err
	}
	origin, err := auth.NewOriginPolicy(now.Origins, now.Development)
	if err != nil {
		return nil, fmt.Errorf("origins: %w", err)
	}
	in, err := r.access.renewed(now)
	if err != nil {
		return nil, err
	}
	r.running, r.access = now, in
	g.rules.publish(now)
	g.origin.Become(origin)
	g.hub.Admit(hub.Admission{
		Authenticator: in.authenticator, MaxSessions: now.Limits.Connections, MaxPerUser: now.Limits.SessionsPerUser,
	})
	if r.level != nil {
		_ = r.level.UnmarshalText([]byte(now.Log.Level)) // the configuration allows no other names
	}
	if e, ok := g.engine.(engine.Refresher); ok {
		e.Refresh()
	}
	g.system.always.Store(now.System)
	return changes, nil
}

// tell says what has changed, to the log and to whoever follows sys.config.
func (g *Gateway) tell(done *api.Reloaded) {
	restart := 0
	for _, c := range done.Changes {
		if !c.Live {
			restart++
			g.log.Warn("a setting has changed that takes a restart", "key", c.Key, "before", c.Before, "after", c.After)
			continue
		}
		g.log.Info("a setting has changed, and is in use", "key", c.Key, "before", c.Before, "after", c.After)
	}
	g.log.Info("the configuration was read again", "changes", len(done.Changes), "needRestart", restart,
		"unsubscribed", done.Unsubscribed, "unserved", done.Unserved, "disconnected", done.Disconnected)
	g.system.configured(done)
}
