package api

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	magpiev1 "github.com/magpie-bridge/magpie/protocol/gen/magpie/v1"
)

func TestJSONIsThatOfTheFrames(t *testing.T) {
	for want, m := range map[string]proto.Message{
		`{"subscriptions":[{"sessionId":"s","userId":"u","channel":"c","position":{"epoch":"e","offset":1},"tail":9,"lag":8,"since":7}],"total":3}`: &magpiev1.SubscriptionsResponse{
			Subscriptions: []*magpiev1.SubscriptionLag{{
				SessionId: "s", UserId: "u", Channel: "c", Position: &magpiev1.Position{Epoch: "e", Offset: 1}, Tail: 9, Lag: 8, Since: proto.Int64(7),
			}},
			Total: 3,
		},
		`{"subscriptions":[],"total":0}`: &magpiev1.SubscriptionsResponse{},
		`{"messageId":"m\"1\u2028","key":"","tags":{"a":"1","b":"\u003c"},"channels":["x","y"],"data":{"a": 1.50}}`: &magpiev1.BroadcastRequest{
			MessageId: "m\"1\u2028", Channels: []string{"x", "y"}, Tags: map[string]string{"b": "<", "a": "1"},
			Payload: &magpiev1.BroadcastRequest_Data{Data: []byte(`{"a": 1.50}`)},
		},
		`{"messageId":"","key":"","channels":[],"base64":"AP8="}`: &magpiev1.BroadcastRequest{Payload: &magpiev1.BroadcastRequest_Bytes{Bytes: []byte{0, 0xff}}},
		`{"messageId":"","key":"","channels":[],"text":""}`:       &magpiev1.BroadcastRequest{Payload: &magpiev1.BroadcastRequest_Text{}},
		`{"sessionId":"","userId":"a","channel":"b","from":{"epoch":"","offset":0}}`: &magpiev1.SubscribeRequest{
			UserId: "a", Channel: "b", From: &magpiev1.Start{Offset: proto.Uint64(0)},
		},
	} {
		got, err := AppendJSON([]byte("before"), m)
		if err != nil || string(got) != "before"+want {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
		again := m.ProtoReflect().New().Interface()
		if err := unmarshalJSON([]byte(want), again); err != nil || !proto.Equal(again, m) {
			t.Errorf("%s was read as %v, %v", want, again, err)
		}
	}
}

// TestEveryMessageHasJSON fills each field of each message of the service, and expects it back.
func TestEveryMessageHasJSON(t *testing.T) {
	methods := gatewayMethods()
	for i := range methods.Len() {
		for _, d := range []protoreflect.MessageDescriptor{methods.Get(i).Input(), methods.Get(i).Output()} {
			m, again := dynamicpb.NewMessage(d), dynamicpb.NewMessage(d)
			fill(m)
			data, err := AppendJSON(nil, m)
			if err != nil {
				t.Errorf("%s: %v", d.Name(), err)
				continue
			}
			if err := unmarshalJSON(data, again); err != nil || !proto.Equal(again, m) {
				t.Errorf("%s: %s was read as %v, %v", d.Name(), data, again, err)
			}
		}
	}
}

// fill sets every field, and of each choice the last.
func fill(m protoreflect.Message) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		switch f := fields.Get(i); {
		case f.IsMap() && f.MapValue().Message() != nil:
			fill(m.Mutable(f).Map().Mutable(protoreflect.ValueOfString("key").MapKey()).Message())
		case f.IsMap():
			m.Mutable(f).Map().Set(protoreflect.ValueOfString("key").MapKey(), protoreflect.ValueOfString("value"))
		case f.IsList() && f.Message() != nil:
			fill(m.Mutable(f).List().AppendMutable().Message())
		case f.IsList():
			m.Mutable(f).List().Append(sample(f))
		case f.Message() != nil:
			fill(m.Mutable(f).Message())
		default:
			m.Set(f, sample(f))
		}
	}
}

func sample(f protoreflect.FieldDescriptor) protoreflect.Value {
	switch f.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(true)
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(int64(f.Number()))
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(uint64(f.Number()))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte(`{"a":1}`))
	default:
		return protoreflect.ValueOfString(string(f.Name()))
	}
}

