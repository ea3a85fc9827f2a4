package hub

import (
	"context"
	"fmt"
	"math"
	"runtime/debug"
	"time"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// Client is who a hook is asked about.
type Client struct {
	Principal *auth.Principal
	Session   wire.SessionID // empty for requests that have none
}

// Hooks are what an embedding program wants to be asked, and told. Each may be nil, may block, and runs on a worker. An
// error refuses what was asked; one that is no *wire.Error is logged, and the client hears nothing of it.
type Hooks struct {
	Connect    func(ctx context.Context, c Client) error
	Subscribe  func(ctx context.Context, c Client, name wire.ChannelName) error
	Publish    func(ctx context.Context, c Client, name wire.ChannelName, p *wire.Publication) error
	Disconnect func(c Client, reason string)
}

// The bounds of hooks.
const (
	// hookWorkers is how many hooks run at once.
	hookWorkers = 64
	// hooksWaiting is how many more may wait for their turn: as many as clients that come back at once.
	hooksWaiting = 100_000
	// hookTimeout ends the context of a hook: clients wait for it.
	hookTimeout = 10 * time.Second
)

// hooking runs the hooks.
type hooking struct {
	Hooks
	asking  *workers
	telling *workers // never refuses: each session is told of once
}

func newHooking(h Hooks) *hooking {
	return &hooking{Hooks: h, asking: newWorkers(hookWorkers, hooksWaiting), telling: newWorkers(hookWorkers, math.MaxInt)}
}

// Hooks returns what the embedding program wants to be asked.
func (h *Hub) Hooks() *Hooks { return &h.hooks.Hooks }

// Screen has a hook asked on a worker, and calls done once with what it says, on any goroutine.
func (h *Hub) Screen(ask func(ctx context.Context) error, done func(error)) {
	err := h.hooks.asking.do(func() {
		ctx, cancel := context.WithTimeout(h.ctx, hookTimeout)
		defer cancel()
		done(h.screen(ctx, ask))
	})
	if err != nil {
		done(err)
	}
}

// screen asks a hook, and makes of whatever it does an error that a client may hear.
func (h *Hub) screen(ctx context.Context, ask func(ctx context.Context) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			h.log.Error("a hook panicked", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = wire.AsError(fmt.Errorf("panic: %v", p))
		}
	}()
	if err = ask(ctx); err == nil {
		return nil
	}
	known := wire.AsError(err)
	if known != err { //nolint:errorlint // what is wrapped is logged with what it is wrapped in
		h.log.Error("a hook failed", "error", err)
	}
	return known
}

// ScreenPublish asks the hook about each message of p, which it may change.
func (h *Hub) ScreenPublish(ctx context.Context, c Client, p *wire.Publish) error {
	if p.Messages == nil {
		return h.hooks.Publish(ctx, c, p.Channel, &p.Publication)
	}
	for i := range p.Messages {
		if err := h.hooks.Publish(ctx, c, p.Channel, &p.Messages[i]); err != nil {
			return err
		}
	}
	return nil
}

// Departed tells that a client that was let in has gone.
func (h *Hub) Departed(c Client, reason string) {
	if h.hooks.Disconnect == nil {
		return
	}
	_ = h.hooks.telling.do(func() { // it has room for any number
		_ = h.screen(h.ctx, func(context.Context) error {
			h.hooks.Disconnect(c, reason)
			return nil
		})
	})
}

// FinishHooks waits until no hook runs any more, and nobody lists channels for a pattern, or ctx ends.
func (h *Hub) FinishHooks(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		h.hooks.asking.wait()
		h.hooks.telling.wait()
		h.following.expanding.wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
}
