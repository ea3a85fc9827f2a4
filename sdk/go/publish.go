package magpieclient

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

const (
	// frameOverhead is what a frame has beside its messages and its channel, generously.
	frameOverhead = 256
	// usualFrameBytes is what gateways accept that do not say.
	usualFrameBytes = 64 << 10
)

// Publication is one message on its way to a channel.
type Publication struct {
	// ID names the message among its publisher's. A repetition is not kept twice but answered with the position of the
	// first. One is made when it is empty.
	ID      string
	Key     string            // what the message is the newest value of
	Tags    map[string]string // what subscribers may filter by
	Meta    map[string]string // what travels along, such as a trace context
	Payload Payload
}

func (p *Publication) wire() wire.Publication {
	id := p.ID
	if id == "" {
		id = rand.Text()
	}
	return wire.Publication{
		MessageID: id,
		Key:       p.Key,
		Tags:      pairsOf(p.Tags),
		Meta:      pairsOf(p.Meta),
		Payload:   p.Payload.wire(),
	}
}

// Published tells where a message stands.
type Published struct {
	ID        string // of the message: the one given, or the one made for it
	Position  Position
	Duplicate bool // it was there already
}

// Result is the outcome of one message of a batch.
type Result struct {
	Published
	Err error // an [*Error], when the message was refused
}

// Publish appends a message to a channel and waits until the gateway has committed it. It is sent again, under the
// same id, when the line breaks or the gateway refuses for now, until ctx is done.
func (c *Client) Publish(ctx context.Context, channel string, p Publication) (Published, error) {
	sent, err := c.PublishAsync(ctx, channel, p)
	if err != nil {
		return Published{}, err
	}
	return sent.Wait()
}

// Publishing is a publish on its way.
type Publishing struct {
	channel string
	id      string // of a single message
	request *request
}

// PublishAsync sends a message without waiting for the answer, once fewer than MaxInFlight are unanswered. The gateway
// appends in the order of the calls, also over a broken line; only a message that it refused for now, and that is
// therefore sent again later, may fall behind. ctx bounds the whole publish, not only this call.
func (c *Client) PublishAsync(ctx context.Context, channel string, p Publication) (*Publishing, error) {
	return c.publish(ctx, &wire.Publish{Channel: wire.ChannelName(channel), Publication: p.wire()})
}

func (c *Client) publish(ctx context.Context, body *wire.Publish) (*Publishing, error) {
	if err := body.Channel.Check(); err != nil {
		return nil, errorOf(wire.AsError(err))
	}
	r, err := c.submitRepeatable(ctx, "publish to "+string(body.Channel), body)
	if err != nil {
		return nil, err
	}
	return &Publishing{channel: string(body.Channel), id: body.MessageID, request: r}, nil
}

// Done is closed when the publish has been answered, or has failed.
func (p *Publishing) Done() <-chan struct{} { return p.request.done }

// Wait waits for the answer, for as long as the context of PublishAsync allows.
func (p *Publishing) Wait() (Published, error) {
	answer, err := p.wait()
	if err != nil {
		return Published{}, err
	}
	return publishedOf(p.id, &answer.PublishResult), nil
}

func (p *Publishing) wait() (*wire.Published, error) {
	<-p.request.done
	if p.request.err != nil {
		return nil, fmt.Errorf("publish to %s: %w", p.channel, p.request.err)
	}
	answer, ok := p.request.answer.(*wire.Published)
	if !ok {
		return nil, fmt.Errorf("publish to %s: the gateway answered with a %s frame", p.channel, p.request.answer.Type())
	}
	return answer, nil
}

// PublishBatch appends messages in their order, with as few frames as the gateway's limit allows. There is a result
// for each message, unless the batch as a whole failed. Messages that the gateway refuses for now are sent again until
// ctx is done.
func (c *Client) PublishBatch(ctx context.Context, channel string, batch []Publication) ([]Result, error) {
	open := make([]*batched, len(batch))
	all := make([]batched, len(batch))
	for i := range batch {
		all[i].message = batch[i].wire()
		open[i] = &all[i]
	}
	waits := newBackoff()
	for len(open) > 0 {
		wait, err := c.publishOpen(ctx, wire.ChannelName(channel), open)
		if err != nil {
			return nil, err
		}
		open = slices.DeleteFunc(open, func(b *batched) bool { return !b.again })
		if len(open) > 0 {
			sleep(ctx, max(wait, waits.next()))
		}
	}
	results := make([]Result, len(batch))
	for i := range all {
		results[i] = all[i].result
	}
	return results, nil
}

// batched is one message of a batch.
type batched struct {
	message wire.Publication
	result  Result
	again   bool // it was refused for now
}

// take notes what became of the message.
func (b *batched) take(r *wire.PublishResult) {
	b.result = Result{Published: publishedOf(b.message.MessageID, r)}
	b.again = r.Err != nil && r.Err.Retryable
	if r.Err != nil {
		b.result.Err = errorOf(r.Err)
	}
}

// publishOpen sends messages once and notes their results. The wait is the longest that the gateway asked for.
func (c *Client) publishOpen(ctx context.Context, channel wire.ChannelName, open []*batched) (wait time.Duration, err error) {
	var sent []*Publishing
	for _, body := range c.frames(ctx, channel, open) {
		p, err := c.publish(ctx, body)
		if err != nil {
			return 0, err
		}
		sent = append(sent, p)
	}
	for _, p := range sent {
		answer, err := p.wait()
		if err != nil {
			return 0, err
		}
		asked := p.request.body.(*wire.Publish).Messages
		if len(answer.Results) != len(asked) {
			return 0, fmt.Errorf("publish to %s: the gateway gave %d results for %d messages", channel, len(answer.Results), len(asked))
		}
		for i := range answer.Results {
			open[i].take(&answer.Results[i])
			if open[i].again {
				wait = max(wait, answer.Results[i].Err.RetryAfter)
			}
		}
		open = open[len(asked):]
	}
	return wait, nil
}

// frames divides messages over frames that the gateway accepts. A message that is too large by itself has a frame of
// its own, and is refused with it.
func (c *Client) frames(ctx context.Context, channel wire.ChannelName, open []*batched) []*wire.Publish {
	limit := c.frameLimit(ctx)
	var bodies []*wire.Publish
	room := 0
	var encoded []byte
	for _, b := range open {
		// With its own channel and type, a message alone is larger than it is among others.
		alone := wire.Frame{Body: &wire.Publish{Channel: channel, Publication: b.message}}
		encoded = c.opts.Codec.wire().Append(encoded[:0], &alone)
		size := len(encoded)
		if last := len(bodies) - 1; last < 0 || size > room || len(bodies[last].Messages) == wire.MaxBatch {
			bodies = append(bodies, &wire.Publish{Channel: channel})
			room = limit - frameOverhead - len(channel)
		}
		last := bodies[len(bodies)-1]
		last.Messages = append(last.Messages, b.message)
		room -= size
	}
	return bodies
}

// frameLimit is the size of the frames that the gateway accepts. It is known once there has been a line.
func (c *Client) frameLimit(ctx context.Context) int {
	select {
	case <-c.met:
	case <-ctx.Done():
	case <-c.ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.limit
}

func publishedOf(id string, r *wire.PublishResult) Published {
	return Published{ID: id, Position: positionOf(r.Position), Duplicate: r.Duplicate}
}
