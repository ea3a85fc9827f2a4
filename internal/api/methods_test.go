package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/wire"
	magpiev1 "github.com/magpie-bridge/magpie/protocol/gen/magpie/v1"
)

const servicePath = "/magpie.v1.GatewayService/"

// do sends the JSON of a request to a method, as curl does.
func (r *rig) do(method, body string) answer {
	r.t.Helper()
	return r.send(request{path: servicePath + method, body: body})
}

func TestBroadcastAsCurlDoes(t *testing.T) {
	r := newRig(t, rigOptions{})
	const body = `{"channels":["order.b","order.a"],"messageId":"m1","key":"k","tags":{"region":"eu"},"data":{"a": 1.50}}`
	for _, duplicate := range []bool{false, true} {
		got := r.do("Broadcast", body)
		var told struct {
			Results []struct {
				Position  struct{ Offset int }
				Duplicate bool
			}
		}
		if err := json.Unmarshal([]byte(got.body), &told); err != nil || got.status != http.StatusOK || len(told.Results) != 2 {
			t.Fatalf("status %d, %s", got.status, got.body)
		}
		for _, result := range told.Results {
			if result.Position.Offset != 1 || result.Duplicate != duplicate {
				t.Errorf("got %s, want offset 1, duplicate %t", got.body, duplicate)
			}
		}
	}
	kept := r.engine.appended()
	if len(kept) != 4 || kept[0].channel != "order.b" || kept[1].channel != "order.a" {
		t.Fatalf("the engine was given %+v", kept)
	}
	if p := kept[1].records[0].Publication; p.MessageID != "m1" || p.Key != "k" || string(p.Payload.Bytes) != `{"a": 1.50}` || len(p.Tags) != 1 {
		t.Errorf("the message is %+v", p)
	}
}

// Where one of the channels is not to be published to, nothing is appended anywhere.
func TestBroadcastIsForAllOrNone(t *testing.T) {
	r := newRig(t, rigOptions{maxMessage: 10})
	names := make([]string, 1001)
	for i := range names {
		names[i] = fmt.Sprintf(`"order.c%d"`, i)
	}
	for body, want := range map[string]string{
		`{"channels":["order.a","price.a"],"data":1}`:                     `has no right to publish channel \"price.a\"`,
		`{"channels":["order.a","sys.probe"],"data":1}`:                   "is the gateway's own",
		`{"channels":["order.a","order..b"],"data":1}`:                    "has an empty word",
		`{"channels":["order.a","order.b","order.a"],"data":1}`:           `\"order.a\" stands twice`,
		`{"channels":[],"data":1}`:                                        "channels is missing",
		`{"channels":[` + strings.Join(names, ",") + `],"data":1}`:        "channels has 1001 names",
		`{"channels":["order.a"],"text":"more than ten"}`:                 "takes at most 10",
		`{"channels":["order.a"],"messageId":"` + many(70, "xx") + `"}`:   "messageId has",
		`{"channels":["order.a"],"tags":{"` + many(40, "xx") + `":"eu"}}`: "tags",
	} {
		if got := r.do("Broadcast", body); got.status != http.StatusBadRequest && got.status != http.StatusForbidden || !strings.Contains(got.body, want) {
			t.Errorf("%.60s: status %d, %s, want %s", body, got.status, got.body, want)
		}
	}
	if kept := r.engine.appended(); len(kept) != 0 {
		t.Errorf("%d messages were appended", len(kept))
	}
}

func TestBroadcastTellsOfEachChannel(t *testing.T) {
	r := newRig(t, rigOptions{})
	r.engine.refuse = "order.b"
	got, err := r.client(pricingKey).Broadcast(t.Context(), connect.NewRequest(&magpiev1.BroadcastRequest{
		Channels: []string{"order.a", "order.b", "order.c"}, Payload: &magpiev1.BroadcastRequest_Text{Text: "x"},
	}))
	if err != nil {
		t.Fatal(err)
	}
	results := got.Msg.GetResults()
	if len(results) != 3 || results[0].GetPosition().GetOffset() != 1 || results[2].GetPosition().GetOffset() != 1 ||
		results[1].GetError().GetCode() != "resource_exhausted" || !results[1].GetError().GetRetryable() {
		t.Errorf("got %v", results)
	}
}

func TestSend(t *testing.T) {
	r := newRig(t, rigOptions{})
	got := r.do("Send", `{"userId":"ann","messageId":"m1","text":"hello"}`)
	if got.status != http.StatusOK || !strings.Contains(got.body, `"offset":1},"duplicate":false}`) {
		t.Errorf("status %d, %s", got.status, got.body)
	}
	kept := r.engine.appended()
	if len(kept) != 1 || kept[0].channel != "user.ann" || string(kept[0].records[0].Payload.Bytes) != "hello" {
		t.Errorf("the engine was given %+v", kept)
	}
	for body, want := range map[string]string{
		`{"text":"hello"}`:                  "userId is missing",
		`{"userId":"a b","text":"hello"}`:   "expected letters",
		`{"userId":"a.b.c","text":"hello"}`: `has no right to publish channel \"user.a.b.c\"`,
		`{"userId":"a","text":5}`:           "text is a number: expected a string",
	} {
		if got := r.do("Send", body); got.status == http.StatusOK || !strings.Contains(got.body, want) {
			t.Errorf("%s: status %d, %s, want %s", body, got.status, got.body, want)
		}
	}
}

