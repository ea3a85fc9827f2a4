package auth_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/wire"
)

func TestFromRequest(t *testing.T) {
	const protocols = "Sec-WebSocket-Protocol"
	tests := map[string]struct {
		target  string
		headers [][2]string
		want    auth.Credential
		err     string
	}{
		"nothing":                   {target: "/ws"},
		"header":                    {target: "/ws", headers: [][2]string{{"Authorization", "Bearer t1"}}, want: auth.Credential{Token: "t1", Source: auth.SourceHeader}},
		"header in another case":    {target: "/ws", headers: [][2]string{{"authorization", "bEARER  t1 "}}, want: auth.Credential{Token: "t1", Source: auth.SourceHeader}},
		"header of a proxy":         {target: "/ws", headers: [][2]string{{"Authorization", "Basic dTpw"}}},
		"subprotocol":               {target: "/ws", headers: [][2]string{{protocols, "magpie.v1.json, bearer.a.b-_c"}}, want: auth.Credential{Token: "a.b-_c", Source: auth.SourceSubprotocol}},
		"subprotocols on two lines": {target: "/ws", headers: [][2]string{{protocols, "bearer.t1"}, {protocols, "magpie.v1.protobuf"}}, want: auth.Credential{Token: "t1", Source: auth.SourceSubprotocol}},
		"cookie":                    {target: "/ws", headers: [][2]string{{"Cookie", "a=b; magpie_token=t1"}}, want: auth.Credential{Token: "t1", Source: auth.SourceCookie}},
		"cookie after signing out":  {target: "/ws", headers: [][2]string{{"Cookie", "magpie_token="}}},
		"query":                     {target: "/ws?x=1&token=t%2b1", want: auth.Credential{Token: "t+1", Source: auth.SourceQuery}},
		"the same twice":            {target: "/ws?token=t1", headers: [][2]string{{"Authorization", "Bearer t1"}}, want: auth.Credential{Token: "t1", Source: auth.SourceHeader}},

		"header and query differ":    {target: "/ws?token=canary2", headers: [][2]string{{"Authorization", "Bearer canary1"}}, err: "two different tokens were given, in the Authorization header and in the query parameter token: send one"},
		"cookie and protocol differ": {target: "/ws", headers: [][2]string{{"Cookie", "magpie_token=canary1"}, {protocols, "magpie.v1.json, bearer.canary2"}}, err: "two different tokens were given, in the subprotocol bearer.<token> and in the cookie magpie_token: send one"},
		"two headers":                {target: "/ws", headers: [][2]string{{"Authorization", "Bearer canary1"}, {"Authorization", "Bearer canary2"}}, err: "two different tokens were given, in the Authorization header and in the Authorization header: send one"},
		"two queries":                {target: "/ws?token=canary1&token=canary2", err: "two different tokens were given, in the query parameter token and in the query parameter token: send one"},
		"two protocols":              {target: "/ws", headers: [][2]string{{protocols, "magpie.v1.json, bearer.canary1, bearer.canary2"}}, err: "two different tokens were given as subprotocols: send one"},
		"protocol alone":             {target: "/ws", headers: [][2]string{{protocols, "bearer.canary"}}, err: "the subprotocol bearer.<token> was offered alone: offer magpie.v1.json beside it, which is the one answered"},
		"empty header":               {target: "/ws", headers: [][2]string{{"Authorization", "Bearer"}}, err: "the Authorization header has an empty token: leave it out or give a token"},
		"empty query":                {target: "/ws?token=", err: "the query parameter token has an empty token: leave it out or give a token"},
		"empty protocol":             {target: "/ws", headers: [][2]string{{protocols, "magpie.v1.json, bearer."}}, err: "the subprotocol bearer.<token> has an empty token: leave it out or give a token"},
		"unreadable query":           {target: "/ws?token=canary%zz", err: "the query of the URL cannot be read: escape it as application/x-www-form-urlencoded"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, test.target, http.NoBody)
			for _, header := range test.headers {
				r.Header.Add(header[0], header[1])
			}
			got, found, err := auth.FromRequest(r)
			if test.err != "" {
				if found || got.Token != "" {
					t.Errorf("a credential besides the error: %v", got)
				}
				wantRefusal(t, err, wire.CodeUnauthenticated, test.err)
				return
			}
			if err != nil || found != (test.want.Token != "") || got.Token != test.want.Token || got.Source != test.want.Source {
				t.Errorf("got %q from %q, %v, %v", got.Token, got.Source, found, err)
			}
		})
	}
}

func TestCredentialHidesItsToken(t *testing.T) {
	c := auth.Credential{Token: "canary", Source: auth.SourceQuery}
	var out bytes.Buffer
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		fmt.Fprintf(&out, format+"\n", c)
		fmt.Fprintf(&out, format+"\n", []any{c, &c})
	}
	encoded, err := json.Marshal(map[string]any{"c": c})
	if err != nil {
		t.Fatal(err)
	}
	out.Write(encoded)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "c", c, "list", []auth.Credential{c})
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "c", c, "list", []auth.Credential{c})
	for _, canary := range []string{"canary", fmt.Sprintf("%x", "canary")} {
		if strings.Contains(out.String(), canary) {
			t.Errorf("the token is shown:\n%s", out.String())
		}
	}
	if !strings.Contains(out.String(), "token from the query parameter token") {
		t.Errorf("the source is not shown:\n%s", out.String())
	}
}

func TestRedactURL(t *testing.T) {
	for raw, want := range map[string]string{
		"/ws":                                "/ws",
		"/ws?token=canary":                   "/ws?token=REDACTED",
		"/ws?a=1&token=canary&b=2":           "/ws?a=1&token=REDACTED&b=2",
		"/ws?a=1;TOKEN=canary":               "/ws?a=1;TOKEN=REDACTED",
		"/ws?%74oken=canary":                 "/ws?%74oken=REDACTED",
		"/ws?access_token=canary#x":          "/ws?access_token=REDACTED#x",
		"/ws#token=canary":                   "/ws#token=REDACTED",
		"/ws?x=1?token=canary":               "/ws?x=1?token=REDACTED",
		"/ws?%zz=canary":                     "/ws?%zz=REDACTED",
		"/ws?token":                          "/ws?token",
		"/ws?":                               "/ws?",
		"":                                   "",
		"wss://u:canary@h:1/ws?token=canary": "wss://REDACTED@h:1/ws?token=REDACTED",
		"wss://u:canary@h":                   "wss://REDACTED@h",
		"https://h/a@b//c":                   "https://h/a@b//c",
	} {
		if got := auth.RedactURL(raw); got != want {
			t.Errorf("%q: got %q, want %q", raw, got, want)
		}
	}
}
