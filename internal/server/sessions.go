package server

import (
	"context"
	"log/slog"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/config"
	"github.com/magpie-bridge/magpie/internal/engine"
	"github.com/magpie-bridge/magpie/internal/hub/keep"
)

// newKeeper makes what keeps sessions whose lines broke: over restarts too, where the engine keeps anything. It is nil
// when none are to be kept.
func newKeeper(cfg *config.Config, e engine.Engine, budget *channel.Budget, logger *slog.Logger) (*keep.Keeper, error) {
	if cfg.Sessions.Kept == 0 {
		return nil, nil
	}
	store, _ := e.(keep.Store) // those that keep nothing are none
	return keep.New(keep.Options{
		Within:      cfg.Sessions.ResumeWithin,
		Most:        cfg.Sessions.Kept,
		MostPerUser: cfg.Sessions.KeptPerUser,
		Budget:      budget,
		Store:       store,
		Logger:      logger,
	})
}

func (g *Gateway) closeKeeper(ctx context.Context) {
	if g.keeper != nil {
		g.keeper.Close(ctx)
	}
}
