package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/session"
	"github.com/magpie-bridge/magpie/internal/wire"
	magpiev1 "github.com/magpie-bridge/magpie/protocol/gen/magpie/v1"
)

// SubscriptionsRight is what a principal must be allowed to call to see how the subscriptions of others stand. As one of the
// gateway's own names it has to be granted by a pattern that begins with "sys.".
const SubscriptionsRight = "sys.subscriptions"

// The subscriptions that an answer names: by default, and at most.
const (
	defaultSubscriptions = 20
	maxSubscriptions     = 1000
)

// surveyor answers which subscriptions are behind.
func surveyor(shards []*session.Shard) func(context.Context, *connect.Request[magpiev1.SubscriptionsRequest]) (*connect.Response[magpiev1.SubscriptionsResponse], error) {
	return func(ctx context.Context, r *connect.Request[magpiev1.SubscriptionsRequest]) (*connect.Response[magpiev1.SubscriptionsResponse], error) {
		principal, ok := ctx.Value(principalKey{}).(*auth.Principal)
		if !ok {
			return nil, connect.NewError(connect.CodeInternal, errors.New("the request was not admitted"))
		}
		answer, err := survey(ctx, principal, shards, r.Msg)
		if err != nil {
			return nil, connectError(err)
		}
		return connect.NewResponse(answer), nil
	}
}

func survey(ctx context.Context, by *auth.Principal, shards []*session.Shard, q *magpiev1.SubscriptionsRequest) (*magpiev1.SubscriptionsResponse, error) {
	if err := by.May(auth.Call, SubscriptionsRight); err != nil {
		return nil, err
	}
	name := wire.ChannelName(q.GetChannel())
	if name != "" {
		if err := name.Check(); err != nil {
			return nil, err
		}
	}
	limit := cmp.Or(q.GetLimit(), defaultSubscriptions)
	if limit < 0 || limit > maxSubscriptions {
		return nil, wire.Errorf(wire.CodeInvalidArgument, "limit is %d: expected at most %d", limit, maxSubscriptions)
	}
	ctx, cancel := context.WithTimeout(ctx, session.AskTimeout)
	defer cancel()
	surveys := session.Surveys(ctx, shards, session.SurveyQuery{Channel: name, Limit: int(limit)})
	if len(surveys) < len(shards) {
		return nil, wire.Errorf(wire.CodeUnavailable, "%d of %d loops did not answer in time: ask again", len(shards)-len(surveys), len(shards))
	}
	answer := &magpiev1.SubscriptionsResponse{}
	for _, s := range surveys {
		answer.Total += int64(s.Subscriptions)
	}
	for _, l := range session.Worst(surveys, int(limit)) {
		answer.Subscriptions = append(answer.Subscriptions, &magpiev1.SubscriptionLag{
			SessionId: string(l.Session), UserId: l.UserID, Channel: string(l.Channel),
			Position: &magpiev1.Position{Epoch: string(l.Position.Epoch), Offset: uint64(l.Position.Offset)},
			Tail:     uint64(l.Tail), Lag: l.Lag, Since: l.Since,
		})
	}
	return answer, nil
}

// subscriptionsJSON is the answer in the JSON of the frames: protojson would make strings of the offsets.
type subscriptionsJSON struct {
	Subscriptions []SubscriptionJSON `json:"subscriptions"`
	Total         int64              `json:"total"`
}

// SubscriptionJSON is one subscription of the answer in JSON.
type SubscriptionJSON struct {
	SessionID string       `json:"sessionId"`
	UserID    string       `json:"userId"`
	Channel   string       `json:"channel"`
	Position  PositionJSON `json:"position"`
	Tail      uint64       `json:"tail"`
	Lag       uint64       `json:"lag"`
	Since     int64        `json:"since,omitempty"`
}

// PositionJSON is a position in JSON.
type PositionJSON struct {
	Epoch  string `json:"epoch"`
	Offset uint64 `json:"offset"`
}

// NewSubscriptionJSON shows a subscription of the answer as JSON has it.
func NewSubscriptionJSON(s *magpiev1.SubscriptionLag) SubscriptionJSON {
	return SubscriptionJSON{
		SessionID: s.GetSessionId(), UserID: s.GetUserId(), Channel: s.GetChannel(),
		Position: PositionJSON{s.GetPosition().GetEpoch(), s.GetPosition().GetOffset()},
		Tail:     s.GetTail(), Lag: s.GetLag(), Since: s.GetSince(),
	}
}

func marshalSubscriptions(m *magpiev1.SubscriptionsResponse) ([]byte, error) {
	answer := subscriptionsJSON{Subscriptions: make([]SubscriptionJSON, len(m.GetSubscriptions())), Total: m.GetTotal()}
	for i, s := range m.GetSubscriptions() {
		answer.Subscriptions[i] = NewSubscriptionJSON(s)
	}
	return json.Marshal(answer)
}

func unmarshalSubscriptions(data []byte, m *magpiev1.SubscriptionsRequest) error {
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(data, m); err != nil {
		return errors.New(`expected such as {"channel":"order.update","limit":20}`)
	}
	return nil
}
