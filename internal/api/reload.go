package api

import (
	"context"

	"github.com/magpie-bridge/magpie/internal/config"
	"github.com/magpie-bridge/magpie/internal/wire"
	magpiev1 "github.com/magpie-bridge/magpie/protocol/gen/magpie/v1"
)

// Reloaded is what came of reading the configuration again.
type Reloaded struct {
	Changes      []config.Change
	Unsubscribed int // subscriptions that were ended, because the right is missing now
	Unserved     int // methods that sessions have no right to serve any more
	Disconnected int // sessions that were ended, because their credential is gone
}

// reload has the gateway read its configuration again, and answers with what has changed.
func (s *service) reload(ctx context.Context, _ *magpiev1.ReloadRequest) (*magpiev1.ReloadResponse, error) {
	if s.opts.Reload == nil {
		return nil, wire.Errorf(wire.CodeFailedPrecondition, "this gateway cannot read its configuration again: restart it")
	}
	done, err := s.opts.Reload(ctx)
	if err != nil {
		return nil, err
	}
	answer := &magpiev1.ReloadResponse{
		Unsubscribed: int64(done.Unsubscribed), Unserved: int64(done.Unserved), Disconnected: int64(done.Disconnected),
	}
	for _, c := range done.Changes {
		answer.Changes = append(answer.Changes, &magpiev1.ConfigChange{Key: c.Key, Before: c.Before, After: c.After, Applied: c.Live})
	}
	return answer, nil
}
