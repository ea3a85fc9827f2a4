package magpieclient

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
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
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("publish to %s: %w", body.Channel, context.Cause(ctx))
	case <-c.ctx.Done():
		return nil, fmt.Errorf("publish to %s: %w", body.Channel, c.Err())
	}
	r, err := c.submit(ctx, body, true)
	if err != nil {
		<-c.slots
		return nil, fmt.Errorf("publish to %s: %w", body.Channel, err)
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

// PublishBatch appends messages, in their order, with one frame. There is a result for each message, unless the whole
// batch failed. Messages that the gateway refuses for now are sent again until ctx is done.
func (c *Client) PublishBatch(ctx context.Context, channel string, batch []Publication) ([]Result, error) {
	open := make([]int, len(batch)) // the indices of the messages without a final result
	messages := make([]wire.Publication, len(batch))
	for i := range batch {
		open[i], messages[i] = i, batch[i].wire()
	}
	results := make([]Result, len(batch))
	waits := newBackoff()
	for len(open) > 0 {
		body := &wire.Publish{Channel: wire.ChannelName(channel)}
		for _, i := range open {
			body.Messages = append(body.Messages, messages[i])
		}
		wait, err := c.publishSome(ctx, body, &open, results)
		if err != nil {
			return nil, err
		}
		if len(open) == 0 {
			break
		}
		sleep(ctx, max(wait, waits.next()))
	}
	return results, nil
}

// publishSome sends the open messages of a batch once, notes their results, and leaves in open those to send again.
// The wait is the longest that the gateway asked for.
func (c *Client) publishSome(ctx context.Context, body *wire.Publish, open *[]int, results []Result) (time.Duration, error) {
	sent, err := c.publish(ctx, body)
	if err != nil {
		return 0, err
	}
	answer, err := sent.wait()
	if err != nil {
		return 0, err
	}
	if len(answer.Results) != len(*open) {
		return 0, fmt.Errorf("publish to %s: the gateway gave %d results for %d messages", body.Channel, len(answer.Results), len(*open))
	}
	var wait time.Duration
	var again []int
	for at, i := range *open {
		result := &answer.Results[at]
		results[i] = Result{Published: publishedOf(body.Messages[at].MessageID, result)}
		if result.Err == nil {
			continue
		}
		results[i].Err = errorOf(result.Err)
		if result.Err.Retryable {
			again = append(again, i)
			wait = max(wait, result.Err.RetryAfter)
		}
	}
	*open = again
	return wait, nil
}

func publishedOf(id string, r *wire.PublishResult) Published {
	return Published{ID: id, Position: positionOf(r.Position), Duplicate: r.Duplicate}
}
