package websocket

import (
	"encoding/binary"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// opcode is a frame's meaning (RFC 6455, section 5.2).
type opcode byte

const (
	opContinuation opcode = 0x0
	opText         opcode = 0x1
	opBinary       opcode = 0x2
	opClose        opcode = 0x8
	opPing         opcode = 0x9
	opPong         opcode = 0xA
)

func (o opcode) control() bool { return o&0x8 != 0 }

const (
	finBit     = 0x80
	rsvBits    = 0x70
	rsv1Bit    = 0x40 // permessage-deflate: the message is compressed
	opcodeBits = 0x0F
	maskBit    = 0x80
	lengthBits = 0x7F

	maxControlPayload = 125
)

// header is a frame header that a client sent.
type header struct {
	fin    bool
	opcode opcode
	packed bool // the message is compressed; on its first frame
	length int  // of the payload
	size   int  // of the header itself
	key    [4]byte
}

// refusal is why a line is closed: the client broke the framing.
type refusal struct {
	code   wire.CloseCode
	reason string
}

func (r *refusal) Error() string { return r.reason }

func refuse(code wire.CloseCode, reason string) *refusal { return &refusal{code: code, reason: reason} }

// readHeader reads the header at the beginning of b. ok is false while it is incomplete. What can be told to be wrong
// from the first bytes is refused from these: nothing is waited for, or allocated, on the word of a length. allowed is
// the reserved bits that were agreed on.
func readHeader(b []byte, limit int, allowed byte) (h header, ok bool, bad *refusal) {
	if len(b) < 2 {
		return h, false, nil
	}
	h.fin = b[0]&finBit != 0
	h.opcode = opcode(b[0] & opcodeBits)
	h.packed = b[0]&allowed != 0
	length := uint64(b[1] & lengthBits)
	switch {
	case b[0]&rsvBits&^allowed != 0:
		return h, false, refuse(wire.CloseProtocolError, "reserved bits are set, and no extension was agreed on")
	case h.packed && h.opcode != opText && h.opcode != opBinary:
		return h, false, refuse(wire.CloseProtocolError, "only the first frame of a message says that it is compressed")
	case h.opcode > opBinary && h.opcode < opClose || h.opcode > opPong:
		return h, false, refuse(wire.CloseProtocolError, "the opcode is reserved")
	case b[1]&maskBit == 0:
		return h, false, refuse(wire.CloseProtocolError, "a client's frames must be masked")
	case h.opcode.control() && !h.fin:
		return h, false, refuse(wire.CloseProtocolError, "a control frame must not be fragmented")
	case h.opcode.control() && length > maxControlPayload:
		return h, false, refuse(wire.CloseProtocolError, "a control frame carries at most 125 bytes")
	}
	h.size = 2
	switch length {
	case 126:
		if len(b) < 4 {
			return h, false, nil
		}
		length = uint64(binary.BigEndian.Uint16(b[2:]))
		h.size = 4
	case 127:
		if len(b) < 10 {
			return h, false, nil
		}
		length = binary.BigEndian.Uint64(b[2:])
		h.size = 10
		if length>>63 != 0 {
			return h, false, refuse(wire.CloseProtocolError, "the length has its most significant bit set")
		}
	}
	if length > uint64(limit) {
		return h, false, refuse(wire.CloseTooBig, "the message is larger than the gateway takes")
	}
	h.length = int(length)
	if len(b) < h.size+4 {
		return h, false, nil
	}
	copy(h.key[:], b[h.size:])
	h.size += 4
	return h, true, nil
}

// unmask undoes the client's masking in place, eight bytes at a time.
func unmask(b []byte, key [4]byte) {
	word := uint64(binary.LittleEndian.Uint32(key[:]))
	word |= word << 32
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^word)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= key[i&3]
	}
}

// headerRoom is left before a payload whose length is not known yet; most frames need exactly that much.
const headerRoom = 4

// appendRoom begins a frame: the payload is to be appended next, and then sealed.
func appendRoom(dst []byte) []byte { return append(dst, 0, 0, 0, 0) }

// seal writes the header of the frame that was begun at start, and moves the payload when the header has another size
// than was left for it.
func seal(dst []byte, start int, op opcode) []byte {
	payload := dst[start+headerRoom:]
	n := len(payload)
	switch {
	case n <= maxControlPayload:
		copy(dst[start+2:], payload)
		dst = dst[:len(dst)-2]
		dst[start+1] = byte(n)
	case n < 1<<16:
		dst[start+1] = 126
		binary.BigEndian.PutUint16(dst[start+2:], uint16(n))
	default:
		dst = append(dst, 0, 0, 0, 0, 0, 0)
		copy(dst[start+10:], dst[start+headerRoom:start+headerRoom+n])
		dst[start+1] = 127
		binary.BigEndian.PutUint64(dst[start+2:], uint64(n))
	}
	dst[start] = finBit | byte(op)
	return dst
}

// appendControl appends a whole control frame; payload has at most 125 bytes.
func appendControl(dst []byte, op opcode, payload []byte) []byte {
	dst = append(dst, finBit|byte(op), byte(len(payload)))
	return append(dst, payload...)
}
