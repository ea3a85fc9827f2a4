package api

import (
	"context"
	"time"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// callMargin is what the answer to a call has beyond the call's own time.
const callMargin = 30 * time.Second

// call runs a method on behalf of a backend. Parts of the result that come before it have nowhere to go: whoever wants them
// opens a line.
func (s *service) call(ctx context.Context, by *auth.Principal, c *wire.Call) (*wire.Reply, error) {
	return s.opts.Hub.Ask(ctx, by, c, nil)
}
