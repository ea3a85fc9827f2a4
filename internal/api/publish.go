package api

import (
	"context"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/wire"
	magpiev1 "github.com/magpie-bridge/magpie/protocol/gen/magpie/v1"
)

// broadcast publishes one message to several channels.
func (s *service) broadcast(ctx context.Context, by *auth.Principal, q *magpiev1.BroadcastRequest) (*wire.Published, error) {
	p, err := publication("", q)
	if err != nil {
		return nil, err
	}
	channels := make([]wire.ChannelName, len(q.GetChannels()))
	for i, name := range q.GetChannels() {
		channels[i] = wire.ChannelName(name)
	}
	return s.opts.Hub.BroadcastWait(ctx, by, channels, &p.Publication)
}

// send publishes a message to a user's own channel.
func (s *service) send(ctx context.Context, by *auth.Principal, q *magpiev1.SendRequest) (*wire.Published, error) {
	if q.GetUserId() == "" {
		return nil, wire.Errorf(wire.CodeInvalidArgument, "userId is missing: expected the user that the message is for")
	}
	p, err := publication(auth.UserChannelPrefix+q.GetUserId(), q)
	if err != nil {
		return nil, err
	}
	return s.opts.Hub.PublishWait(ctx, by, p)
}

// publication makes a publish of a request that has the same fields, but for where the message goes. What holds for a
// message in a frame holds for it too.
func publication(channel string, from proto.Message) (*wire.Publish, error) {
	request := &magpiev1.PublishRequest{Channel: channel}
	to := request.ProtoReflect()
	from.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		if same := to.Descriptor().Fields().ByName(f.Name()); same != nil {
			to.Set(same, value)
		}
		return true
	})
	return frameBody[*wire.Publish](wire.TypePublish, request)
}

// frameBody makes a message of the contract the body of a frame, under all that is asked of such.
func frameBody[B wire.Body](t wire.Type, m proto.Message) (body B, err error) {
	data, err := proto.Marshal(m)
	if err != nil {
		return body, wire.Errorf(wire.CodeInvalidArgument, "the request cannot be read: %v", err)
	}
	decoded, err := decodeBody(t, data)
	if err != nil {
		return body, placeless(wire.AsError(err))
	}
	return decoded.(B), nil //nolint:forcetypeassert // t and B are the same
}

// placeless leaves out at which byte the fault is: the client has sent other bytes.
func placeless(e *wire.Error) *wire.Error {
	if before, after, ok := strings.Cut(e.Message, " at byte "); ok {
		return wire.Errorf(e.Code, "%s%s", before, strings.TrimLeft(after, "0123456789"))
	}
	return e
}
