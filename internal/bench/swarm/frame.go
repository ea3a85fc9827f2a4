package swarm

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Opcodes of RFC 6455, section 5.2.
const (
	opText   = 0x1
	opBinary = 0x2
	opClose  = 0x8
	opPing   = 0x9
	opPong   = 0xA
)

const (
	finBit     = 0x80
	rsvBits    = 0x70
	opcodeBits = 0x0F
	maskBit    = 0x80

	length16 = 126 // the length is in the two bytes that follow
	length64 = 127 // in the eight that follow
)

// maxMessage bounds what a server may send in one message. Nothing here needs more, and a length that was read wrong
// should not be waited for.
const maxMessage = 16 << 20

// appendFrame appends a masked frame. The key need not be unpredictable among these peers, but no byte of it is zero,
// so that the server has its work to do.
func appendFrame(dst []byte, op byte, payload []byte, key uint32) []byte {
	key |= 0x01010101
	dst = append(dst, finBit|op)
	switch n := len(payload); {
	case n < length16:
		dst = append(dst, maskBit|byte(n))
	case n < 1<<16:
		dst = binary.BigEndian.AppendUint16(append(dst, maskBit|length16), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, maskBit|length64), uint64(n))
	}
	dst = binary.LittleEndian.AppendUint32(dst, key)
	start := len(dst)
	dst = append(dst, payload...)
	mask(dst[start:], key)
	return dst
}

func mask(b []byte, key uint32) {
	wide := uint64(key)<<32 | uint64(key)
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^wide)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= byte(key >> (8 * (i & 3)))
	}
}

// readFrame takes the frame at the beginning of b. size is that of the whole frame, 0 while it is incomplete.
func readFrame(b []byte) (op byte, payload []byte, size int, err error) {
	if len(b) < 2 {
		return 0, nil, 0, nil
	}
	op = b[0] & opcodeBits
	if b[0]&(finBit|rsvBits) != finBit {
		return 0, nil, 0, fmt.Errorf("the server sent a frame that begins with %#x: fragments and extensions are not for this tool", b[0])
	}
	if b[1]&maskBit != 0 {
		return 0, nil, 0, errors.New("the server sent a masked frame")
	}
	n, head := int(b[1]), 2
	switch n {
	case length16:
		if len(b) < 4 {
			return 0, nil, 0, nil
		}
		n, head = int(binary.BigEndian.Uint16(b[2:])), 4
	case length64:
		if len(b) < 10 {
			return 0, nil, 0, nil
		}
		long := binary.BigEndian.Uint64(b[2:])
		if long > maxMessage {
			return 0, nil, 0, fmt.Errorf("the server announced a message of %d bytes", long)
		}
		n, head = int(long), 10
	}
	if len(b) < head+n {
		return 0, nil, 0, nil
	}
	return op, b[head : head+n], head + n, nil
}

// closeError tells what a close frame says.
func closeError(payload []byte) error {
	if len(payload) < 2 {
		return errors.New("the server closed the line")
	}
	return fmt.Errorf("the server closed the line: %d %s", binary.BigEndian.Uint16(payload), payload[2:])
}
