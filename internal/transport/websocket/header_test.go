package websocket

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/magpie-bridge/magpie/internal/wire"
)

func itoa(n uint64) string { return strconv.FormatUint(n, 10) }

// lengths are those around which the form of a header changes.
var lengths = []int{0, 1, 2, 124, 125, 126, 127, 128, 254, 255, 256, 65534, 65535, 65536, 65537}

func TestReadHeaderCutAtEveryByte(t *testing.T) {
	for _, op := range append(dataOpcodes, controlOpcodes...) {
		for _, n := range lengths {
			if op.control() && n > maxControlPayload {
				continue
			}
			for _, fin := range []bool{true, false} {
				if op.control() && !fin {
					continue
				}
				f := rawFrame{first: byte(op), payload: make([]byte, n)}
				if fin {
					f.first |= finBit
				}
				b := f.bytes()
				size := len(b) - n
				for cut := range size {
					if _, ok, bad := readHeader(b[:cut:cut], 1<<20, 0); ok || bad != nil {
						t.Fatalf("%v bytes: the first %d of a header of %d: %v, %v", n, cut, size, ok, bad)
					}
				}
				h, ok, bad := readHeader(b[:size:size], 1<<20, 0)
				want := header{fin: fin, opcode: op, length: n, size: size, key: testKey}
				if !ok || bad != nil || h != want {
					t.Errorf("read %+v, %v, %v; want %+v", h, ok, bad, want)
				}
			}
		}
	}
}

func TestReadHeaderLimit(t *testing.T) {
	const limit = 1000
	if _, ok, bad := readHeader(claiming(finBit|byte(opText), limit), limit, 0); !ok || bad != nil {
		t.Errorf("a message as large as allowed: %v, %v", ok, bad)
	}
	// The length is known before the key has come, and refused then.
	b := claiming(finBit|byte(opText), limit+1)
	if _, _, bad := readHeader(b[:len(b)-4], limit, 0); bad == nil || bad.code != wire.CloseTooBig {
		t.Errorf("a message larger than allowed: %v", bad)
	}
}

func TestReadHeaderAllocatesNothingOnTheWordOfALength(t *testing.T) {
	b := claiming(finBit|byte(opBinary), 64<<10)
	allocations := testing.AllocsPerRun(100, func() {
		if _, ok, bad := readHeader(b, 64<<10, 0); !ok || bad != nil {
			t.Error(ok, bad)
		}
	})
	if allocations != 0 {
		t.Errorf("%v allocations", allocations)
	}
}

func TestUnmask(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for n := range 100 {
		want, got := make([]byte, n), make([]byte, n)
		for i := range want {
			want[i] = byte(rnd.Uint32())
			got[i] = want[i] ^ testKey[i%4]
		}
		if unmask(got, testKey); !bytes.Equal(got, want) {
			t.Fatalf("%d bytes: %x, want %x", n, got, want)
		}
	}
}

// readServerFrame reads one frame as a client does, and fails when it is not in the shortest form.
func readServerFrame(t *testing.T, b []byte) (op opcode, payload, rest []byte) {
	t.Helper()
	if b[0]&finBit == 0 || b[0]&rsvBits != 0 || b[1]&maskBit != 0 {
		t.Fatalf("the frame begins with %x", b[:2])
	}
	n, at := uint64(b[1]), 2
	switch n {
	case 126:
		n, at = uint64(binary.BigEndian.Uint16(b[2:])), 4
		if n < 126 {
			t.Fatalf("a length of %d in 16 bits", n)
		}
	case 127:
		n, at = binary.BigEndian.Uint64(b[2:]), 10
		if n < 1<<16 {
			t.Fatalf("a length of %d in 64 bits", n)
		}
	}
	return opcode(b[0] & opcodeBits), b[at : at+int(n)], b[at+int(n):]
}

func TestSeal(t *testing.T) {
	for _, n := range lengths {
		for _, room := range []int{0, 1, n + 32} { // the frame is appended to what is there, with room or without
			payload := bytes.Repeat([]byte("magpie"), n/6+1)[:n]
			dst := append(make([]byte, 0, 7+room), "earlier"...)
			start := len(dst)
			b := seal(append(appendRoom(dst), payload...), start, opBinary)
			if !bytes.HasPrefix(b, []byte("earlier")) {
				t.Fatalf("%d bytes: what was before is gone", n)
			}
			op, got, rest := readServerFrame(t, b[start:])
			if op != opBinary || !bytes.Equal(got, payload) || len(rest) != 0 {
				t.Errorf("%d bytes: opcode %d, %d bytes of payload, %d left", n, op, len(got), len(rest))
			}
		}
	}
}

func TestFormatsFinishFrames(t *testing.T) {
	message := &wire.Message{Channel: "a.b", Offset: 7, Timestamp: 1, Payload: wire.Payload{Kind: wire.PayloadText, Bytes: bytes.Repeat([]byte("x"), 300)}}
	for _, f := range []Format{JSON, Protobuf} {
		b := f.AppendMessage(nil, message)
		b = f.AppendFrame(b, &wire.Frame{RequestID: "1", Body: &wire.Pong{}})
		b = f.AppendPing(b)
		op, first, rest := readServerFrame(t, b)
		if op != f.op || !bytes.Equal(first, f.Codec().AppendMessage(nil, message)) {
			t.Errorf("%v: opcode %d, %q", f.Codec(), op, first)
		}
		op, second, rest := readServerFrame(t, rest)
		if op != f.op || !bytes.Equal(second, f.Codec().Append(nil, &wire.Frame{RequestID: "1", Body: &wire.Pong{}})) {
			t.Errorf("%v: opcode %d, %q", f.Codec(), op, second)
		}
		if op, payload, rest := readServerFrame(t, rest); op != opPing || len(payload)+len(rest) != 0 {
			t.Errorf("%v: opcode %d, %q, %q", f.Codec(), op, payload, rest)
		}
	}
}

func TestCloseReasonIsCutBetweenCharacters(t *testing.T) {
	for pad := range 4 {
		reason := string(bytes.Repeat([]byte("x"), pad)) + string(bytes.Repeat([]byte("€"), 60))
		op, payload, rest := readServerFrame(t, JSON.AppendClose(nil, wire.CloseTooBig, reason))
		if op != opClose || len(rest) > 0 || len(payload) > maxControlPayload || len(payload) < maxControlPayload-3 {
			t.Fatalf("opcode %d, %d bytes, %d left", op, len(payload), len(rest))
		}
		if code, bad := readClose(payload); code != wire.CloseTooBig || bad != nil {
			t.Errorf("code %d, %v", code, bad)
		}
	}
}
