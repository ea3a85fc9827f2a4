package hub

import (
	"context"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// maxBroadcast bounds the channels of one broadcast: each is an append of its own.
const maxBroadcast = 1000

// BroadcastWait publishes one message to several channels on behalf of a principal, and waits until each has taken it or
// refused. It fails, and publishes to none of them, when one is not to be published to. The results are in the order of the
// channels. When ctx ends first, which channels have the message is unknown: with its messageId it may be published again.
func (h *Hub) BroadcastWait(ctx context.Context, by *auth.Principal, channels []wire.ChannelName, p *wire.Publication) (*wire.Published, error) {
	each := make([]wire.Publish, len(channels)) // the embedding program may make another message of each
	for i, name := range channels {
		each[i] = wire.Publish{Channel: name, Publication: *p}
	}
	if err := h.mayBroadcast(ctx, by, each); err != nil {
		h.Metrics.PublishErrors.Add(1)
		return nil, err
	}
	type outcome struct {
		index  int
		result wire.PublishResult
	}
	outcomes := make(chan outcome, len(channels))
	for i := range each {
		h.Publish(by, &each[i], func(published *wire.Published, err error) {
			if err != nil {
				outcomes <- outcome{i, wire.PublishResult{Err: wire.AsError(err)}}
				return
			}
			outcomes <- outcome{i, published.PublishResult}
		})
	}
	all := &wire.Published{Results: make([]wire.PublishResult, len(channels))}
	for range channels {
		select {
		case o := <-outcomes:
			all.Results[o.index] = o.result
		case <-ctx.Done():
			return nil, wire.Errorf(wire.CodeDeadlineExceeded, "the message was not acknowledged for all channels in time: publish it again with the same messageId")
		}
	}
	return all, nil
}

func (h *Hub) mayBroadcast(ctx context.Context, by *auth.Principal, each []wire.Publish) error {
	switch n := len(each); {
	case n == 0:
		return wire.Errorf(wire.CodeInvalidArgument, "channels is missing: expected the names of those to publish to")
	case n > maxBroadcast:
		return wire.Errorf(wire.CodeInvalidArgument, "channels has %d names: at most %d are allowed", n, maxBroadcast)
	}
	seen := make(map[wire.ChannelName]bool, len(each))
	for i := range each {
		name := each[i].Channel
		if err := h.mayPublish(by, &each[i]); err != nil {
			return err
		}
		if seen[name] {
			return wire.Errorf(wire.CodeInvalidArgument, "channel %q stands twice in channels", name)
		}
		seen[name] = true
	}
	if h.hooks.Publish == nil {
		return nil
	}
	for i := range each {
		if err := h.screenRequest(ctx, by, &each[i]); err != nil {
			return err
		}
	}
	return nil
}
