package server

import (
	"log/slog"

	"github.com/magpie-bridge/magpie/internal/config"
	"github.com/magpie-bridge/magpie/internal/engine"
	"github.com/magpie-bridge/magpie/internal/hub/presence"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// newPresence makes what knows who is here. It costs nothing where no channel has presence.
func newPresence(cfg *config.Config, of func(wire.ChannelName) *rules, e engine.Engine, logger *slog.Logger) *presence.Registry {
	return presence.New(presence.Options{
		Engine: e,
		Covers: func(name wire.ChannelName) bool { return of(name).presence },
		Online: cfg.Presence.Online,
		Grace:  cfg.Presence.Grace,
		Logger: logger,
	})
}
