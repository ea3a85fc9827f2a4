package api

import (
	"cmp"
	"context"

	"github.com/magpie-bridge/magpie/internal/session"
	"github.com/magpie-bridge/magpie/internal/wire"
	magpiev1 "github.com/magpie-bridge/magpie/protocol/gen/magpie/v1"
)

// sessions answers with a page of the sessions.
func (s *service) sessions(ctx context.Context, q *magpiev1.SessionsRequest) (*magpiev1.SessionsResponse, error) {
	name, err := checkChannel(q.GetChannel())
	if err != nil {
		return nil, err
	}
	limit, err := pageLimit(q.GetLimit(), defaultPage)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, session.AskTimeout)
	defer cancel()
	page, err := session.List(ctx, s.opts.Shards, session.ListQuery{User: q.GetUserId(), Channel: name, After: q.GetAfter(), Limit: limit})
	if err != nil {
		return nil, err
	}
	answer := &magpiev1.SessionsResponse{Total: int64(page.Total)}
	for i := range page.Sessions {
		answer.Sessions = append(answer.Sessions, sessionInfo(&page.Sessions[i]))
	}
	if page.Next != "" {
		answer.Next = new(page.Next)
	}
	return answer, nil
}

func sessionInfo(i *session.Info) *magpiev1.SessionInfo {
	info := &magpiev1.SessionInfo{
		SessionId: string(i.ID), UserId: i.UserID, Since: i.Since, LastActive: i.LastActive,
		Subscriptions: int64(i.Subscriptions), Serves: i.Serves, Transport: i.Transport, Format: i.Format,
	}
	if i.Device != "" {
		info.Device = new(i.Device)
	}
	if i.Token != "" {
		info.TokenId = new(i.Token)
	}
	return info
}

// disconnect ends sessions.
func (s *service) disconnect(ctx context.Context, q *magpiev1.DisconnectRequest) (*magpiev1.DisconnectResponse, error) {
	target := session.Target{Session: wire.SessionID(q.GetSessionId()), User: q.GetUserId(), Token: q.GetTokenId()}
	if err := oneOf("sessionId, userId and tokenId", q.GetSessionId(), q.GetUserId(), q.GetTokenId()); err != nil {
		return nil, err
	}
	reason, err := checkReason(q.GetReason())
	if err != nil {
		return nil, err
	}
	code := wire.CloseForbidden
	if q.GetMayReturn() {
		code = wire.CloseSentAway
	}
	ctx, cancel := context.WithTimeout(ctx, session.AskTimeout)
	defer cancel()
	n, err := session.Disconnect(ctx, s.opts.Shards, target, code, reason)
	if err != nil {
		return nil, err
	}
	return &magpiev1.DisconnectResponse{Sessions: int64(n)}, nil
}

// subscribe opens a subscription for sessions.
func (s *service) subscribe(ctx context.Context, q *magpiev1.SubscribeRequest) (*magpiev1.SubscribeResponse, error) {
	target := session.Target{Session: wire.SessionID(q.GetSessionId()), User: q.GetUserId()}
	if err := oneOf("sessionId and userId", q.GetSessionId(), q.GetUserId()); err != nil {
		return nil, err
	}
	frame, err := frameBody[*wire.Subscribe](wire.TypeSubscribe, &magpiev1.Subscribe{Channel: q.GetChannel(), From: q.GetFrom()})
	if err != nil {
		return nil, err
	}
	if err := frame.Channel.Check(); err != nil {
		return nil, err
	}
	n, err := session.Subscribe(ctx, s.opts.Shards, target, frame)
	if err != nil {
		return nil, err
	}
	return &magpiev1.SubscribeResponse{Sessions: int64(n)}, nil
}

// unsubscribe ends a subscription of sessions.
func (s *service) unsubscribe(ctx context.Context, q *magpiev1.UnsubscribeRequest) (*magpiev1.UnsubscribeResponse, error) {
	target := session.Target{Session: wire.SessionID(q.GetSessionId()), User: q.GetUserId()}
	if err := oneOf("sessionId and userId", q.GetSessionId(), q.GetUserId()); err != nil {
		return nil, err
	}
	name := wire.ChannelName(q.GetChannel())
	if err := name.Check(); err != nil {
		return nil, err
	}
	reason, err := checkReason(q.GetReason())
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, session.AskTimeout)
	defer cancel()
	n, err := session.Unsubscribe(ctx, s.opts.Shards, target, name, reason)
	if err != nil {
		return nil, err
	}
	return &magpiev1.UnsubscribeResponse{Sessions: int64(n)}, nil
}

// oneOf refuses a request that names its sessions in no way or in several.
func oneOf(names string, given ...string) error {
	n := 0
	for _, value := range given {
		if value != "" {
			n++
		}
	}
	if n != 1 {
		return wire.Errorf(wire.CodeInvalidArgument, "expected exactly one of %s", names)
	}
	return nil
}

// maxReason is what fits into a close frame of WebSocket.
const maxReason = 120

// checkReason is the reason that clients are told.
func checkReason(reason string) (string, error) {
	if n := len(reason); n > maxReason {
		return "", wire.Errorf(wire.CodeInvalidArgument, "reason has %d bytes: at most %d are allowed", n, maxReason)
	}
	return cmp.Or(reason, "ended by an operator"), nil
}
