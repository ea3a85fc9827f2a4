package api

import (
	"bytes"
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/magpie-bridge/magpie/internal/wire"
	magpiev1 "github.com/magpie-bridge/magpie/protocol/gen/magpie/v1"
)

// The messages of the service are the bodies of frames, but for those about the gateway itself; so the wire's own types and codecs serve them: with protojson,
// offsets would be strings and payloads base64.

// jsonCodec is the JSON of the frames (connect.Codec).
type jsonCodec struct{}

func (jsonCodec) Name() string { return "json" }

func (jsonCodec) Marshal(message any) ([]byte, error) {
	if answer, ok := message.(*magpiev1.SubscriptionsResponse); ok {
		return marshalSubscriptions(answer)
	}
	body, err := bodyOf(message)
	if err != nil {
		return nil, err
	}
	return wire.AppendBody(nil, body), nil
}

func (jsonCodec) Unmarshal(data []byte, message any) error {
	if request, ok := message.(*magpiev1.SubscriptionsRequest); ok {
		return unmarshalSubscriptions(data, request)
	}
	body, err := bodyOf(message)
	if err != nil {
		return err
	}
	// A decoded payload points into what it was read from, and Connect gives that to the next request.
	return sentence(new(wire.Decoder).DecodeBody(bytes.Clone(data), body))
}

// protobufCodec is the Protobuf of the frames (connect.Codec).
type protobufCodec struct{}

func (protobufCodec) Name() string { return "proto" }

// Marshal takes the body out of its frame: there it is the one field.
func (protobufCodec) Marshal(message any) ([]byte, error) {
	if own, ok := message.(proto.Message); ok {
		return proto.Marshal(own)
	}
	body, err := bodyOf(message)
	if err != nil {
		return nil, err
	}
	frame := wire.Protobuf.Append(nil, &wire.Frame{Body: body})
	_, _, tag := protowire.ConsumeTag(frame)
	if tag < 0 {
		return nil, protowire.ParseError(tag)
	}
	b, n := protowire.ConsumeBytes(frame[tag:])
	return b, protowire.ParseError(min(n, 0))
}

// Unmarshal puts the body into a frame for decoding.
func (protobufCodec) Unmarshal(data []byte, message any) error {
	if own, ok := message.(proto.Message); ok {
		return proto.Unmarshal(data, own)
	}
	body, err := bodyOf(message)
	if err != nil {
		return err
	}
	frame := protowire.AppendTag(make([]byte, 0, len(data)+16), protowire.Number(body.Type()), protowire.BytesType)
	frame = protowire.AppendBytes(frame, data)
	var f wire.Frame
	if err := new(wire.Decoder).Decode(wire.Protobuf, frame, &f); err != nil {
		return sentence(err)
	}
	switch decoded := f.Body.(type) {
	case *wire.Publish:
		return put(message, decoded)
	case *wire.History:
		return put(message, decoded)
	default:
		return fmt.Errorf("api: %T is no request of this service", message)
	}
}

// put copies what was decoded to where Connect wants it.
func put[T any](message any, decoded *T) error {
	m, ok := message.(*T)
	if !ok {
		return fmt.Errorf("api: a %T was decoded as %T", message, decoded)
	}
	*m = *decoded
	return nil
}

// sentence leaves an error's code out: Connect adds the same.
func sentence(err error) error {
	if err == nil {
		return nil
	}
	return errors.New(wire.AsError(err).Message)
}

func bodyOf(message any) (wire.Body, error) {
	body, ok := message.(wire.Body)
	if !ok {
		return nil, fmt.Errorf("api: %T is no message of this service", message)
	}
	return body, nil
}
