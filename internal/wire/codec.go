package wire

import "sync"

// Codec is an encoding of frames.
type Codec uint8

// The codecs.
const (
	JSON     Codec = iota // flat and readable: one object a frame
	Protobuf              // frame.proto
)

// String is the codec's name as it stands in the WebSocket subprotocol.
func (c Codec) String() string {
	if c == Protobuf {
		return "protobuf"
	}
	return "json"
}

// Append appends the frame to dst. Several goroutines may encode the same frame.
func (c Codec) Append(dst []byte, f *Frame) []byte {
	e := encoders.Get().(*encoder)
	defer encoders.Put(e)
	return e.frame(c, dst, f.RequestID, f.Body)
}

// AppendMessage appends the frame of a message to dst, as [Codec.Append] does. It is the way of every message that
// is delivered: it allocates nothing but what dst lacks, and m may stay on the caller's stack.
func (c Codec) AppendMessage(dst []byte, m *Message) []byte {
	e := encoders.Get().(*encoder)
	defer encoders.Put(e)
	e.message = *m // what is shown to an interface escapes; the copy is cheaper than the heap
	dst = e.frame(c, dst, "", &e.message)
	e.message = Message{}
	return dst
}

// AppendBody appends the JSON of a body without type and requestId: what HTTP carries, where the address says what
// the body is.
func AppendBody(dst []byte, b Body) []byte {
	e := encoders.Get().(*encoder)
	defer encoders.Put(e)
	e.json.buf = append(dst, '{')
	e.json.body(b)
	e.json.buf = append(e.json.buf, '}')
	return e.json.take()
}

// encoder is the memory that encoding needs beside its output.
type encoder struct {
	json    jsonEncoder
	proto   protoEncoder
	message Message
}

// encoders spares the encoders an allocation for each frame; they hold nothing between two frames.
var encoders = sync.Pool{New: func() any { return new(encoder) }}

func (e *encoder) frame(c Codec, dst []byte, requestID string, b Body) []byte {
	if c == Protobuf {
		e.proto.buf = dst
		e.proto.frame(requestID, b)
		return e.proto.take()
	}
	e.json.buf = dst
	e.json.frame(requestID, b)
	return e.json.take()
}

// encoding is the part that is common to both encoders: nothing is read, so nothing stands there and nothing is
// refused.
type encoding struct{ buf []byte }

func (*encoding) has(field) bool       { return false }
func (*encoding) refuse(field, string) {}

// take hands the output over and forgets it.
func (e *encoding) take() []byte {
	buf := e.buf
	e.buf = nil
	return buf
}