func TestJSONIsReadStrictly(t *testing.T) {
	long := strings.Repeat("x", 100)
	for text, want := range map[string]string{
		``:                               "the request is not JSON: unexpected end of JSON input at byte 0",
		`{"channels":[}`:                 "the request is not JSON: invalid character '}' looking for beginning of value at byte 14",
		`{} {}`:                          "the request is not JSON",
		"{\"key\":\"\xff\"}":             "the request is not UTF-8",
		`[]`:                             "the request is an array: expected an object",
		`null`:                           "the request is null: expected an object",
		`{"key":5}`:                      "key is a number: expected a string",
		`{"key":{}}`:                     "key is an object: expected a string",
		`{"channels":"a"}`:               "channels is a string: expected an array",
		`{"channels":["a",5]}`:           "channels[1] is a number: expected a string",
		`{"channels":["a",null]}`:        "channels[1] is null: expected a string",
		`{"tags":[]}`:                    "tags is an array: expected an object",
		`{"tags":{"a":1}}`:               `tags."a" is a number: expected a string`,
		`{"tags":{"a":null}}`:            `tags."a" is null: expected a string`,
		`{"tags":{"` + long + `":true}}`: `tags."` + long[:80] + `"... is true: expected a string`,
		`{"key":"a","key":"b"}`:          `"key" stands there twice`,
		`{"data":1,"text":"a"}`:          "data and text exclude each other",
		`{"base64":"a","data":null}`:     "data and base64 exclude each other",
		`{"base64":"AP8"}`:               "base64 is not base64: expected the standard alphabet with padding",
		`{"base64":"AP8=\n"}`:            "base64 is not base64",
		`{"base64":1}`:                   "base64 is a number: expected a string",
		`{"tags":{` + many(1025, `"a":"b"`) + `}}`: `tags."a" stands there twice`,
		`{"channels":[` + many(1025, `"a"`) + `]}`: "channels has more than 1024 items",
	} {
		err := unmarshalJSON([]byte(text), &magpiev1.BroadcastRequest{})
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%.60s: %v, want %s", text, err, want)
		}
	}
	for text, want := range map[string]string{
		`{"limit":"5"}`:                  "limit is a string: expected a whole number in digits alone",
		`{"limit":1.0}`:                  "limit is a number: expected a whole number in digits alone",
		`{"limit":1e3}`:                  "limit is a number: expected a whole number in digits alone",
		`{"limit":9007199254740992}`:     "limit is too large: expected a whole number below 2^53",
		`{"limit":99999999999999999999}`: "limit is too large",
		`{"limit":true}`:                 "limit is true: expected a whole number",
		`{"pattern":["a"]}`:              "pattern is an array: expected a string",
	} {
		err := unmarshalJSON([]byte(text), &magpiev1.ChannelsRequest{})
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	for text, want := range map[string]string{
		`{"from":{"offset":-1}}`:  "from.offset is negative: expected a whole number",
		`{"from":{"offset":"1"}}`: "from.offset is a string: expected a whole number in digits alone",
		`{"from":5}`:              "from is a number: expected an object",
	} {
		err := unmarshalJSON([]byte(text), &magpiev1.SubscribeRequest{})
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	err := unmarshalJSON([]byte(`{"mayReturn":"yes"}`), &magpiev1.DisconnectRequest{})
	if err == nil || err.Error() != "mayReturn is a string: expected true or false" {
		t.Errorf("a flag that is a string: %v", err)
	}
}

// many is an item so many times, with commas between.
func many(n int, item string) string { return strings.TrimSuffix(strings.Repeat(item+",", n), ",") }

func TestJSONPassesOverWhatItDoesNotKnow(t *testing.T) {
	got := &magpiev1.SubscribeRequest{}
	const text = ` {"unknown":{"deep":[1,{"a":"b"}]},"userId":"ann","may_return":5,"sessionId":null,"from":{"last":3,"then":null}} `
	if err := unmarshalJSON([]byte(text), got); err != nil {
		t.Fatal(err)
	}
	if want := (&magpiev1.SubscribeRequest{UserId: "ann", From: &magpiev1.Start{Last: proto.Uint64(3)}}); !proto.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	// As a payload, null is a value like any other.
	message := &magpiev1.SendRequest{}
	if err := unmarshalJSON([]byte(`{"data":null}`), message); err != nil || string(message.GetData()) != "null" {
		t.Errorf("got %v, %v", message, err)
	}
	// An array of JSON nested deeper than anybody writes is refused, and harms nobody.
	deep := `{"data":` + strings.Repeat("[", 1_000_000) + strings.Repeat("]", 1_000_000) + `}`
	if err := unmarshalJSON([]byte(deep), message); err == nil {
		t.Error("a million levels were taken")
	}
}

// FuzzJSON checks that what is read comes back as it was.
func FuzzJSON(f *testing.F) {
	f.Add([]byte(`{"channels":["a"],"tags":{"a":"b"},"data":[1]}`))
	f.Add([]byte(`{"base64":"AP8=","key":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, again := &magpiev1.BroadcastRequest{}, &magpiev1.BroadcastRequest{}
		if unmarshalJSON(data, m) != nil {
			return
		}
		text, err := AppendJSON(nil, m)
		if err != nil {
			t.Fatalf("%q: %v", data, err)
		}
		if err := unmarshalJSON(text, again); err != nil || !proto.Equal(again, m) {
			t.Errorf("%q became %s, and then %v, %v", data, text, again, err)
		}
	})
}
