package wire_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// Strings, tags and errors outlive the input and the next frame; that is what sessions and clients build on.
func TestWhatIsDecodedIsSafeToKeep(t *testing.T) {
	for _, c := range []wire.Codec{wire.JSON, wire.Protobuf} {
		t.Run(c.String(), func(t *testing.T) {
			var d wire.Decoder
			input := c.Append(nil, &wire.Frame{RequestID: "r1", Body: &wire.Publish{
				Channel:     "order.update",
				Publication: wire.Publication{MessageID: "m1", Tags: wire.Pairs{{Key: "region", Value: "a \"b\""}}},
			}})
			var f wire.Frame
			if err := d.Decode(c, input, &f); err != nil {
				t.Fatal(err)
			}
			kept, id := *f.Body.(*wire.Publish), f.RequestID

			failure := c.Append(nil, &wire.Frame{RequestID: "r2", Body: &wire.Error{Code: wire.CodeAborted, Message: "m", Details: []byte(`{"a":1}`)}})
			clear(input)
			if err := d.Decode(c, failure, &f); err != nil {
				t.Fatal(err)
			}
			received := f.Body.(*wire.Error)
			clear(failure)
			if err := d.Decode(c, c.Append(nil, publication()), &f); err != nil {
				t.Fatal(err)
			}

			if id != "r1" || kept.Channel != "order.update" || kept.MessageID != "m1" {
				t.Errorf("kept %q %+v", id, kept)
			}
			if want := (wire.Pairs{{Key: "region", Value: "a \"b\""}}); !slices.Equal(kept.Tags, want) {
				t.Errorf("kept the tags %v, want %v", kept.Tags, want)
			}
			if received.Message != "m" || string(received.Details) != `{"a":1}` {
				t.Errorf("kept the error %v %q", received, received.Details)
			}
		})
	}
}

func TestPayloadAliasesTheInput(t *testing.T) {
	for _, c := range []wire.Codec{wire.JSON, wire.Protobuf} {
		input := c.Append(nil, publication())
		f := decode(t, c, input)
		payload := f.Body.(*wire.Publish).Payload.Bytes
		at := bytes.Index(input, payload)
		if at < 0 || &input[at] != &payload[0] {
			t.Errorf("%v: the payload was copied", c)
		}
		if cap(payload) != len(payload) {
			t.Errorf("%v: appending to the payload would write into the rest of the input", c)
		}
	}
}

// A body is taken from the decoder again: nothing of the frame before may show through.
func TestBodiesComeBackEmpty(t *testing.T) {
	for _, c := range []wire.Codec{wire.JSON, wire.Protobuf} {
		var d wire.Decoder
		var f wire.Frame
		full := c.Append(nil, publication())
		empty := c.Append(nil, &wire.Frame{Body: &wire.Publish{}})
		for _, input := range [][]byte{full, empty} {
			if err := d.Decode(c, input, &f); err != nil {
				t.Fatal(err)
			}
		}
		if got := c.Append(nil, &f); !bytes.Equal(got, empty) {
			t.Errorf("%v: got %q, want %q", c, got, empty)
		}
	}
}

// After a refused frame a decoder is as good as new.
func TestDecoderAfterAFailure(t *testing.T) {
	var d wire.Decoder
	for _, v := range readVectors[inputVector](t, "malformed.json") {
		c := v.codec(t)
		var f wire.Frame
		if err := d.Decode(c, v.bytes(t), &f); err == nil {
			t.Fatalf("%s decodes", v.Name)
		}
		want := c.Append(nil, publication())
		if err := d.Decode(c, want, &f); err != nil {
			t.Fatalf("after %s: %v", v.Name, err)
		}
		if got := c.Append(nil, &f); !bytes.Equal(got, want) {
			t.Fatalf("after %s: %q", v.Name, got)
		}
	}
}

