package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

func TestRefusals(t *testing.T) {
	good := `{"channel":"order.update","data":1}`
	many := `{"channel":"order.update","messages":[` + strings.Repeat(`{"data":1},`, wire.MaxBatch) + `{"data":1}]}`
	for name, test := range map[string]struct {
		request
		status int
		code   string // "": the answer is not one of Connect
	}{
		"no credential":            {request{body: good, noKey: true}, 401, "unauthenticated"},
		"no credential, no JSON":   {request{body: "x=1", noKey: true, contentType: "text/plain"}, 401, "unauthenticated"},
		"no credential, other":     {request{body: good, noKey: true, path: "/magpie.v1.GatewayService/Drop"}, 401, "unauthenticated"},
		"unknown key":              {request{body: good, header: map[string]string{"Authorization": "Bearer mgp_other"}}, 401, "unauthenticated"},
		"two credentials":          {request{body: good, path: publishURL + "?token=mgp_other"}, 401, "unauthenticated"},
		"foreign origin":           {request{body: good, header: map[string]string{"Origin": "https://evil.example"}}, 403, "permission_denied"},
		"foreign origin of a form": {request{body: "x=1", contentType: "text/plain", header: map[string]string{"Origin": "https://evil.example"}}, 403, "permission_denied"},
		"no right":                 {request{body: `{"channel":"price.update","data":1}`}, 403, "permission_denied"},
		"channel of the gateway":   {request{body: `{"channel":"sys.probe","data":1}`}, 403, "permission_denied"},
		"no channel":               {request{body: `{"data":1}`}, 400, "invalid_argument"},
		"channel with a hole":      {request{body: `{"channel":"order..update","data":1}`}, 400, "invalid_argument"},
		"channel with a wildcard":  {request{body: `{"channel":"order.*","data":1}`}, 400, "invalid_argument"},
		"channel too long":         {request{body: fmt.Sprintf(`{"channel":"order.%s","data":1}`, strings.Repeat("x", 250))}, 400, "invalid_argument"},
		"messageId too long":       {request{body: fmt.Sprintf(`{"channel":"order.update","messageId":"%s","data":1}`, strings.Repeat("x", 129))}, 400, "invalid_argument"},
		"payload too large":        {request{body: fmt.Sprintf(`{"channel":"order.update","text":"%s"}`, strings.Repeat("x", 1001))}, 400, "invalid_argument"},
		"request too large":        {request{body: fmt.Sprintf(`{"channel":"order.update","text":"%s"}`, strings.Repeat("x", 20_000))}, 429, "resource_exhausted"},
		"too many messages":        {request{body: many}, 400, "invalid_argument"},
		"one of a batch too large": {request{body: fmt.Sprintf(`{"channel":"order.update","messages":[{"data":1},{"text":"%s"}]}`, strings.Repeat("x", 1001))}, 400, "invalid_argument"},
		"empty batch":              {request{body: `{"channel":"order.update","messages":[]}`}, 400, "invalid_argument"},
		"two payloads":             {request{body: `{"channel":"order.update","data":1,"text":"x"}`}, 400, "invalid_argument"},
		"batch and single":         {request{body: `{"channel":"order.update","data":1,"messages":[{"data":1}]}`}, 400, "invalid_argument"},
		"a field twice":            {request{body: `{"channel":"order.update","channel":"order.other","data":1}`}, 400, "invalid_argument"},
		"cut JSON":                 {request{body: `{"channel":"order.update","data":`}, 400, "invalid_argument"},
		"no JSON":                  {request{body: `channel=order.update`}, 400, "invalid_argument"},
		"too deep":                 {request{body: `{"channel":"order.update","data":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`}, 400, "invalid_argument"},
		"bad UTF-8":                {request{body: "{\"channel\":\"order.update\",\"text\":\"\xff\"}"}, 400, "invalid_argument"},
		"empty body":               {request{}, 400, "invalid_argument"},
		"bad Protobuf":             {request{body: "\xff\xff", contentType: "application/proto"}, 400, "invalid_argument"},
		"form":                     {request{body: "x=1", contentType: "application/x-www-form-urlencoded"}, 415, ""},
		"GET":                      {request{method: http.MethodGet}, 405, ""},
		"unknown method":           {request{body: good, path: "/magpie.v1.GatewayService/Drop"}, 404, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, rigOptions{maxMessage: 1000, maxRequest: 16_000})
			got := r.send(test.request)
			if got.status != test.status {
				t.Errorf("status %d, want %d; the answer is %s", got.status, test.status, got.body)
			}
			if test.code != "" {
				var refused struct{ Code, Message string }
				if err := json.Unmarshal([]byte(got.body), &refused); err != nil || refused.Code != test.code || refused.Message == "" {
					t.Errorf("the answer is %s, want the code %s and a sentence", got.body, test.code)
				}
			}
			if (test.status == 415 || test.status == 405) && !strings.Contains(got.body, "application/json") {
				t.Errorf("the answer %q does not say what is expected", got.body)
			}
			if (got.header.Get("WWW-Authenticate") != "") != (test.status == http.StatusUnauthorized) {
				t.Errorf("status %d has WWW-Authenticate %q", got.status, got.header.Get("WWW-Authenticate"))
			}
			if strings.Contains(got.body+fmt.Sprint(got.header), pricingKey) {
				t.Errorf("the answer shows the credential: %s", got.body)
			}
			if kept := r.engine.appended(); len(kept) != 0 {
				t.Errorf("%+v was appended", kept)
			}
		})
	}
}

