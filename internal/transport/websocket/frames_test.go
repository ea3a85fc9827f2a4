package websocket

import (
	"encoding/binary"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// testKey masks the frames that tests send. No byte of it is zero, so that forgetting to unmask shows.
var testKey = [4]byte{0x37, 0xfa, 0x21, 0x3d}

// rawFrame is a client's frame in any shape, also those that nobody may send.
type rawFrame struct {
	first    byte // fin, reserved bits and opcode
	unmasked bool
	length   *uint64 // when it is not the payload's
	payload  []byte
}

func (f rawFrame) bytes() []byte {
	length := uint64(len(f.payload))
	if f.length != nil {
		length = *f.length
	}
	mask := byte(maskBit)
	if f.unmasked {
		mask = 0
	}
	b := []byte{f.first}
	switch {
	case length <= maxControlPayload:
		b = append(b, mask|byte(length))
	case length < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, mask|126), uint16(length))
	default:
		b = binary.BigEndian.AppendUint64(append(b, mask|127), length)
	}
	if f.unmasked {
		return append(b, f.payload...)
	}
	b = append(b, testKey[:]...)
	for i, x := range f.payload {
		b = append(b, x^testKey[i%4])
	}
	return b
}

// whole is an ordinary frame: a message, or a control frame.
func whole(op opcode, payload string) []byte {
	return rawFrame{first: finBit | byte(op), payload: []byte(payload)}.bytes()
}

// fragment is a frame that more are to follow.
func fragment(op opcode, payload string) []byte {
	return rawFrame{first: byte(op), payload: []byte(payload)}.bytes()
}

// claiming is a frame that claims a length and has no payload.
func claiming(first byte, length uint64) []byte {
	return rawFrame{first: first, length: &length}.bytes()
}

// closing is the payload of a close frame.
func closing(code wire.CloseCode, reason string) string {
	return string(binary.BigEndian.AppendUint16(nil, uint16(code))) + reason
}

// dataOpcodes and controlOpcodes are all that RFC 6455 defines.
var (
	dataOpcodes    = []opcode{opContinuation, opText, opBinary}
	controlOpcodes = []opcode{opClose, opPing, opPong}
)

// attack is what a hostile client sends, and how the gateway must end it.
type attack struct {
	name string
	sent []byte
	code wire.CloseCode
}

// framingAttacks are the rows of the table of attacks that need nothing but frames, for a gateway that takes 64 KiB.
func framingAttacks() []attack {
	const limit = 64 << 10
	list := []attack{
		{"continuation of nothing", whole(opContinuation, "x"), wire.CloseProtocolError},
		{"message within a message", append(fragment(opText, "a"), whole(opText, "b")...), wire.CloseProtocolError},
		{"ping in fragments", fragment(opPing, "a"), wire.CloseProtocolError},
		{"close in fragments", fragment(opClose, ""), wire.CloseProtocolError},
		{"bad UTF-8", whole(opText, "\xc0\xaf"), wire.CloseInvalidPayload},
		{"bad UTF-8 in a fragment that is not the last", fragment(opText, "\xed\xa0\x80"), wire.CloseInvalidPayload},
		{"UTF-8 cut by the end of the message", whole(opText, "\xe2\x82"), wire.CloseInvalidPayload},
		{"UTF-8 cut by the end of the last fragment", append(fragment(opText, "\xe2"), whole(opContinuation, "\x82")...), wire.CloseInvalidPayload},
		{"close of one byte", whole(opClose, "\x03"), wire.CloseProtocolError},
		{"close with a reason of bad UTF-8", whole(opClose, closing(1000, "\xff")), wire.CloseInvalidPayload},
		{"message one byte too large", claiming(finBit|byte(opText), limit+1), wire.CloseTooBig},
		{"fragments one byte too large together", append(fragment(opText, string(make([]byte, limit))), claiming(byte(opContinuation), 1)...), wire.CloseTooBig},
		{"empty fragments without end", emptyFragments(maxFragments + 1), wire.CloseTooBig},
		{"binary message on a line of text", whole(opBinary, "{}"), wire.CloseUnsupportedData},
	}
	for _, code := range []wire.CloseCode{0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535} {
		list = append(list, attack{"close with the code " + itoa(uint64(code)), whole(opClose, closing(code, "")), wire.CloseProtocolError})
	}
	for op := range opcode(16) {
		name := "opcode " + itoa(uint64(op)) + ": "
		first := finBit | byte(op)
		if op > opBinary && op < opClose || op > opPong {
			list = append(list, attack{name + "reserved", whole(op, ""), wire.CloseProtocolError})
			continue
		}
		list = append(list, attack{name + "unmasked", rawFrame{first: first, unmasked: true, payload: []byte("hi")}.bytes(), wire.CloseProtocolError})
		for _, bit := range []byte{0x40, 0x20, 0x10, 0x70} {
			list = append(list, attack{name + "reserved bits " + itoa(uint64(bit)), rawFrame{first: first | bit}.bytes(), wire.CloseProtocolError})
		}
		for _, length := range []uint64{1 << 31, 1<<63 - 1, 1 << 63, 1<<64 - 1} {
			code := wire.CloseTooBig
			if op.control() || length >= 1<<63 {
				code = wire.CloseProtocolError
			}
			list = append(list, attack{name + "length " + itoa(length), claiming(first, length), code})
		}
		if op.control() {
			list = append(list, attack{name + "126 bytes", claiming(first, 126), wire.CloseProtocolError})
		}
	}
	return list
}

func emptyFragments(n int) []byte {
	b := fragment(opText, "")
	for range n {
		b = append(b, fragment(opContinuation, "")...)
	}
	return b
}
