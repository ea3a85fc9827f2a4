package wire

import (
	"reflect"
	"testing"
	"time"
)

// everyFrame has a frame of each type, and the forms of those that have several.
func everyFrame() []Frame {
	tags, meta := Pairs{{"region", "eu"}, {"level", "wärn\n"}}, Pairs{{"traceparent", "00-1"}}
	data := Payload{Kind: PayloadJSON, Bytes: []byte(`{"a":[1, 2.50,{"b":"\u00e9"}]}`)}
	text := Payload{Kind: PayloadText, Bytes: []byte("one \"line\"\n\x01 é 𝄞")}
	raw := Payload{Kind: PayloadBytes, Bytes: []byte{0, 1, 2, 0xff}}
	here := Position{Epoch: "k3", Offset: 41}
	failure := &Error{Code: CodeResourceExhausted, Message: "too many", Retryable: true, RetryAfter: 500 * time.Millisecond, Details: []byte(`{"limit":5}`)}
	return []Frame{
		{"1", &Connect{}},
		{"1", &Connect{Token: "t", Resume: &Resume{Token: "r", Positions: []ChannelPosition{{"order.update", here}, {"chat", Position{}}}}, ClientName: "n", ClientVersion: "v", Device: "d"}},
		{"1", &Connected{}},
		{"1", &Connected{SessionID: "s", ResumeToken: "r", UserID: "u", NodeID: "n", Resumed: true, ServerTime: 1, ExpiresAt: 2, HeartbeatInterval: 3, HeartbeatTimeout: 4, MaxFrameBytes: 5, MaxSubscriptions: 6}},
		{"2", &Subscribe{Channel: "a"}},
		{"2", &Subscribe{Channel: "a", From: Start{Kind: StartPosition, Epoch: "k", Offset: 0}, Filter: "x > 1"}},
		{"2", &Subscribe{Channel: "a", From: Start{Kind: StartOffset}}},
		{"2", &Subscribe{Channel: "a", From: Start{Kind: StartOffset, Offset: MaxOffset}}},
		{"2", &Subscribe{Channel: "a", From: Start{Kind: StartLast, Last: 50}}},
		{"2", &Subscribe{Channel: "a", From: Start{Kind: StartLast}}},
		{"2", &Subscribe{Channel: "a", From: Start{Kind: StartTime, Time: 1789000000000}}},
		{"2", &Subscribe{Channel: "a", From: Start{Kind: StartTime}}},
		{"2", &Subscribed{Channel: "a", Position: here, Tail: 57, Recovered: true}},
		{"2", &Subscribed{Channel: "a"}},
		{"2", &Unsubscribe{Channel: "a"}},
		{"", &Unsubscribed{Channel: "a", Code: CodePermissionDenied, Reason: "r"}},
		{"3", &Publish{Channel: "a"}},
		{"3", &Publish{Channel: "a", Publication: Publication{MessageID: "m", Key: "k", Tags: tags, Meta: meta, Payload: data}}},
		{"3", &Publish{Channel: "a", Messages: []Publication{{MessageID: "m", Payload: data}, {Tags: tags, Payload: text}, {Payload: raw}, {}}}},
		{"3", &Published{}},
		{"3", &Published{PublishResult: PublishResult{Position: here, Duplicate: true}}},
		{"3", &Published{Results: []PublishResult{{Position: here}, {Duplicate: true}, {Err: failure}}}},
		{"", &Message{Channel: "a", Offset: 42, Prev: 40, MessageID: "m", Key: "k", Publisher: "p", Timestamp: 1789000000000, Tags: tags, Meta: meta, Payload: data}},
		{"", &Message{Channel: "a", Payload: Payload{Kind: PayloadText, Bytes: []byte{}}}},
		{"", &Message{Channel: "a", Payload: Payload{Kind: PayloadBytes, Bytes: []byte{}}}},
		{"", &PositionUpdate{Channel: "a", Position: here}},
		{"", &Gap{Channel: "a", Epoch: "k", FromOffset: 42, ToOffset: 57, Reason: GapRetention}},
		{"4", &Call{Method: "pricing.quote", To: "user:42", TimeoutMs: 3000, Meta: meta, CallerID: "u", CallerSID: "s", Payload: data}},
		{"4", &Reply{Meta: meta, Payload: text}},
		{"4", &Progress{Payload: raw}},
		{"4", &Credit{Count: 16}},
		{"4", &Cancel{}},
		{"4", failure},
		{"", &Error{}},
		{"", &Ping{}},
		{"", &Pong{}},
		{"", &Goodbye{Code: CloseDraining, Reason: "draining", RetryAfterMs: 3120}},
	}
}

func TestRoundTrip(t *testing.T) {
	var d Decoder
	for _, f := range everyFrame() {
		for _, c := range []Codec{JSON, Protobuf} {
			b := c.Append(nil, &f)
			var got Frame
			if err := d.Decode(c, b, &got); err != nil {
				t.Errorf("%v %v %q: %v", c, f.Body.Type(), b, err)
				continue
			}
			if !reflect.DeepEqual(got, f) {
				t.Errorf("%v: %q\ndecoded %+v\nwant    %+v", c, b, got.Body, f.Body)
			}
		}
	}
}
