package websocket

import (
	"bytes"
	"compress/flate"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/magpie-bridge/magpie/internal/wire"
)

func TestOffersOfCompression(t *testing.T) {
	for offers, want := range map[string]bool{
		"":                   false,
		"permessage-deflate": true,
		"permessage-deflate; client_max_window_bits":                                                      true,
		"permessage-deflate; server_max_window_bits=15":                                                   true,
		`permessage-deflate; client_max_window_bits="10"; server_no_context_takeover`:                     true,
		"permessage-deflate; server_max_window_bits=10":                                                   false,
		"permessage-deflate; server_max_window_bits=10, permessage-deflate":                               true,
		"permessage-deflate; server_max_window_bits":                                                      false,
		"permessage-deflate; client_max_window_bits=16":                                                   false,
		"permessage-deflate; client_max_window_bits=08":                                                   false,
		"permessage-deflate; client_no_context_takeover; client_no_context_takeover":                      false,
		"permessage-deflate; client_no_context_takeover=1":                                                false,
		"permessage-deflate; unknown":                                                                     false,
		"permessage-bzip2, x-webkit-deflate-frame":                                                        false,
		"permessage-deflate;" + strings.Repeat(" client_no_context_takeover;", 1000):                      false,
		strings.Repeat("permessage-deflate; server_max_window_bits=9,", maxTokens) + "permessage-deflate": false,
	} {
		h := http.Header{}
		if offers != "" {
			h.Set("Sec-WebSocket-Extensions", offers)
		}
		if got := offersDeflate(h); got != want {
			t.Errorf("%.90q: %v, want %v", offers, got, want)
		}
	}
}

// unpack expands what a server's frame carries, as a client written by others would.
func unpack(t *testing.T, packed []byte) []byte {
	t.Helper()
	r := flate.NewReader(io.MultiReader(bytes.NewReader(packed), strings.NewReader(flushTail+"\x01\x00\x00\xff\xff")))
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestCompressedFramesCarryTheSame(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 2000)
	for i := range noise {
		noise[i] = byte(rnd.Uint32())
	}
	for name, payload := range map[string]wire.Payload{
		"small": {Kind: wire.PayloadText, Bytes: []byte("x")},
		"large": {Kind: wire.PayloadText, Bytes: []byte(strings.Repeat("a line of a log, ", 5000))},
		"noise": {Kind: wire.PayloadBytes, Bytes: noise},
	} {
		for _, f := range []Format{JSON, Protobuf} {
			m := &wire.Message{Channel: "a", Offset: 1, Payload: payload}
			plain := f.codec.AppendMessage(nil, m)
			before := []byte("what stands before")
			frame := f.compressed().AppendMessage(bytes.Clone(before), m)[len(before):]
			packed := frame[0]&rsv1Bit != 0
			frame[0] &^= rsv1Bit
			op, got, rest := readServerFrame(t, frame)
			if op != f.op || len(rest) != 0 {
				t.Errorf("%s: opcode %x, %d bytes behind it", name, op, len(rest))
			}
			if packed {
				got = unpack(t, got)
			}
			if !bytes.Equal(got, plain) {
				t.Errorf("%s in %s carries something else", name, f.codec)
			}
			if want := name == "large"; packed != want {
				t.Errorf("%s in %s: compressed %v, want %v", name, f.codec, packed, want)
			}
		}
	}
}

// pack compresses a message as a client would.
func pack(t testing.TB, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte(flushTail))
}

func TestExpand(t *testing.T) {
	const limit = 64 << 10
	whole := []byte(strings.Repeat("0123456789abcdef", limit/16))
	for _, test := range []struct {
		name    string
		message []byte
		want    []byte
		code    wire.CloseCode
	}{
		{"nothing", pack(t, nil), []byte{}, 0},
		{"a word", pack(t, []byte("ping")), []byte("ping"), 0},
		{"the limit", pack(t, whole), whole, 0},
		{"a byte more", pack(t, append(bytes.Clone(whole), 'x')), nil, wire.CloseTooBig},
		{"a bomb of 1000:1", pack(t, make([]byte, 64<<20)), nil, wire.CloseTooBig},
		{"garbage", []byte("\xff\xff\xff\xff"), nil, wire.CloseInvalidPayload},
		{"cut off", pack(t, whole)[:20], nil, wire.CloseInvalidPayload},
		{"a stored block, empty", []byte{0}, []byte{}, 0},
	} {
		f := &inflater{}
		f.r = flate.NewReader(&f.in)
		for range 2 { // the second finds nothing left of the first
			got, bad := f.expand(test.message, limit)
			if test.code != 0 {
				if bad == nil || bad.code != test.code {
					t.Errorf("%s: %v, want a refusal with %d", test.name, bad, test.code)
				}
				continue
			}
			if bad != nil || !bytes.Equal(got, test.want) {
				t.Errorf("%s: %d bytes and %v, want %d bytes", test.name, len(got), bad, len(test.want))
			}
		}
		if cap(f.out) > 2*(limit+1) {
			t.Errorf("%s: %d bytes were held, more than twice the limit", test.name, cap(f.out))
		}
	}
}

func TestExpandNeverReadsAnothersMessage(t *testing.T) {
	f := &inflater{}
	f.r = flate.NewReader(&f.in)
	if _, bad := f.expand(pack(t, []byte(strings.Repeat("secret", 100))), 1<<20); bad != nil {
		t.Fatal(bad)
	}
	// A block that refers back into a window that is empty: a fixed Huffman code, a match of length 3 at distance 1.
	if got, bad := f.expand([]byte{0x02, 0x04, 0x00}, 1<<20); bad == nil {
		t.Errorf("a reference to before the message gave %q", got)
	}
}

func FuzzExpand(f *testing.F) {
	f.Add(pack(f, []byte("hello")))
	f.Add(pack(f, make([]byte, 100_000)))
	f.Add([]byte{0})
	f.Fuzz(func(t *testing.T, message []byte) {
		const limit = 10_000
		x := inflaters.Get().(*inflater)
		defer x.release()
		if got, bad := x.expand(message, limit); bad == nil && len(got) > limit {
			t.Errorf("%d bytes, more than the limit", len(got))
		}
	})
}
