package wire_test

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/magpie-bridge/magpie/internal/wire"
	magpiev1 "github.com/magpie-bridge/magpie/protocol/gen/magpie/v1"
)

// FuzzDecodeJSON checks that what decodes is JSON by the standard library's judgement as well, and goes round.
func FuzzDecodeJSON(f *testing.F) {
	seed(f, wire.JSON)
	f.Fuzz(func(t *testing.T, input []byte) {
		if frame := goesRound(t, wire.JSON, input); frame != nil && !json.Valid(input) {
			t.Errorf("%q decodes, but is not JSON", input)
		}
	})
}

// FuzzDecodeProtobuf checks that what decodes is a frame by the generated code's judgement as well, and goes round.
func FuzzDecodeProtobuf(f *testing.F) {
	seed(f, wire.Protobuf)
	f.Fuzz(func(t *testing.T, input []byte) {
		frame := goesRound(t, wire.Protobuf, input)
		if frame == nil {
			return
		}
		var generated magpiev1.Frame
		if err := proto.Unmarshal(input, &generated); err != nil {
			t.Fatalf("%x decodes, but the generated code says: %v", input, err)
		}
		if generated.GetRequestId() != frame.RequestID {
			t.Errorf("request id %q, the generated code has %q", frame.RequestID, generated.GetRequestId())
		}
		if kind := bodyNumber(&generated); kind != protowire.Number(frame.Body.Type()) {
			t.Errorf("a frame of type %v, the generated code has body %d", frame.Body.Type(), kind)
		}
	})
}

// FuzzChannelName checks the rule against one that is written in another way.
func FuzzChannelName(f *testing.F) {
	for _, name := range []string{
		"", "a", "order.update", "a..b", ".a", "a.", "sys.metrics", "a b", "é", "a\x00", "a\r\nb", "*", "a.>", "{a}:b",
		"Z-9_z", strings.Repeat("a", 255), strings.Repeat("a", 256), strings.Repeat("a.", 127) + "a",
	} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		good := len(name) <= wire.MaxChannelBytes
		for word := range strings.SplitSeq(name, ".") {
			good = good && word != "" && strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == ""
		}
		err := wire.ChannelName(name).Check()
		if (err == nil) != good {
			t.Fatalf("Check(%q) = %v, want good %v", name, err, good)
		}
		if (wire.CheckMethod(name) == nil) != good {
			t.Errorf("CheckMethod(%q) does not agree with Check", name)
		}
		if err != nil && strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("the sentence %q is not fit for a log line", err)
		}
	})
}

// seed adds every vector of the codec.
func seed(f *testing.F, c wire.Codec) {
	f.Helper()
	paths, err := filepath.Glob(filepath.Join(vectors, "frames/*.json"))
	if err != nil || len(paths) == 0 {
		f.Fatalf("no vectors: %v", err)
	}
	for _, path := range paths {
		for _, v := range readVectors[frameVector](f, "frames/"+filepath.Base(path)) {
			if c == wire.JSON {
				f.Add([]byte(v.JSON))
			} else if b, err := hex.DecodeString(v.ProtobufHex); err == nil {
				f.Add(b)
			}
		}
	}
	for _, file := range []string{"malformed.json", "unknown.json"} {
		for _, v := range readVectors[inputVector](f, file) {
			if v.Codec != c.String() {
				continue
			}
			b, err := hex.DecodeString(v.InputHex)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(append(b, v.Input...))
		}
	}
}

// goesRound decodes the input and, where that succeeds, checks that the frame comes back the same from both codecs.
// It returns nil for an input that is refused.
func goesRound(t *testing.T, c wire.Codec, input []byte) *wire.Frame {
	t.Helper()
	var frame wire.Frame
	if err := new(wire.Decoder).Decode(c, input, &frame); err != nil {
		if _, ok := errors.AsType[*wire.Error](err); !ok {
			t.Fatalf("refused with %T: %v", err, err)
		}
		return nil
	}
	text := string(wire.JSON.Append(nil, &frame))
	binary := string(wire.Protobuf.Append(nil, &frame))
	for _, through := range []wire.Codec{wire.JSON, wire.Protobuf} {
		again := decode(t, through, through.Append(nil, &frame))
		if got := string(wire.JSON.Append(nil, again)); got != text {
			t.Errorf("through %v\nJSON was %q\nand is   %q", through, text, got)
		}
		if got := string(wire.Protobuf.Append(nil, again)); got != binary {
			t.Errorf("through %v\nProtobuf was %x\nand is       %x", through, binary, got)
		}
	}
	return &frame
}

// bodyNumber is the number of the body that is set.
func bodyNumber(f *magpiev1.Frame) protowire.Number {
	m := f.ProtoReflect()
	body := m.WhichOneof(m.Descriptor().Oneofs().ByName("body"))
	if body == nil {
		return 0
	}
	return body.Number()
}
