// Package wire turns frames into bytes and back. A frame is one unit on the line between a peer and the gateway, in
// either direction and on every transport; frame.proto is its contract and SPEC.md its meaning.
//
// Each frame describes its fields once, in its method fields, to a [coder]. Four coders exist: encode and decode, as
// JSON and as Protobuf. So the two encodings cannot drift apart, and a new field is one new line.
//
//	Codec.Append:   Frame -> Body.fields(jsonEncoder | protoEncoder) -> bytes
//	Decoder.Decode: bytes -> index of the fields -> Body.fields(jsonReader | protoReader) -> Frame
//
// The decoders take nothing on trust: what they let through has valid UTF-8, valid JSON where JSON is carried, at
// most one payload, and no more entries or bytes than the constants of this package allow. What a name may look like
// is for the session to ask ([ChannelName.Check], [CheckMethod]).
//
// The files:
//
//	frame.go       the frames as Go types
//	ids.go         identifiers, their limits, names
//	type.go        the frame types and their JSON names
//	error.go       errors as they cross the wire
//	close.go       WebSocket close codes
//	codec.go       Codec: frames to bytes
//	decoder.go     Decoder: bytes to frames
//	coder.go       coder: what a frame shows its fields to
//	fields.go      the fields of every frame
//	lists.go       the lists and tables among them
//	reading.go     what both decoders share: strings, limits, sentences
//	jsonencode.go  jsondecode.go  jsonnested.go  jsonscan.go  jsonstring.go
//	protoencode.go protodecode.go protonested.go
package wire