func TestDecodeBody(t *testing.T) {
	var d wire.Decoder
	var p wire.Publish
	input := `{"channel":"order.update","messageId":"m1","data":{"a":1}}`
	if err := d.DecodeBody([]byte(input), &p); err != nil {
		t.Fatal(err)
	}
	if got := string(wire.AppendBody([]byte("> "), &p)); got != "> "+input {
		t.Errorf("got %s", got)
	}
	if got := string(wire.AppendBody(nil, &wire.Error{Code: wire.CodeAborted})); got != `{"error":{"code":"aborted"}}` {
		t.Errorf("got %s", got)
	}
	if got := string(wire.AppendBody(nil, &wire.Published{})); got != `{"position":{"epoch":"","offset":0},"duplicate":false}` {
		t.Errorf("got %s", got)
	}
	err := d.DecodeBody([]byte(`{"channel":7}`), new(wire.Publish))
	if failure, ok := errors.AsType[*wire.Error](err); !ok || failure.Code != wire.CodeInvalidArgument {
		t.Errorf("got %v, want invalid_argument", err)
	}
	if err := d.DecodeBody([]byte(`[]`), new(wire.Publish)); err == nil {
		t.Error("an array is taken for a body")
	}
}

// Nothing but UTF-8 leaves as text, whatever a log file or a header held.
func TestInvalidUTF8IsReplaced(t *testing.T) {
	m := &wire.Message{Channel: "a", Offset: 1, Publisher: "p\xff\xfeq", Payload: wire.Payload{Kind: wire.PayloadText, Bytes: []byte("\xc0line\"\n")}}
	for _, c := range []wire.Codec{wire.JSON, wire.Protobuf} {
		b := c.AppendMessage(nil, m)
		if c == wire.JSON && !utf8.Valid(b) {
			t.Errorf("%q is not UTF-8", b)
		}
		got := decode(t, c, b).Body.(*wire.Message)
		if got.Publisher != "p\uFFFDq" || string(got.Payload.Bytes) != "\uFFFDline\"\n" {
			t.Errorf("%v: got %q and %q", c, got.Publisher, got.Payload.Bytes)
		}
	}
}

func TestAppendMessageIsAppend(t *testing.T) {
	for _, c := range []wire.Codec{wire.JSON, wire.Protobuf} {
		m := entry()
		whole := c.Append([]byte("before "), &wire.Frame{Body: m})
		if got := c.AppendMessage([]byte("before "), m); !bytes.Equal(got, whole) {
			t.Errorf("%v: AppendMessage %q, Append %q", c, got, whole)
		}
		if !bytes.HasPrefix(whole, []byte("before ")) {
			t.Errorf("%v: %q lost what was there", c, whole)
		}
	}
}

// One frame may be encoded by several loops at once; the race detector tells when encoding writes to it.
func TestFramesAreEncodedConcurrently(t *testing.T) {
	frames := []*wire.Frame{
		publication(),
		{Body: entry()},
		{Body: &wire.Subscribe{Channel: "a", From: wire.Start{Kind: wire.StartPosition, Epoch: "k", Offset: 1}}},
		{Body: &wire.Goodbye{Code: wire.CloseDraining}},
		{Body: &wire.Published{Results: []wire.PublishResult{{}, {Err: wire.Errorf(wire.CodeAborted, "m")}}}},
		{Body: &wire.Error{Code: wire.CodeAborted, RetryAfter: 1, Details: []byte("{}")}},
		{Body: &wire.Connect{Resume: &wire.Resume{Positions: []wire.ChannelPosition{{Channel: "a"}}}}},
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for _, f := range frames {
				for _, c := range []wire.Codec{wire.JSON, wire.Protobuf} {
					c.Append(nil, f)
				}
			}
		})
	}
	wg.Wait()
}

// A frame of the largest size that is worth nothing must not cost more than a fair one.
func TestHostileFramesAreCheap(t *testing.T) {
	deep := `{"type":"publish","data":` + strings.Repeat("[", 100_000)
	keys := `{"type":"publish","data":1` + strings.Repeat(`,"k":0`, 100_000) + "}"
	empty := "0" + strings.Repeat("{},", 50_000) + "{}"
	batch := `{"type":"publish","messages":[` + empty[1:] + `]}`
	for name, input := range map[string]string{"deep": deep, "keys": keys, "batch": batch} {
		var f wire.Frame
		var d wire.Decoder
		if err := d.Decode(wire.JSON, []byte(input), &f); err == nil {
			t.Errorf("%s: decodes", name)
		}
	}
	var f wire.Frame
	fields := bytes.Repeat([]byte{0xa0, 0x06, 0x01}, 100_000)
	if err := new(wire.Decoder).Decode(wire.Protobuf, fields, &f); err == nil {
		t.Error("100,000 unknown fields decode")
	}
	groups := bytes.Repeat([]byte{0xa3, 0x06}, 100_000)
	if err := new(wire.Decoder).Decode(wire.Protobuf, groups, &f); err == nil {
		t.Error("100,000 nested groups decode")
	}
}