// operators are the methods that take a right of their own, and a request to each.
var operators = map[string]struct{ right, body string }{
	"Subscriptions": {"sys.subscriptions", `{}`},
	"Channels":      {"sys.channels", `{}`},
	"Sessions":      {"sys.sessions", `{}`},
	"Disconnect":    {"sys.disconnect", `{"userId":"ann"}`},
	"Subscribe":     {"sys.subscribe", `{"userId":"ann","channel":"a"}`},
	"Unsubscribe":   {"sys.subscribe", `{"userId":"ann","channel":"a"}`},
	"Node":          {"sys.node", `{}`},
}

func TestOperatorsNeedARight(t *testing.T) {
	r := newRig(t, rigOptions{shards: 2})
	for method, o := range operators {
		got := r.do(method, o.body)
		if got.status != http.StatusForbidden || !strings.Contains(got.body, `has no right to call method \"`+o.right+`\"`) {
			t.Errorf("%s: status %d, %s", method, got.status, got.body)
		}
		got = r.send(request{path: servicePath + method, body: o.body, noKey: true})
		if got.status != http.StatusUnauthorized {
			t.Errorf("%s without a key: status %d", method, got.status)
		}
	}
	granted := newRig(t, rigOptions{shards: 2, calls: []string{"sys.*"}})
	for method, o := range operators {
		if got := granted.do(method, o.body); got.status != http.StatusOK {
			t.Errorf("%s with the right: status %d, %s", method, got.status, got.body)
		}
	}
	// A wildcard in the first place is not meant for the gateway's own names.
	wide := newRig(t, rigOptions{shards: 2, calls: []string{">"}})
	for method, o := range operators {
		if got := wide.do(method, o.body); got.status != http.StatusForbidden {
			t.Errorf("%s with the right to call >: status %d, %s", method, got.status, got.body)
		}
	}
}

func TestBadInputToOperators(t *testing.T) {
	r := newRig(t, rigOptions{shards: 1, calls: []string{"sys.>"}})
	long := strings.Repeat("x", 121)
	for _, test := range []struct{ method, body, want string }{
		{"Channels", `{"limit":1001}`, "limit is 1001: expected at most 1000"},
		{"Channels", `{"limit":-1}`, "limit is -1"},
		{"Channels", `{"pattern":"a.>.b"}`, "nothing can follow it"},
		{"Channels", `{"pattern":"a..b"}`, "word 2 is"},
		{"Sessions", `{"limit":1001}`, "limit is 1001: expected at most 1000"},
		{"Sessions", `{"channel":"a..b"}`, "empty word"},
		{"Sessions", `{"after":"yesterday"}`, "expected its next"},
		{"Disconnect", `{}`, "expected exactly one of sessionId, userId and tokenId"},
		{"Disconnect", `{"userId":"a","tokenId":"b"}`, "expected exactly one of sessionId, userId and tokenId"},
		{"Disconnect", `{"userId":"a","reason":"` + long + `"}`, "reason has 121 bytes: at most 120 are allowed"},
		{"Disconnect", `{"userId":"a","mayReturn":1}`, "mayReturn is a number: expected true or false"},
		{"Subscribe", `{"channel":"a"}`, "expected exactly one of sessionId and userId"},
		{"Subscribe", `{"userId":"a"}`, "channel is missing"},
		{"Subscribe", `{"userId":"a","channel":"a b"}`, "expected letters"},
		{"Subscribe", `{"userId":"a","channel":"b","from":{"last":1,"offset":2}}`, "from"},
		{"Subscribe", `{"userId":"a","channel":"b","from":{"offset":"2"}}`, "from.offset is a string"},
		{"Unsubscribe", `{"userId":"a","sessionId":"b","channel":"c"}`, "expected exactly one of sessionId and userId"},
		{"Unsubscribe", `{"userId":"a"}`, "channel is missing"},
		{"Unsubscribe", `{"userId":"a","channel":"b","reason":"` + long + `"}`, "reason has 121 bytes"},
		{"Node", `[]`, "the request is an array: expected an object"},
	} {
		got := r.do(test.method, test.body)
		if got.status != http.StatusBadRequest || !strings.Contains(got.body, test.want) || !strings.Contains(got.body, `"code":"invalid_argument"`) {
			t.Errorf("%s %s: status %d, %s, want %s", test.method, test.body, got.status, got.body, test.want)
		}
	}
	if got := r.do("Nothing", `{}`); got.status != http.StatusNotFound {
		t.Errorf("a method that there is not: status %d", got.status)
	}
}

