package api

import (
	"context"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/engine"
	"github.com/magpie-bridge/magpie/internal/session"
	"github.com/magpie-bridge/magpie/internal/wire"
	magpiev1 "github.com/magpie-bridge/magpie/protocol/gen/magpie/v1"
)

// channels answers with a page of the channels, and how many subscriptions each has.
func (s *service) channels(ctx context.Context, q *magpiev1.ChannelsRequest) (*magpiev1.ChannelsResponse, error) {
	limit, err := pageLimit(q.GetLimit(), defaultPage)
	if err != nil {
		return nil, err
	}
	query := engine.ListQuery{After: wire.ChannelName(q.GetAfter()), Limit: limit}
	if q.GetPattern() != "" {
		pattern, err := auth.ParsePattern(q.GetPattern())
		if err != nil {
			return nil, wire.Errorf(wire.CodeInvalidArgument, "%v", err)
		}
		query.Match = pattern.Covers
	}
	page, err := s.opts.Hub.ListChannels(ctx, query)
	if err != nil {
		return nil, err
	}
	names := make([]wire.ChannelName, len(page.Channels))
	for i := range page.Channels {
		names[i] = page.Channels[i].Name
	}
	ctx, cancel := context.WithTimeout(ctx, session.AskTimeout)
	defer cancel()
	subscribers, err := session.Subscribers(ctx, s.opts.Shards, names)
	if err != nil {
		return nil, err
	}
	answer := &magpiev1.ChannelsResponse{Total: int64(page.Total)}
	for i := range page.Channels {
		answer.Channels = append(answer.Channels, s.channelInfo(&page.Channels[i], subscribers[i]))
	}
	if n := len(names); page.More && n > 0 {
		answer.Next = new(string(names[n-1]))
	}
	return answer, nil
}

func (s *service) channelInfo(c *engine.ChannelInfo, subscribers int) *magpiev1.ChannelInfo {
	info := &magpiev1.ChannelInfo{
		Channel: string(c.Name), Head: uint64(c.Head), Tail: uint64(c.Tail), Messages: uint64(c.Tail + 1 - c.Head),
		Bytes: uint64(max(c.Bytes, 0)), Subscribers: int64(subscribers),
	}
	if c.Epoch != "" {
		info.Epoch = new(string(c.Epoch))
	}
	if c.Created > 0 {
		info.Created = new(c.Created)
	}
	if s.opts.TTL != nil {
		if ttl := s.opts.TTL(c.Name); ttl > 0 {
			info.TtlMs = new(ttl.Milliseconds())
		}
	}
	return info
}
