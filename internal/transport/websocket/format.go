package websocket

import (
	"unicode/utf8"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// The subprotocols (RFC 6455, section 1.9).
const (
	SubprotocolJSON     = "magpie.v1.json" // also when none is asked for
	SubprotocolProtobuf = "magpie.v1.protobuf"
)

// Format lays frames down for WebSocket lines. The values are [JSON] and [Protobuf], and the same compressed.
type Format struct {
	id      channel.FormatID
	codec   wire.Codec
	op      opcode
	deflate bool
}

// The formats. A space that serves WebSocket lines has [Formats] first.
var (
	JSON     = Format{id: 0, codec: wire.JSON, op: opText}
	Protobuf = Format{id: 1, codec: wire.Protobuf, op: opBinary}

	jsonDeflate     = Format{id: 2, codec: wire.JSON, op: opText, deflate: true}
	protobufDeflate = Format{id: 3, codec: wire.Protobuf, op: opBinary, deflate: true}
)

// Formats returns the formats in the order of their IDs.
func Formats() []channel.Format {
	return []channel.Format{JSON, Protobuf, jsonDeflate, protobufDeflate}
}

// compressed is the format with the same codec for lines that agreed on compression.
func (f Format) compressed() Format {
	if f.codec == wire.Protobuf {
		return protobufDeflate
	}
	return jsonDeflate
}

// reserved is the reserved bits that a client may set.
func (f Format) reserved() byte {
	if f.deflate {
		return rsv1Bit
	}
	return 0
}

// finish compresses the payload that was appended behind the room at start, where that was agreed on, and seals the frame.
func (f Format) finish(dst []byte, start int) []byte {
	op := f.op
	if f.deflate {
		var packed bool
		if dst, packed = deflateFrom(dst, start+headerRoom); packed {
			op |= rsv1Bit
		}
	}
	return seal(dst, start, op)
}

// Transport is what carries lines of this format.
func (f Format) Transport() string { return "websocket" }

// ID is the format's index in the space.
func (f Format) ID() channel.FormatID { return f.id }

// Codec is what the messages contain.
func (f Format) Codec() wire.Codec { return f.codec }

// AppendMessage appends the finished frame of an entry.
func (f Format) AppendMessage(dst []byte, m *wire.Message) []byte {
	start := len(dst)
	return f.finish(f.codec.AppendMessage(appendRoom(dst), m), start)
}

// AppendFrame appends a finished frame.
func (f Format) AppendFrame(dst []byte, frame *wire.Frame) []byte {
	start := len(dst)
	return f.finish(f.codec.Append(appendRoom(dst), frame), start)
}

// appendData appends a finished message of either kind.
func (f Format) appendData(dst []byte, op opcode, content []byte) []byte {
	start := len(dst)
	f.op = op
	return f.finish(append(appendRoom(dst), content...), start)
}

// AppendPing appends a ping, which every WebSocket client answers by itself.
func (f Format) AppendPing(dst []byte) []byte { return appendControl(dst, opPing, nil) }

// AppendClose appends the close frame.
func (f Format) AppendClose(dst []byte, code wire.CloseCode, reason string) []byte {
	const room = maxControlPayload - 2
	if len(reason) > room {
		reason = reason[:room]
		for !utf8.ValidString(reason) {
			reason = reason[:len(reason)-1]
		}
	}
	payload := append([]byte{byte(code >> 8), byte(code)}, reason...)
	return appendControl(dst, opClose, payload)
}
