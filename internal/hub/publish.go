package hub

import (
	"context"
	"sync"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// recordsPool spares every publish the slice for its records.
var recordsPool = sync.Pool{New: func() any { return new([]channel.Record) }}

// Publish appends what p holds on behalf of a principal, and calls done exactly once: on any goroutine, possibly
// before it returns, when the messages are as durable as the channel promises. Nothing of p is kept. In a batch the
// messages are appended together or not at all.
func (h *Hub) Publish(by *auth.Principal, p *wire.Publish, done func(*wire.Published, error)) {
	if err := h.mayPublish(by, p); err != nil {
		h.Metrics.PublishErrors.Add(1)
		done(nil, err)
		return
	}
	buf := recordsPool.Get().(*[]channel.Record)
	records := (*buf)[:0]
	if p.Messages == nil {
		records = append(records, channel.Record{Publication: p.Publication, Publisher: by.UserID, Origin: p.Origin})
	}
	for i := range p.Messages {
		records = append(records, channel.Record{Publication: p.Messages[i], Publisher: by.UserID, Origin: p.Origin})
	}
	if len(records) > 0 {
		records[0].Create = h.mayCreate(by, p.Channel)
	}
	single := p.Messages == nil
	h.opts.Engine.Append(p.Channel, records, func(epoch wire.Epoch, placed []channel.Placed, err error) {
		if err != nil {
			h.Metrics.PublishErrors.Add(1)
			done(nil, err)
			return
		}
		done(h.published(single, epoch, placed), nil)
	})
	clear(records)
	*buf = records
	recordsPool.Put(buf)
}

// MayPublish checks what Publish checks first: the name, the principal's right, and the sizes.
func (h *Hub) MayPublish(by *auth.Principal, p *wire.Publish) error { return h.mayPublish(by, p) }

// screenRequest asks the hook about a publish that came in without a session.
func (h *Hub) screenRequest(ctx context.Context, by *auth.Principal, p *wire.Publish) error {
	if err := h.mayPublish(by, p); err != nil {
		return err
	}
	return h.screen(ctx, func(ctx context.Context) error { return h.ScreenPublish(ctx, Client{Principal: by}, p) })
}

func (h *Hub) mayPublish(by *auth.Principal, p *wire.Publish) error {
	if h.closed.Load() {
		return wire.Errorf(wire.CodeUnavailable, "node %s has shut down: publish to another", h.opts.NodeID)
	}
	if err := p.Channel.Check(); err != nil {
		return err
	}
	if err := h.may(by, auth.Publish, p.Channel); err != nil {
		return err
	}
	// A message must fit into what may wait for one slow client, whichever way it came in.
	limit := h.opts.MaxMessage
	if most := h.opts.Namespace(p.Channel).MaxMessage; most > 0 {
		limit = min(limit, most)
	}
	if err := checkSize(&p.Publication, p.Channel, limit); err != nil {
		return err
	}
	for i := range p.Messages {
		if err := checkSize(&p.Messages[i], p.Channel, limit); err != nil {
			return err
		}
	}
	return nil
}

func checkSize(p *wire.Publication, name wire.ChannelName, limit int) error {
	if n := len(p.Payload.Bytes); n > limit {
		return wire.Errorf(wire.CodeInvalidArgument, "the payload of a message has %d bytes: this gateway takes at most %d in channel %q", n, limit, name)
	}
	return nil
}

func (h *Hub) published(single bool, epoch wire.Epoch, placed []channel.Placed) *wire.Published {
	p := &wire.Published{}
	if single {
		p.PublishResult = h.result(epoch, placed[0])
		return p
	}
	p.Results = make([]wire.PublishResult, len(placed))
	for i := range placed {
		p.Results[i] = h.result(epoch, placed[i])
	}
	return p
}

func (h *Hub) result(epoch wire.Epoch, placed channel.Placed) wire.PublishResult {
	if placed.Duplicate {
		h.Metrics.Duplicates.Add(1)
	} else {
		h.Metrics.Published.Add(1)
	}
	return wire.PublishResult{
		Position:  wire.Position{Epoch: epoch, Offset: placed.Offset},
		Duplicate: placed.Duplicate,
	}
}

// PublishWait is [Hub.Publish] for callers that may block. When ctx ends first its error is returned, and whether the
// messages were appended is unknown: publishing them again with their messageIds is safe.
func (h *Hub) PublishWait(ctx context.Context, by *auth.Principal, p *wire.Publish) (*wire.Published, error) {
	type outcome struct {
		published *wire.Published
		err       error
	}
	done := make(chan outcome, 1)
	if h.hooks.Publish != nil && by.Method != auth.MethodInternal {
		if err := h.screenRequest(ctx, by, p); err != nil {
			h.Metrics.PublishErrors.Add(1)
			return nil, err
		}
	}
	h.Publish(by, p, func(published *wire.Published, err error) { done <- outcome{published, err} })
	select {
	case o := <-done:
		return o.published, o.err
	case <-ctx.Done():
		return nil, wire.Errorf(wire.CodeDeadlineExceeded, "the publish was not acknowledged in time: publish it again with the same messageId")
	}
}

// Probe sends a message through the engine and reports whether it was taken.
func (h *Hub) Probe(ctx context.Context) error {
	record := []channel.Record{{Publication: wire.Publication{MessageID: "probe"}, Create: true}}
	done := make(chan error, 1)
	h.opts.Engine.Append(wire.SystemPrefix+"probe", record, func(_ wire.Epoch, _ []channel.Placed, err error) { done <- err })
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return wire.Errorf(wire.CodeUnavailable, "the engine did not answer within the time of a probe")
	}
}
