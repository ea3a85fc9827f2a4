package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/wire"
	magpiev1 "github.com/magpie-bridge/magpie/protocol/gen/magpie/v1"
	"github.com/magpie-bridge/magpie/protocol/gen/magpie/v1/magpiev1connect"
)

func TestPublishAsCurlDoes(t *testing.T) {
	r := newRig(t, rigOptions{})
	const message = `{"channel":"order.update","messageId":"m1","key":"order-7","tags":{"region":"eu"},"meta":{"trace":"t1"},"data":{"a": 1.50}}`
	type result struct {
		Position struct {
			Epoch  string
			Offset json.Number
		}
		Duplicate bool
	}
	for _, want := range []string{`"duplicate":false}`, `"duplicate":true}`} {
		got := r.send(request{body: message})
		if got.status != http.StatusOK || got.header.Get("Content-Type") != "application/json" {
			t.Errorf("status %d, type %q", got.status, got.header.Get("Content-Type"))
		}
		var first result
		if err := json.Unmarshal([]byte(got.body), &first); err != nil || first.Position.Epoch == "" || first.Position.Offset != "1" {
			t.Errorf("the answer is %s", got.body)
		}
		if !strings.Contains(got.body, `"offset":1}`) || !strings.HasSuffix(got.body, want) {
			t.Errorf("the answer is %s, want a number for the offset and %s", got.body, want)
		}
	}
	kept := r.engine.appended()
	want := channel.Record{Publisher: "pricing", Publication: wire.Publication{
		MessageID: "m1", Key: "order-7",
		Tags: wire.Pairs{{Key: "region", Value: "eu"}}, Meta: wire.Pairs{{Key: "trace", Value: "t1"}},
		Payload: wire.Payload{Kind: wire.PayloadJSON, Bytes: []byte(`{"a": 1.50}`)},
	}}
	if len(kept) != 2 || kept[0].channel != "order.update" || !reflect.DeepEqual(kept[0].records, []channel.Record{want}) {
		t.Errorf("the engine was given %+v, want %+v", kept, want)
	}
}

func TestPublishBatchAsJSON(t *testing.T) {
	r := newRig(t, rigOptions{})
	got := r.send(request{body: `{"channel":"order.update","messages":[{"messageId":"a","data":1},{"text":"two"},{"base64":"AP8="},{"messageId":"a","data":1}]}`})
	var published struct {
		Results []struct {
			Position  struct{ Offset int }
			Duplicate bool
		}
	}
	if err := json.Unmarshal([]byte(got.body), &published); err != nil || got.status != http.StatusOK {
		t.Fatalf("status %d: %s", got.status, got.body)
	}
	var shape []string
	for _, result := range published.Results {
		shape = append(shape, fmt.Sprint(result.Position.Offset, result.Duplicate))
	}
	if want := []string{"1 false", "2 false", "3 false", "1 true"}; !reflect.DeepEqual(shape, want) {
		t.Errorf("the results are %v, want %v", shape, want)
	}
	kept := r.engine.appended()
	if len(kept) != 1 || len(kept[0].records) != 4 {
		t.Fatalf("the engine was given %+v, want one batch", kept)
	}
	if p := kept[0].records[2].Payload; p.Kind != wire.PayloadBytes || string(p.Bytes) != "\x00\xff" {
		t.Errorf("the bytes arrived as %+v", p)
	}
}

// protocols are the ways in which the generated client can speak.
func protocols() map[string][]connect.ClientOption {
	return map[string][]connect.ClientOption{
		"Connect":  nil,
		"gRPC":     {connect.WithGRPC()},
		"gRPC-Web": {connect.WithGRPCWeb()},
		"gzip":     {connect.WithGRPC(), connect.WithSendGzip()},
	}
}

func (r *rig) client(key string, opts ...connect.ClientOption) magpiev1connect.GatewayServiceClient {
	return magpiev1connect.NewGatewayServiceClient(r.httpClient(key), r.server.URL, opts...)
}

// httpClient speaks HTTP/2 without TLS, as gRPC clients do, with a credential.
func (r *rig) httpClient(key string) *http.Client {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols}
	r.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: bearer{transport, key}}
}

// bearer puts a credential into each request (http.RoundTripper).
type bearer struct {
	next http.RoundTripper
	key  string
}

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	if b.key != "" {
		r.Header.Set("Authorization", "Bearer "+b.key)
	}
	return b.next.RoundTrip(r)
}