func TestOriginsThatMayPublish(t *testing.T) {
	r := newRig(t, rigOptions{origins: []string{"https://app.example.com"}})
	for origin, status := range map[string]int{
		r.server.URL:                   200,
		"https://app.example.com":      200,
		"https://app.example.com.evil": 403,
		"http://app.example.com":       403,
		"null":                         403,
	} {
		got := r.send(request{body: `{"channel":"order.update","data":1}`, header: map[string]string{"Origin": origin}})
		if got.status != status {
			t.Errorf("origin %s: status %d, want %d: %s", origin, got.status, status, got.body)
		}
	}
}

// A name of somebody else's that leads to this machine must not reach a gateway that asks for no token.
func TestDevelopmentAnswersItsOwnNamesOnly(t *testing.T) {
	r := newRig(t, rigOptions{development: true})
	for host, status := range map[string]int{"": 200, "localhost": 200, "[::1]:8080": 200, "rebound.example": 403} {
		got := r.send(request{body: `{"channel":"order.update","data":1}`, noKey: true, host: host})
		if got.status != status {
			t.Errorf("host %q: status %d, want %d: %s", host, got.status, status, got.body)
		}
	}
	got := r.send(request{body: `{"channel":"order.update","data":1}`, noKey: true, header: map[string]string{"Sec-Fetch-Site": "cross-site"}})
	if got.status != http.StatusForbidden {
		t.Errorf("from another site: status %d", got.status)
	}
}

func TestConnectErrorTellsWhenToComeBack(t *testing.T) {
	for after, want := range map[time.Duration]string{0: "", time.Millisecond: "1", 1500 * time.Millisecond: "2", 3 * time.Second: "3"} {
		err := connectError(&wire.Error{Code: wire.CodeUnavailable, Message: "later", RetryAfter: after})
		if got := err.Meta().Get("Retry-After"); got != want || err.Code().String() != "unavailable" || err.Message() != "later" {
			t.Errorf("after %s: Retry-After %q, want %q; %v", after, got, want, err)
		}
	}
	// An error of the inside tells nothing about it.
	if err := connectError(fmt.Errorf("open /var/lib/secret: denied")); err.Code().String() != "internal" || strings.Contains(err.Message(), "secret") {
		t.Errorf("an error of the inside became %v", err)
	}
}
