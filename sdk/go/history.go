package magpieclient

import (
	"bytes"
	"context"
	"fmt"
	"iter"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// HistoryOptions say which part of a channel's past to read. The zero value begins with the oldest message kept.
type HistoryOptions struct {
	// From is where to begin: with the messages after it or, in reverse, with those before it. The zero value stands for
	// the oldest message kept or, in reverse, for the newest.
	From Start
	// Reverse gives the newest message first.
	Reverse bool
	// Limit is how many messages a page may have, at most 1,000; 100 when 0. A page of large ones has fewer.
	Limit int
}

// HistoryPage is a part of a channel's past.
type HistoryPage struct {
	Channel    string
	Epoch      string
	Head, Tail uint64     // the oldest offset kept, Tail+1 when nothing is, and the newest offset there is
	Gap        *Gap       // what is missing before the first message, in the order asked for; or nil
	Messages   []*Message // in that order, without a hole
	Next       Position   // where the next page begins, if there is one
	More       bool       // there is a next page
}

// History reads one page. It is asked for again when the line breaks or the gateway refuses for now, until ctx is done.
func (c *Client) History(ctx context.Context, channel string, opts HistoryOptions) (*HistoryPage, error) {
	body := &wire.History{Channel: wire.ChannelName(channel), From: opts.From.start, Limit: int64(opts.Limit), Reverse: opts.Reverse}
	if err := body.Channel.Check(); err != nil {
		return nil, errorOf(wire.AsError(err))
	}
	if opts.Limit < 0 || opts.Limit > wire.MaxPage {
		return nil, errorf(wire.CodeInvalidArgument, "a page of %d messages: expected 1 to %d, or 0 for the usual", opts.Limit, wire.MaxPage)
	}
	what := "history of " + channel
	r, err := c.submitRepeatable(ctx, what, body)
	if err != nil {
		return nil, err
	}
	<-r.done
	if r.err != nil {
		return nil, fmt.Errorf("%s: %w", what, r.err)
	}
	page, ok := r.answer.(*wire.Page)
	if !ok {
		return nil, fmt.Errorf("%s: the gateway answered with a %s frame", what, r.answer.Type())
	}
	return pageOf(page), nil
}

// HistoryPages gives one page after another to the end, and an error in the place of the page that could not be read.
func (c *Client) HistoryPages(ctx context.Context, channel string, opts HistoryOptions) iter.Seq2[*HistoryPage, error] {
	return func(yield func(*HistoryPage, error) bool) {
		for {
			page, err := c.History(ctx, channel, opts)
			if !yield(page, err) || err != nil || !page.More {
				return
			}
			opts.From = At(page.Next)
		}
	}
}

// HistoryEvents gives the messages and the gaps of all pages, and at last an error if a page could not be read.
func (c *Client) HistoryEvents(ctx context.Context, channel string, opts HistoryOptions) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for page, err := range c.HistoryPages(ctx, channel, opts) {
			if err != nil {
				yield(nil, err)
				return
			}
			if page.Gap != nil && !yield(page.Gap, nil) {
				return
			}
			for _, m := range page.Messages {
				if !yield(m, nil) {
					return
				}
			}
		}
	}
}

// pageOf makes a page of a frame that nobody else has. What the frame says once of all messages each of them says itself.
func pageOf(p *wire.Page) *HistoryPage {
	page := &HistoryPage{
		Channel:  string(p.Channel),
		Epoch:    string(p.Epoch),
		Head:     uint64(p.Head),
		Tail:     uint64(p.Tail),
		Messages: make([]*Message, len(p.Messages)),
	}
	for i := range p.Messages {
		p.Messages[i].Channel = p.Channel
		page.Messages[i] = messageOf(&p.Messages[i], p.Epoch)
	}
	if p.Gap != nil {
		page.Gap = gapOf(p.Channel, p.Gap)
	}
	if p.Next != nil {
		page.Next, page.More = positionOf(*p.Next), true
	}
	return page
}

// keptPage copies a page out of the decoder's memory.
func keptPage(p *wire.Page) *wire.Page {
	kept := *p
	for i := range kept.Messages { // the list itself is not the decoder's
		m := &kept.Messages[i]
		m.Payload.Bytes = bytes.Clone(m.Payload.Bytes)
	}
	return &kept
}