func TestPublishWithTheGeneratedClient(t *testing.T) {
	for name, opts := range protocols() {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, rigOptions{})
			client := r.client(pricingKey, opts...)
			single := &magpiev1.PublishRequest{
				Channel: "order.update", MessageId: "m1", Tags: map[string]string{"region": "eu"},
				Payload: &magpiev1.PublishRequest_Data{Data: []byte(`{"a": 1}`)},
			}
			for _, duplicate := range []bool{false, true} {
				got, err := client.Publish(t.Context(), connect.NewRequest(single))
				if err != nil {
					t.Fatal(err)
				}
				if p := got.Msg.GetPosition(); p.GetOffset() != 1 || p.GetEpoch() == "" || got.Msg.GetDuplicate() != duplicate {
					t.Errorf("published at %v, duplicate %t, want %t", p, got.Msg.GetDuplicate(), duplicate)
				}
			}
			batch, err := client.Publish(t.Context(), connect.NewRequest(&magpiev1.PublishRequest{Channel: "order.update", Messages: []*magpiev1.Publication{
				{Payload: &magpiev1.Publication_Text{Text: "two"}},
				{Payload: &magpiev1.Publication_Bytes{Bytes: []byte{0, 0xff}}},
			}}))
			if err != nil {
				t.Fatal(err)
			}
			if results := batch.Msg.GetResults(); len(results) != 2 || results[1].GetPosition().GetOffset() != 3 {
				t.Errorf("the results are %v", results)
			}
			kept := r.engine.appended()
			if len(kept) != 3 || string(kept[0].records[0].Payload.Bytes) != `{"a": 1}` || kept[2].records[0].Payload.Kind != wire.PayloadText ||
				string(kept[2].records[1].Payload.Bytes) != "\x00\xff" || kept[2].records[1].Publisher != "pricing" {
				t.Errorf("the engine was given %+v", kept)
			}
		})
	}
}

func TestErrorsOverEveryProtocol(t *testing.T) {
	for name, opts := range protocols() {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, rigOptions{maxMessage: 100, maxRequest: 1000})
			for _, test := range []struct {
				key, channel string
				bytes        int
				want         connect.Code
			}{
				{pricingKey, "order..update", 1, connect.CodeInvalidArgument},
				{pricingKey, "price.update", 1, connect.CodePermissionDenied},
				{pricingKey, "sys.probe", 1, connect.CodePermissionDenied},
				{pricingKey, "order.update", 101, connect.CodeInvalidArgument},
				{pricingKey, "order.update", 2000, connect.CodeResourceExhausted},
				{pricingKey + "x", "order.update", 1, connect.CodeUnauthenticated},
				{"", "order.update", 1, connect.CodeUnauthenticated},
			} {
				_, err := r.client(test.key, opts...).Publish(t.Context(), connect.NewRequest(&magpiev1.PublishRequest{
					Channel: test.channel, Payload: &magpiev1.PublishRequest_Text{Text: strings.Repeat("x", test.bytes)},
				}))
				refused, ok := errors.AsType[*connect.Error](err)
				if !ok || refused.Code() != test.want || refused.Message() == "" {
					t.Errorf("%d bytes to %s: %v, want %v and a sentence", test.bytes, test.channel, err, test.want)
				}
				if test.key != "" && strings.Contains(fmt.Sprint(err), test.key) {
					t.Errorf("the error shows the credential: %v", err)
				}
			}
			if kept := r.engine.appended(); len(kept) != 0 {
				t.Errorf("%d messages were appended", len(kept))
			}
		})
	}
}

// What a codec reads belongs to Connect, which uses it for the next request: a payload must not point into it.
func TestCodecsKeepNothingOfTheirInput(t *testing.T) {
	published := &wire.Publish{Channel: "a", Publication: wire.Publication{Payload: wire.Payload{Kind: wire.PayloadJSON, Bytes: []byte(`"hello"`)}}}
	for _, codec := range []connect.Codec{jsonCodec{}, protobufCodec{}} {
		input, err := codec.Marshal(published)
		if err != nil {
			t.Fatal(err)
		}
		var got wire.Publish
		if err := codec.Unmarshal(input, &got); err != nil {
			t.Fatal(err)
		}
		clear(input)
		if string(got.Payload.Bytes) != `"hello"` {
			t.Errorf("%s: the payload changed with the input: %q", codec.Name(), got.Payload.Bytes)
		}
	}
}
