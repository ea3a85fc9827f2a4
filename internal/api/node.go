package api

import (
	"context"
	"time"

	magpiev1 "github.com/magpie-bridge/magpie/protocol/gen/magpie/v1"
)

// node answers how the node stands.
func (s *service) node(context.Context, *magpiev1.NodeRequest) (*magpiev1.NodeResponse, error) {
	h := s.opts.Hub
	stats := h.Engine().Stats()
	answer := &magpiev1.NodeResponse{
		NodeId: h.NodeID(), Version: s.opts.Version, StartedAt: s.started.UnixMilli(), ServerTime: time.Now().UnixMilli(),
		Sessions: h.Metrics.Sessions.Load(), Channels: int64(stats.Channels), MemoryBytes: stats.MemoryBytes, Draining: h.Draining(),
	}
	for _, sh := range s.opts.Shards {
		answer.Subscriptions += sh.Metrics.Subscriptions.Load()
	}
	if stats.MemoryLimit > 0 {
		answer.MemoryLimit = new(stats.MemoryLimit)
	}
	for _, method := range h.Services() {
		answer.Methods = append(answer.Methods, &magpiev1.MethodInfo{
			Method: method.Method, Servers: int64(method.Servers), InFlight: int64(method.InFlight), Queued: int64(method.Queued),
		})
	}
	return answer, nil
}
