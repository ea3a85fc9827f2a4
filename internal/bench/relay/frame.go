// Package relay is what bench/grpcrelay and its clients say to each other: one message, in both directions of a stream.
//
//	message Frame {
//	  Kind kind = 1;
//	  uint64 id = 2;           // of a call: the caller's number for it, and to a server the relay's
//	  string method = 3;       // of SERVE and CALL
//	  uint32 concurrency = 4;  // of SERVE
//	  bytes data = 5;          // of CALL, REPLY, and in words of ERROR
//	}
//
// It is packed and read by hand, as code that is generated for speed does it: a relay that waits for reflection would be no
// measure.
package relay

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// Service, Stream and Path name the one method there is.
const (
	Service = "magpie.bench.Relay"
	Stream  = "Attach"
	Path    = "/" + Service + "/" + Stream
)

// Kind is what a frame means.
type Kind uint64

// The kinds of frames.
const (
	Serve  Kind = 1 + iota // from a server: it takes calls of Method, at most Concurrency at once
	Served                 // to a server: from now on
	Call                   // from a caller, and on to a server
	Reply                  // from a server, and on to the caller
	Error                  // to a caller: nobody answers
)

// The numbers of the fields.
const (
	kindField = 1 + iota
	idField
	methodField
	concurrencyField
	dataField
)

// Frame is the message.
type Frame struct {
	Kind        Kind
	ID          uint64
	Method      []byte
	Concurrency uint64
	Data        []byte
}

// Size is the length of a frame when it is packed.
func (f *Frame) Size() int {
	n := 0
	for _, v := range [...]uint64{uint64(f.Kind), f.ID, f.Concurrency} {
		if v != 0 {
			n += 1 + protowire.SizeVarint(v)
		}
	}
	for _, b := range [...][]byte{f.Method, f.Data} {
		if len(b) > 0 {
			n += 1 + protowire.SizeBytes(len(b))
		}
	}
	return n
}

// Append packs a frame.
func (f *Frame) Append(dst []byte) []byte {
	dst = appendNumber(dst, kindField, uint64(f.Kind))
	dst = appendNumber(dst, idField, f.ID)
	dst = appendBytes(dst, methodField, f.Method)
	dst = appendNumber(dst, concurrencyField, f.Concurrency)
	return appendBytes(dst, dataField, f.Data)
}

func appendNumber(dst []byte, field protowire.Number, v uint64) []byte {
	if v == 0 {
		return dst
	}
	return protowire.AppendVarint(protowire.AppendTag(dst, field, protowire.VarintType), v)
}

func appendBytes(dst []byte, field protowire.Number, b []byte) []byte {
	if len(b) == 0 {
		return dst
	}
	return protowire.AppendBytes(protowire.AppendTag(dst, field, protowire.BytesType), b)
}

// Parse reads a packed frame. Method and Data are parts of b.
func (f *Frame) Parse(b []byte) error {
	*f = Frame{}
	for len(b) > 0 {
		field, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return fmt.Errorf("a frame that is none: %w", protowire.ParseError(n))
		}
		b = b[n:]
		switch kind {
		case protowire.VarintType:
			var v uint64
			v, n = protowire.ConsumeVarint(b)
			f.number(field, v)
		case protowire.BytesType:
			var v []byte
			v, n = protowire.ConsumeBytes(b)
			f.bytes(field, v)
		default:
			return errors.New("a frame with a field of a type that no field has")
		}
		if n < 0 {
			return fmt.Errorf("a frame that is none: %w", protowire.ParseError(n))
		}
		b = b[n:]
	}
	return nil
}

func (f *Frame) number(field protowire.Number, v uint64) {
	switch int(field) {
	case kindField:
		f.Kind = Kind(v)
	case idField:
		f.ID = v
	case concurrencyField:
		f.Concurrency = v
	}
}

func (f *Frame) bytes(field protowire.Number, v []byte) {
	switch int(field) {
	case methodField:
		f.Method = v
	case dataField:
		f.Data = v
	}
}
