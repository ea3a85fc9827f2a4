package wire_test

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/magpie-bridge/magpie/internal/wire"
	magpiev1 "github.com/magpie-bridge/magpie/protocol/gen/magpie/v1"
)

const vectors = "../../protocol/vectors"

// frameVector is an entry of frames/*.json.
type frameVector struct {
	Name        string
	Meaning     string
	JSON        string
	JSONAlso    []string
	ProtobufHex string
}

// inputVector is an entry of malformed.json or unknown.json.
type inputVector struct {
	Name      string
	Meaning   string
	Codec     string
	Input     string
	InputHex  string
	Code      wire.Code
	Expect    string
	RequestID string
	JSON      string
}

func (v inputVector) codec(t *testing.T) wire.Codec {
	t.Helper()
	switch v.Codec {
	case "json":
		return wire.JSON
	case "protobuf":
		return wire.Protobuf
	}
	t.Fatalf("codec %q: expected json or protobuf", v.Codec)
	return 0
}

func (v inputVector) bytes(t *testing.T) []byte {
	t.Helper()
	if v.InputHex == "" {
		return []byte(v.Input)
	}
	return unhex(t, v.InputHex)
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// readVectors reads a file of vectors; a key that the type does not have is a slip of the pen.
func readVectors[T any](t testing.TB, path string) []T {
	t.Helper()
	file, err := os.Open(filepath.Join(vectors, path))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var all []T
	decoder := json.NewDecoder(file)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&all); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if len(all) == 0 {
		t.Fatalf("%s holds no vector", path)
	}
	return all
}

func decode(t *testing.T, c wire.Codec, b []byte) *wire.Frame {
	t.Helper()
	var f wire.Frame
	if err := new(wire.Decoder).Decode(c, b, &f); err != nil {
		t.Fatalf("decode %v %q: %v", c, b, err)
	}
	return &f
}

func TestFrameVectors(t *testing.T) {
	for kind := wire.TypeConnect; kind <= wire.TypeMembers; kind++ {
		for _, v := range readVectors[frameVector](t, "frames/"+kind.String()+".json") {
			t.Run(kind.String()+"/"+v.Name, func(t *testing.T) {
				testFrameVector(t, kind, v)
			})
		}
	}
}

func testFrameVector(t *testing.T, kind wire.Type, v frameVector) {
	binary := unhex(t, v.ProtobufHex)
	f := decode(t, wire.JSON, []byte(v.JSON))
	if f.Body.Type() != kind {
		t.Errorf("is a frame of type %v", f.Body.Type())
	}
	if got := wire.Protobuf.Append(nil, f); string(got) != string(binary) {
		t.Errorf("JSON to Protobuf\ngot  %x\nwant %x", got, binary)
	}
	f = decode(t, wire.Protobuf, binary)
	if got := string(wire.JSON.Append(nil, f)); got != v.JSON {
		t.Errorf("Protobuf to JSON\ngot  %s\nwant %s", got, v.JSON)
	}
	for _, also := range v.JSONAlso {
		f := decode(t, wire.JSON, []byte(also))
		if got := string(wire.JSON.Append(nil, f)); got != v.JSON {
			t.Errorf("%s\ngot  %s\nwant %s", also, got, v.JSON)
		}
	}
	crossCheck(t, v.JSON, binary)
}

// crossCheck holds the vector against the generated code, which knows nothing of ours: the hexadecimal decodes to the
// same message as the JSON does once it is put into the form that protojson expects, and comes back to us unchanged.
func crossCheck(t *testing.T, text string, binary []byte) {
	t.Helper()
	var fromHex, fromJSON magpiev1.Frame
	if err := proto.Unmarshal(binary, &fromHex); err != nil {
		t.Fatal(err)
	}
	if err := protojson.Unmarshal(protoJSON(t, text), &fromJSON); err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(&fromHex, &fromJSON) {
		t.Errorf("the generated code disagrees\nhex  %v\njson %v", &fromHex, &fromJSON)
	}
	again, err := proto.MarshalOptions{Deterministic: true}.Marshal(&fromHex)
	if err != nil {
		t.Fatal(err)
	}
	back := decode(t, wire.Protobuf, again)
	var reread magpiev1.Frame
	if err := proto.Unmarshal(wire.Protobuf.Append(nil, back), &reread); err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(&fromHex, &reread) {
		t.Errorf("what the generated code encodes comes back as %v, not as %v", &reread, &fromHex)
	}
}

// protoJSON puts a frame's JSON into the form of protojson: the body under its type, payloads in base64.
func protoJSON(t *testing.T, text string) []byte {
	t.Helper()
	fields := members(t, json.RawMessage(text))
	var kind string
	if err := json.Unmarshal(fields["type"], &kind); err != nil {
		t.Fatal(err)
	}
	frame := make(map[string]json.RawMessage)
	if id, ok := fields["requestId"]; ok {
		frame["requestId"] = id
	}
	delete(fields, "type")
	delete(fields, "requestId")
	if kind == "error" {
		fields = members(t, fields["error"])
	}
	frame[kind] = protoJSONBody(t, fields)
	return marshal(t, frame)
}

func protoJSONBody(t *testing.T, fields map[string]json.RawMessage) json.RawMessage {
	t.Helper()
	for name, value := range fields {
		switch name {
		case "data", "details", "info":
			fields[name] = marshal(t, []byte(value))
		case "base64":
			fields["bytes"] = value
			delete(fields, name)
		case "error":
			fields[name] = protoJSONBody(t, members(t, value))
		case "messages", "results", "answers", "members":
			if value[0] == '"' { // those of a call are a word
				continue
			}
			var items []json.RawMessage
			if err := json.Unmarshal(value, &items); err != nil {
				t.Fatal(err)
			}
			for i, item := range items {
				items[i] = protoJSONBody(t, members(t, item))
			}
			fields[name] = marshal(t, items)
		}
	}
	return marshal(t, fields)
}

func members(t *testing.T, object json.RawMessage) map[string]json.RawMessage {
	t.Helper()
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(object, &fields); err != nil {
		t.Fatal(err)
	}
	return fields
}

func marshal(t *testing.T, v any) json.RawMessage {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestMalformedVectors(t *testing.T) {
	for _, v := range readVectors[inputVector](t, "malformed.json") {
		t.Run(v.Codec+"/"+v.Name, func(t *testing.T) {
			var f wire.Frame
			err := new(wire.Decoder).Decode(v.codec(t), v.bytes(t), &f)
			failure, ok := errors.AsType[*wire.Error](err)
			if !ok {
				t.Fatalf("got %+v and the error %v, want %s", f.Body, err, v.Code)
			}
			if failure.Code != v.Code || !strings.Contains(failure.Message, v.Expect) {
				t.Errorf("got  %v\nwant %s with %q", failure, v.Code, v.Expect)
			}
			if f.RequestID != v.RequestID {
				t.Errorf("request id %q, want %q", f.RequestID, v.RequestID)
			}
			if f.Body != nil {
				t.Errorf("a refused frame has the body %+v", f.Body)
			}
		})
	}
}

func TestUnknownVectors(t *testing.T) {
	for _, v := range readVectors[inputVector](t, "unknown.json") {
		t.Run(v.Codec+"/"+v.Name, func(t *testing.T) {
			f := decode(t, v.codec(t), v.bytes(t))
			if got := string(wire.JSON.Append(nil, f)); got != v.JSON {
				t.Errorf("got  %s\nwant %s", got, v.JSON)
			}
		})
	}
}
