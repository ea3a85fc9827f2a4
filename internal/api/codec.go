package api

import (
	"bytes"
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// Some messages of the service are the bodies of frames, and the wire's own types and codecs serve them. The others are those
// of the generated code, with a JSON like that of the frames: with protojson, offsets would be strings and payloads base64.

// jsonCodec is the JSON of the frames (connect.Codec).
type jsonCodec struct{}

func (jsonCodec) Name() string { return "json" }

func (jsonCodec) Marshal(message any) ([]byte, error) {
	if own, ok := message.(proto.Message); ok {
		return AppendJSON(nil, own)
	}
	body, err := bodyOf(message)
	if err != nil {
		return nil, err
	}
	return wire.AppendBody(nil, body), nil
}

func (jsonCodec) Unmarshal(data []byte, message any) error {
	if own, ok := message.(proto.Message); ok {
		return unmarshalJSON(data, own)
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

// Unmarshal decodes the body as that of a frame.
func (protobufCodec) Unmarshal(data []byte, message any) error {
	if own, ok := message.(proto.Message); ok {
		return proto.Unmarshal(data, own)
	}
	body, err := bodyOf(message)
	if err != nil {
		return err
	}
	decoded, err := decodeBody(body.Type(), data)
	if err != nil {
		return sentence(err)
	}
	switch decoded := decoded.(type) {
	case *wire.Publish:
		return put(message, decoded)
	case *wire.History:
		return put(message, decoded)
	case *wire.Presence:
		return put(message, decoded)
	case *wire.Call:
		return put(message, decoded)
	default:
		return fmt.Errorf("api: %T is no request of this service", message)
	}
}

// decodeBody reads the Protobuf of a frame's body. The body points into memory of its own.
func decodeBody(t wire.Type, data []byte) (wire.Body, error) {
	frame := protowire.AppendTag(make([]byte, 0, len(data)+16), protowire.Number(t), protowire.BytesType)
	frame = protowire.AppendBytes(frame, data)
	var f wire.Frame
	if err := new(wire.Decoder).Decode(wire.Protobuf, frame, &f); err != nil {
		return nil, err
	}
	return f.Body, nil
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
