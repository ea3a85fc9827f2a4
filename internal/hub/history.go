package hub

import (
	"context"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// maxPageBytes bounds the messages of a page as they stand in JSON, so that a page fits into what may wait for one slow
// client. Only a single message can have more.
const maxPageBytes = 192 << 10

// History reads a page of a channel on behalf of a principal, who needs the right to subscribe to it, and calls done
// exactly once: on any goroutine, possibly before it returns.
func (h *Hub) History(by *auth.Principal, b *wire.History, done func(*wire.Page, error)) {
	if h.closed.Load() {
		done(nil, wire.Errorf(wire.CodeUnavailable, "node %s has shut down: ask another", h.opts.NodeID))
		return
	}
	if err := h.MaySubscribe(by, b.Channel); err != nil {
		done(nil, err)
		return
	}
	q := channel.Query{From: b.From, Limit: int(b.Limit), Bytes: maxPageBytes, Reverse: b.Reverse}
	if q.Limit == 0 {
		q.Limit = wire.DefaultPage
	}
	name := b.Channel
	h.opts.Engine.Read(name, q, func(r channel.Run, err error) {
		if err != nil {
			done(nil, err)
			return
		}
		h.Metrics.Pages.Add(1)
		done(pageOf(name, &r), nil)
	})
}

// pageOf makes a page of what was found. Its messages alias the entries.
func pageOf(name wire.ChannelName, r *channel.Run) *wire.Page {
	p := &wire.Page{Channel: name, Epoch: r.Epoch, Head: r.Head, Tail: r.Tail, Gap: r.Gap}
	if p.Gap != nil {
		p.Gap.Channel = "" // the page names it
	}
	p.Messages = make([]wire.Message, len(r.Entries))
	var encoded []byte
	size, n := 0, 0
	for n < len(r.Entries) {
		m := &p.Messages[n]
		r.Entries[n].Message(m)
		m.Offset = r.Offset(n)
		encoded = wire.JSON.AppendMessage(encoded[:0], m)
		if size += len(encoded); n > 0 && size > maxPageBytes {
			break
		}
		n++
	}
	p.Messages = p.Messages[:n]
	if n > 0 && (n < len(r.Entries) || r.More) {
		p.Next = &wire.Position{Epoch: r.Epoch, Offset: r.Offset(n - 1)}
	}
	return p
}

// HistoryWait is [Hub.History] for callers that may block.
func (h *Hub) HistoryWait(ctx context.Context, by *auth.Principal, b *wire.History) (*wire.Page, error) {
	type outcome struct {
		page *wire.Page
		err  error
	}
	done := make(chan outcome, 1)
	if h.hooks.Subscribe != nil && by.Method != auth.MethodInternal {
		if err := h.MaySubscribe(by, b.Channel); err != nil {
			return nil, err
		}
		if err := h.screen(ctx, func(ctx context.Context) error { return h.hooks.Subscribe(ctx, Client{Principal: by}, b.Channel) }); err != nil {
			return nil, err
		}
	}
	h.History(by, b, func(page *wire.Page, err error) { done <- outcome{page, err} })
	select {
	case o := <-done:
		return o.page, o.err
	case <-ctx.Done():
		return nil, wire.Errorf(wire.CodeDeadlineExceeded, "the page was not read in time: ask again")
	}
}
