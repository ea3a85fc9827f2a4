package api

import (
	"context"

	"github.com/magpie-bridge/magpie/internal/session"
	"github.com/magpie-bridge/magpie/internal/wire"
	magpiev1 "github.com/magpie-bridge/magpie/protocol/gen/magpie/v1"
)

// The entries of an answer that is a list: by default, of subscriptions and of others, and at most.
const (
	defaultSubscriptions = 20
	defaultPage          = 100
	maxPage              = 1000
)

// pageLimit is how many entries an answer may have.
func pageLimit(asked, otherwise int64) (int, error) {
	switch {
	case asked < 0 || asked > maxPage:
		return 0, wire.Errorf(wire.CodeInvalidArgument, "limit is %d: expected at most %d", asked, maxPage)
	case asked == 0:
		return int(otherwise), nil
	}
	return int(asked), nil
}

// checkChannel checks the name of a channel that may be missing.
func checkChannel(text string) (wire.ChannelName, error) {
	name := wire.ChannelName(text)
	if name == "" {
		return "", nil
	}
	return name, name.Check()
}

// subscriptions answers which subscriptions are behind.
func (s *service) subscriptions(ctx context.Context, q *magpiev1.SubscriptionsRequest) (*magpiev1.SubscriptionsResponse, error) {
	name, err := checkChannel(q.GetChannel())
	if err != nil {
		return nil, err
	}
	limit, err := pageLimit(q.GetLimit(), defaultSubscriptions)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, session.AskTimeout)
	defer cancel()
	shards := s.opts.Shards
	surveys := session.Surveys(ctx, shards, session.SurveyQuery{Channel: name, Limit: limit})
	if len(surveys) < len(shards) {
		return nil, wire.Errorf(wire.CodeUnavailable, "%d of %d loops did not answer in time: ask again", len(shards)-len(surveys), len(shards))
	}
	answer := &magpiev1.SubscriptionsResponse{}
	for _, survey := range surveys {
		answer.Total += int64(survey.Subscriptions)
	}
	for _, l := range session.Worst(surveys, limit) {
		answer.Subscriptions = append(answer.Subscriptions, subscriptionLag(&l))
	}
	return answer, nil
}

func subscriptionLag(l *session.Lagging) *magpiev1.SubscriptionLag {
	behind := &magpiev1.SubscriptionLag{
		SessionId: string(l.Session), UserId: l.UserID, Channel: string(l.Channel),
		Position: &magpiev1.Position{Epoch: string(l.Position.Epoch), Offset: uint64(l.Position.Offset)},
		Tail:     uint64(l.Tail), Lag: l.Lag,
	}
	if l.Since > 0 {
		behind.Since = new(l.Since)
	}
	return behind
}
