package server

import (
	"net/http"
	"time"

	"github.com/magpie-bridge/magpie/internal/api"
	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/transport/websocket"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// linePath is where WebSocket lines begin.
const linePath = "/ws"

// chatChannel is where the console's chat page meets.
const chatChannel = "chat.lobby"

func (g *Gateway) routes(opts Options) (http.Handler, error) {
	cfg, origin := g.cfg, g.origin
	mux := http.NewServeMux()
	g.lines = websocket.NewHandler(websocket.Options{
		Hub:           g.hub,
		Group:         g.group,
		Shards:        g.shards,
		Origin:        origin,
		Anonymous:     cfg.Development,
		Ambient:       opts.Authenticate != nil,
		MaxHandshakes: cfg.Limits.Handshakes,
		Compression:   cfg.Compression,
	})
	mux.Handle(linePath, g.lines)
	requests := api.NewRequests()
	if err := api.MountGateway(mux, api.GatewayOptions{
		Hub: g.hub, Origin: origin, Shards: g.shards, Version: opts.Version, Requests: requests, Tracing: opts.Tracing,
		Reload: g.Reload, TTL: func(name wire.ChannelName) time.Duration { return g.rules.of(name).policy.TTL },
	}); err != nil {
		return nil, err
	}
	mux.HandleFunc("GET /healthz", api.Healthz)
	mux.Handle("GET /readyz", sameOrigin(origin, api.Readyz(g.hub)))
	if cfg.Metrics.Enabled {
		mux.Handle("GET /metrics", sameOrigin(origin, api.Metrics(g.hub, g.shards, requests)))
	}
	if cfg.Console.Enabled && opts.Console != nil {
		mux.Handle("/", api.Console(opts.Console))
		mux.Handle("GET /console.json", sameOrigin(origin, api.ConsoleConfig(api.ConsoleInfo{
			Version:      opts.Version,
			NodeID:       cfg.NodeID,
			Development:  cfg.Development,
			LogChannels:  []string{cfg.Logs.Channel},
			ChatChannels: []string{chatChannel},
		})))
	}
	return mux, nil
}

// sameOrigin keeps the pages of other sites from what a handler tells.
func sameOrigin(origin *auth.OriginPolicy, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := origin.Check(r); err != nil {
			http.Error(w, wire.AsError(err).Message, http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}
