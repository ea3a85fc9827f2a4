package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/magpie-bridge/magpie/internal/hub"
	"github.com/magpie-bridge/magpie/internal/wire"
	magpiev1 "github.com/magpie-bridge/magpie/protocol/gen/magpie/v1"
	"github.com/magpie-bridge/magpie/protocol/gen/magpie/v1/magpiev1connect"
)

// pricing answers calls as a service would.
func (r *rig) pricing() {
	r.t.Helper()
	err := r.hub.Handle("pricing.quote", func(ctx context.Context, in *hub.Incoming) (wire.Payload, error) {
		switch string(in.Payload.Bytes) {
		case `"closed"`:
			e := wire.Errorf(wire.CodeFailedPrecondition, "closed on Sundays")
			e.Details, e.RetryAfter, e.Retryable = []byte(`{"day":7}`), 1500*time.Millisecond, true
			return wire.Payload{}, e
		case `"slow"`:
			<-ctx.Done()
			return wire.Payload{}, ctx.Err()
		}
		if err := in.Progress(ctx, wire.Payload{}); err != nil { // nobody takes it
			return wire.Payload{}, err
		}
		return in.Payload, nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

func TestCallAsCurlDoes(t *testing.T) {
	r := newRig(t, rigOptions{calls: []string{"pricing.*", "magpie.*", "ui.*"}})
	r.pricing()
	for _, test := range []struct {
		body   string
		status int
		want   string
	}{
		{`{"method":"pricing.quote","data":{"sku": 1.50}}`, http.StatusOK, `{"data":{"sku": 1.50}}`},
		{`{"method":"pricing.quote","base64":"AQI="}`, http.StatusOK, `{"base64":"AQI="}`},
		{`{"method":"magpie.echo","text":"a","caller":{"userId":"eve"}}`, http.StatusOK, `{"text":"a"}`},
		{`{"method":"pricing.quote","data":"closed"}`, http.StatusBadRequest, `"code":"failed_precondition","message":"closed on Sundays"`},
		{`{"method":"pricing.quote","data":"slow","timeoutMs":20}`, http.StatusGatewayTimeout, `"code":"deadline_exceeded"`},
		{`{"method":"pricing.other"}`, http.StatusNotFound, `"code":"not_found"`},
		{`{"method":"order.wipe"}`, http.StatusForbidden, `"code":"permission_denied"`},
		{`{"method":"ui.confirm","to":"user:ann"}`, http.StatusForbidden, `"code":"permission_denied"`},
		{`{"method":"ui.confirm","to":"user:pricing"}`, http.StatusNotFound, `"code":"not_found"`},
		{`{"method":"ui.confirm","to":"everybody"}`, http.StatusBadRequest, `"code":"invalid_argument"`},
		{`{"method":"ui confirm"}`, http.StatusBadRequest, `"code":"invalid_argument"`},
		{`{"method":7}`, http.StatusBadRequest, `"code":"invalid_argument"`},
		{`{}`, http.StatusBadRequest, `"code":"invalid_argument"`},
	} {
		if got := r.do("Call", test.body); got.status != test.status || !strings.Contains(got.body, test.want) {
			t.Errorf("%s: %d %s, want %d %s", test.body, got.status, got.body, test.status, test.want)
		}
	}
}

// What a callee gives with its error reaches a caller by gRPC as well.
func TestCallByGRPC(t *testing.T) {
	r := newRig(t, rigOptions{calls: []string{"pricing.*"}})
	r.pricing()
	client := magpiev1connect.NewGatewayServiceClient(r.server.Client(), r.server.URL, connect.WithGRPCWeb())
	call := func(data string) (*magpiev1.CallResponse, error) {
		request := connect.NewRequest(&magpiev1.CallRequest{Method: "pricing.quote", Payload: &magpiev1.CallRequest_Data{Data: []byte(data)}})
		request.Header().Set("Authorization", "Bearer "+pricingKey)
		answer, err := client.Call(t.Context(), request)
		if err != nil {
			return nil, err
		}
		return answer.Msg, nil
	}
	answer, err := call(`{"a":1}`)
	if err != nil || string(answer.GetData()) != `{"a":1}` {
		t.Errorf("%v, %v", answer, err)
	}
	_, err = call(`"closed"`)
	failure, ok := errors.AsType[*connect.Error](err)
	if !ok || failure.Code() != connect.CodeFailedPrecondition || len(failure.Details()) != 1 {
		t.Fatalf("%v", err)
	}
	value, err := failure.Details()[0].Value()
	if err != nil {
		t.Fatal(err)
	}
	detail, ok := value.(*magpiev1.Error)
	if !ok || string(detail.GetDetails()) != `{"day":7}` || detail.GetRetryAfterMs() != 1500 || !detail.GetRetryable() || !json.Valid(detail.GetDetails()) {
		t.Errorf("the detail is %v", value)
	}
}