func TestChannelsByPage(t *testing.T) {
	for name, opts := range protocols() {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, rigOptions{shards: 2, calls: []string{"sys.channels"}})
			want := []string{"order.a", "order.b", "order.c", "order.d", "order.e"}
			for i, name := range want {
				for range i + 1 {
					r.do("Publish", `{"channel":"`+name+`","text":"x"}`)
				}
			}
			r.do("Publish", `{"channel":"user.ann","text":"x"}`)
			client := r.client(pricingKey, opts...)
			q := &magpiev1.ChannelsRequest{Pattern: "order.*", Limit: 2}
			var names []string
			for {
				page, err := client.Channels(t.Context(), connect.NewRequest(q))
				if err != nil {
					t.Fatal(err)
				}
				if page.Msg.GetTotal() != 5 || len(page.Msg.GetChannels()) > 2 {
					t.Errorf("got %v", page.Msg)
				}
				for _, c := range page.Msg.GetChannels() {
					names = append(names, c.GetChannel())
					if n := uint64(len(names)); c.GetTail() != n || c.GetMessages() != n || c.GetHead() != 1 || c.GetEpoch() == "" || c.GetBytes() == 0 {
						t.Errorf("channel %d is %v", n, c)
					}
				}
				if q.After = page.Msg.GetNext(); q.GetAfter() == "" {
					break
				}
			}
			if !slices.Equal(names, want) {
				t.Errorf("got %v, want %v", names, want)
			}
		})
	}
}

func TestNodeTellsHowItStands(t *testing.T) {
	before := time.Now().UnixMilli()
	r := newRig(t, rigOptions{shards: 2, calls: []string{"sys.node"}})
	r.do("Publish", `{"channel":"order.a","text":"x"}`)
	if err := r.hub.Enter(); err != nil {
		t.Fatal(err)
	}
	r.shards[1].Metrics.Subscriptions.Add(3)
	got, err := r.client(pricingKey, connect.WithGRPC()).Node(t.Context(), connect.NewRequest(&magpiev1.NodeRequest{}))
	if err != nil {
		t.Fatal(err)
	}
	n := got.Msg
	if n.GetNodeId() != "n1" || n.GetVersion() != "test" || n.GetSessions() != 1 || n.GetSubscriptions() != 3 || n.GetChannels() != 1 ||
		n.GetMemoryBytes() == 0 || n.GetMemoryLimit() != 64<<20 || n.GetDraining() || len(n.GetMethods()) != 0 {
		t.Errorf("got %v", n)
	}
	if n.GetStartedAt() < before || n.GetServerTime() < n.GetStartedAt() || n.GetServerTime() > time.Now().UnixMilli() {
		t.Errorf("started at %d, and it is %d", n.GetStartedAt(), n.GetServerTime())
	}
	if _, err := r.hub.Serve(&auth.Principal{Rights: serving(t)}, &wire.Serve{Method: "pricing.quote"}, nil); err != nil {
		t.Fatal(err)
	}
	r.hub.Drain()
	if got := r.do("Node", `{}`); !strings.Contains(got.body, `"draining":true,"methods":[{"method":"pricing.quote","servers":1,"inFlight":0,"queued":0}]`) {
		t.Errorf("got %s", got.body)
	}
}

func serving(t *testing.T) auth.Rights {
	t.Helper()
	rights, err := auth.NewRights(auth.Grants{Serve: []string{"pricing.>"}})
	if err != nil {
		t.Fatal(err)
	}
	return rights
}

// A channel whose engine cannot list is told of as such.
func TestChannelsOfAnEngineThatCannotList(t *testing.T) {
	r := newRig(t, rigOptions{calls: []string{"sys.channels"}, wrap: func(e *recorder) engineOnly { return engineOnly{e} }})
	got := r.do("Channels", `{}`)
	if got.status != http.StatusNotImplemented || !strings.Contains(got.body, "cannot list") {
		t.Errorf("status %d, %s", got.status, got.body)
	}
	r.hub.Close()
	if got := r.do("Channels", `{}`); got.status != http.StatusServiceUnavailable {
		t.Errorf("after the end: status %d, %s", got.status, got.body)
	}
}

// TestARequestEndsWithItsTime has an engine that never answers.
func TestARequestEndsWithItsTime(t *testing.T) {
	r := newRig(t, rigOptions{})
	r.engine.fate = func() bool { return false }
	for method, body := range map[string]string{
		"Publish":   `{"channel":"order.a","data":1}`,
		"Broadcast": `{"channels":["order.a","order.b"],"data":1}`,
		"Send":      `{"userId":"ann","data":1}`,
	} {
		got := r.send(request{path: servicePath + method, body: body, header: map[string]string{"Connect-Timeout-Ms": "20"}})
		if got.status != http.StatusGatewayTimeout || !strings.Contains(got.body, "messageId") {
			t.Errorf("%s: status %d, %s", method, got.status, got.body)
		}
	}
}

func TestOperatorsErrorsOverEveryProtocol(t *testing.T) {
	for name, opts := range protocols() {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, rigOptions{shards: 1})
			_, err := r.client(pricingKey, opts...).Sessions(t.Context(), connect.NewRequest(&magpiev1.SessionsRequest{}))
			refused, ok := errors.AsType[*connect.Error](err)
			if !ok || refused.Code() != connect.CodePermissionDenied || !strings.Contains(refused.Message(), "sys.sessions") {
				t.Errorf("got %v", err)
			}
		})
	}
}