// The largest of everything that is allowed comes through, in both codecs.
func TestLargestFrames(t *testing.T) {
	tags := make(wire.Pairs, wire.MaxPairs)
	for i := range tags {
		tags[i] = wire.Pair{Key: strings.Repeat("k", wire.MaxPairKeyBytes-2) + string(rune('a'+i%26)) + string(rune('a'+i/26)), Value: strings.Repeat("v", wire.MaxPairValueBytes)}
	}
	positions := make([]wire.ChannelPosition, wire.MaxPositions)
	for i := range positions {
		positions[i] = wire.ChannelPosition{Channel: wire.ChannelName("c." + strings.Repeat("x", i%200) + string(rune('a'+i/200))), Position: wire.Position{Epoch: "k", Offset: wire.MaxOffset}}
	}
	deepest := strings.Repeat("[", wire.MaxDepth-1) + strings.Repeat("]", wire.MaxDepth-1)
	for _, body := range []wire.Body{
		&wire.Publish{Channel: "a", Publication: wire.Publication{
			MessageID: strings.Repeat("m", wire.MaxMessageIDBytes), Key: strings.Repeat("k", wire.MaxKeyBytes), Tags: tags, Meta: tags,
		}},
		&wire.Publish{Channel: "a", Messages: make([]wire.Publication, wire.MaxBatch)},
		&wire.Connect{Resume: &wire.Resume{Positions: positions}},
		&wire.Message{Channel: "a", Payload: wire.Payload{Kind: wire.PayloadJSON, Bytes: []byte(deepest)}},
	} {
		for _, c := range []wire.Codec{wire.JSON, wire.Protobuf} {
			b := c.Append(nil, &wire.Frame{RequestID: strings.Repeat("r", wire.MaxRequestIDBytes), Body: body})
			if got := c.Append(nil, decode(t, c, b)); !bytes.Equal(got, b) {
				t.Errorf("%v: a frame of type %v does not come through", c, body.Type())
			}
		}
	}
}

// One step beyond what the vectors can hold: a large table is looked up, not compared one by one.
func TestPositionTwiceInALargeTable(t *testing.T) {
	positions := make([]wire.ChannelPosition, 100)
	for i := range positions {
		positions[i].Channel = wire.ChannelName("c" + strings.Repeat("x", i))
	}
	positions[99].Channel = positions[40].Channel
	for _, c := range []wire.Codec{wire.JSON, wire.Protobuf} {
		b := c.Append(nil, &wire.Frame{Body: &wire.Connect{Resume: &wire.Resume{Positions: positions}}})
		var f wire.Frame
		err := new(wire.Decoder).Decode(c, b, &f)
		if err == nil || !strings.Contains(err.Error(), "a key of resume.positions at byte") {
			t.Errorf("%v: got %v", c, err)
		}
	}
}

// The same where each position comes in a part of its own, as Protobuf allows.
func TestPositionTwiceInManyParts(t *testing.T) {
	var body []byte
	for i := range 100 {
		entry := protowire.AppendString([]byte{0x0a}, "c"+strings.Repeat("x", i%99))
		body = protowire.AppendBytes(append(body, 0x12), protowire.AppendBytes([]byte{0x12}, entry))
	}
	var f wire.Frame
	err := new(wire.Decoder).Decode(wire.Protobuf, protowire.AppendBytes([]byte{0x52}, body), &f)
	if err == nil || !strings.Contains(err.Error(), `stands there twice: "c"`) {
		t.Errorf("got %v", err)
	}
}
