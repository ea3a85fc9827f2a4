package api

import (
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect"

	magpiev1 "github.com/magpie-bridge/magpie/protocol/gen/magpie/v1"
	"github.com/magpie-bridge/magpie/protocol/gen/magpie/v1/magpiev1connect"
)

const subscriptionsPath = "/magpie.v1.GatewayService/Subscriptions"

func TestSubscriptionsTakeARight(t *testing.T) {
	r := newRig(t, rigOptions{})
	got := r.send(request{path: subscriptionsPath, body: `{}`})
	if got.status != http.StatusForbidden || !strings.Contains(got.body, `has no right to call method \"sys.subscriptions\"`) {
		t.Errorf("status %d, %s", got.status, got.body)
	}
	if got := r.send(request{path: subscriptionsPath, body: `{}`, noKey: true}); got.status != http.StatusUnauthorized {
		t.Errorf("without a key: status %d", got.status)
	}
}

func TestSubscriptionsInEachEncoding(t *testing.T) {
	r := newRig(t, rigOptions{development: true})
	got := r.send(request{path: subscriptionsPath, body: `{"channel":"order.update","limit":5,"unknown":1}`, noKey: true})
	if got.status != http.StatusOK || got.body != `{"subscriptions":[],"total":0}` {
		t.Errorf("status %d, %s", got.status, got.body)
	}
	client := magpiev1connect.NewGatewayServiceClient(r.server.Client(), r.server.URL)
	answer, err := client.Subscriptions(t.Context(), connect.NewRequest(&magpiev1.SubscriptionsRequest{}))
	if err != nil || answer.Msg.GetTotal() != 0 {
		t.Errorf("got %v, %v", answer, err)
	}
	for body, want := range map[string]string{
		`{"limit":1001}`:     "limit is 1001: expected at most 1000",
		`{"limit":-1}`:       "limit is -1",
		`{"channel":"a..b"}`: "empty word",
		`{"limit":"many"}`:   `limit is a string: expected a whole number`,
	} {
		if got := r.send(request{path: subscriptionsPath, body: body, noKey: true}); got.status != http.StatusBadRequest || !strings.Contains(got.body, want) {
			t.Errorf("%s: status %d, %s", body, got.status, got.body)
		}
	}
}
