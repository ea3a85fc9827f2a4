package websocket

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/wire"
)

var testSecret = []byte("a secret of thirty-two bytes, or more")

// testTokens returns an authenticator for signed tokens, and a token that it takes.
func testTokens(t *testing.T) (a auth.Authenticator, good string) {
	t.Helper()
	everything, err := auth.NewRights(auth.AllGrants())
	if err != nil {
		t.Fatal(err)
	}
	j, err := auth.NewJWT(auth.JWTOptions{Secret: testSecret, DefaultRights: everything})
	if err != nil {
		t.Fatal(err)
	}
	good, err = auth.Mint(testSecret, auth.TokenClaims{UserID: "alice", ExpiresAt: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	return j, good
}

func TestHandshakeRefusals(t *testing.T) { onBothWaysIn(t, testHandshakeRefusals) }

func testHandshakeRefusals(t *testing.T, own bool) {
	authenticator, good := testTokens(t)
	r := newRig(t, rigOptions{own: own, authenticator: authenticator})
	host := r.address()
	for _, test := range []struct {
		name   string
		sent   string
		status int
		say    string
	}{
		{"POST", handshakeWith("POST /any HTTP/1.1", host), 405, "is a GET"},
		{"HTTP/1.0", handshakeWith("GET /any HTTP/1.0", host), 505, "HTTP/1.1"},
		{"no Upgrade", handshake(host, "-Upgrade"), 426, "WebSocket endpoint"},
		{"no Connection", handshake(host, "-Connection"), 426, "WebSocket endpoint"},
		{"another upgrade", handshake(host, "-Upgrade", "Upgrade: h2c"), 426, "WebSocket endpoint"},
		{"no version", handshake(host, "-Sec-WebSocket-Version"), 426, "Sec-WebSocket-Version: 13"},
		{"version 8", handshake(host, "-Sec-WebSocket-Version", "Sec-WebSocket-Version: 8"), 426, "Sec-WebSocket-Version: 13"},
		{"no key", handshake(host, "-Sec-WebSocket-Key"), 400, "Sec-WebSocket-Key"},
		{"short key", handshake(host, "-Sec-WebSocket-Key", "Sec-WebSocket-Key: c2hvcnQ="), 400, "16 bytes"},
		{"key that is no base64", handshake(host, "-Sec-WebSocket-Key", "Sec-WebSocket-Key: !!!!!!!!!!!!!!!!!!!!!!=="), 400, "base64"},
		{"two keys", handshake(host, "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="), 400, "one Sec-WebSocket-Key"},
		{"unknown subprotocol", handshake(host, "Sec-WebSocket-Protocol: graphql-ws"), 400, SubprotocolJSON},
		{"Origin of another site", handshake(host, "Origin: https://evil.example"), 403, "evil.example"},
		{"Origin null", handshake(host, "Origin: null"), 403, "null"},
		{"Origin of another port", handshake(host, "Origin: http://127.0.0.1:1"), 403, "origin"},
		{"bad token", handshake(host, "Authorization: Bearer a.b.c"), 401, "token"},
		{"bad token in the query", handshakeWith("GET /any?token=a.b.c HTTP/1.1", host), 401, "token"},
		{"bad token in a cookie", handshake(host, "Cookie: magpie_token=a.b.c"), 401, "token"},
		{"bad token as subprotocol", handshake(host, "Sec-WebSocket-Protocol: magpie.v1.json, bearer.a.b.c"), 401, "token"},
		{"token as subprotocol alone", handshake(host, "Sec-WebSocket-Protocol: bearer."+good), 401, "beside it"},
		{"two different tokens", handshake(host, "Authorization: Bearer "+good, "Cookie: magpie_token=a.b.c"), 401, "two different"},
		{"empty token", handshake(host, "Authorization: Bearer "), 401, "empty"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := r.connectRaw(t)
			c.send([]byte(test.sent))
			res := c.response()
			body, _ := io.ReadAll(res.Body)
			if res.StatusCode != test.status || !strings.Contains(string(body), test.say) {
				t.Errorf("%s: %s, want %d and %q", res.Status, body, test.status, test.say)
			}
			if strings.Contains(string(body), "a.b.c") || strings.Contains(string(body), good) {
				t.Errorf("the answer repeats the token: %s", body)
			}
			want := map[int]string{401: "Www-Authenticate", 405: "Allow", 426: "Upgrade"}[test.status]
			if strings.Contains(test.say, "Version") {
				want = "Sec-Websocket-Version"
			}
			if want != "" && res.Header.Get(want) == "" {
				t.Errorf("the answer has no %s", want)
			}
		})
	}
	if n := r.hub.Metrics.Sessions.Load(); n != 0 {
		t.Errorf("%d sessions were entered by refused requests", n)
	}
}

func TestHandshakeAnswers(t *testing.T) {
	authenticator, good := testTokens(t)
	r := newRig(t, rigOptions{authenticator: authenticator})
	host := r.address()
	for _, test := range []struct {
		name, sent, subprotocol string
	}{
		{"none asked for", handshake(host), ""},
		{"JSON", handshake(host, "Sec-WebSocket-Protocol: magpie.v1.json"), SubprotocolJSON},
		{"Protobuf", handshake(host, "Sec-WebSocket-Protocol: magpie.v1.protobuf"), SubprotocolProtobuf},
		{"the first that is known", handshake(host, "Sec-WebSocket-Protocol: other, magpie.v1.protobuf,magpie.v1.json"), SubprotocolProtobuf},
		{"in several lines", handshake(host, "Sec-WebSocket-Protocol: other", "Sec-WebSocket-Protocol: magpie.v1.json"), SubprotocolJSON},
		{"with empty items", handshake(host, "Sec-WebSocket-Protocol: ,, magpie.v1.json,"), SubprotocolJSON},
		{"token before", handshake(host, "Sec-WebSocket-Protocol: bearer."+good+", magpie.v1.json"), SubprotocolJSON},
		{"token behind", handshake(host, "Sec-WebSocket-Protocol: magpie.v1.json, bearer."+good), SubprotocolJSON},
		{"token in the header", handshake(host, "Authorization: bearer "+good), ""},
		{"own origin", handshake(host, "Origin: http://"+host), ""},
		{"words in another case", handshake(host, "-Connection", "-Upgrade", "Connection: keep-alive, UPGRADE", "Upgrade: WebSocket"), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := r.connectRaw(t)
			c.send([]byte(test.sent))
			res := c.response()
			if res.StatusCode != http.StatusSwitchingProtocols {
				t.Fatalf("the answer is %s", res.Status)
			}
			if got := res.Header.Get("Sec-Websocket-Protocol"); got != test.subprotocol {
				t.Errorf("the subprotocol is %q, want %q", got, test.subprotocol)
			}
			c.send(whole(opPing, "there?"))
			c.want(opPong, "there?")
		})
	}
}

func TestAcceptKey(t *testing.T) {
	if got := string(appendAcceptKey(nil, "dGhlIHNhbXBsZSBub25jZQ==")); got != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Errorf("the sample of RFC 6455 gives %q", got)
	}
}

func TestHandshakeOfAFullNode(t *testing.T) {
	r := newRig(t, rigOptions{maxSessions: 1})
	first := r.connectRaw(t).upgrade()
	refused := func(say string) {
		t.Helper()
		c := r.connectRaw(t)
		c.send([]byte(handshake(r.address())))
		res := c.response()
		body, _ := io.ReadAll(res.Body)
		if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" || !strings.Contains(string(body), say) {
			t.Errorf("%s: %s", res.Status, body)
		}
	}
	refused("its limit")
	_ = first.Close()
	r.sessions(t, 0)
	_ = r.connectRaw(t).upgrade().Close()
	r.sessions(t, 0)
	r.hub.Drain()
	refused("shutting down")
}

// stuck is an authenticator that answers when it is let.
type stuck struct {
	asked chan struct{}
	let   chan struct{}
}

func (s stuck) Authenticate(ctx context.Context, _ auth.Credential) (*auth.Principal, error) {
	s.asked <- struct{}{}
	select {
	case <-s.let:
	case <-ctx.Done():
	}
	return nil, wire.Errorf(wire.CodeUnauthenticated, "never")
}

func TestHandshakesUnderWayAreBounded(t *testing.T) {
	s := stuck{make(chan struct{}, 1), make(chan struct{})}
	r := newRig(t, rigOptions{authenticator: s, maxHandshakes: 1})
	slow := r.connectRaw(t)
	slow.send([]byte(handshake(r.address(), "Authorization: Bearer x")))
	<-s.asked
	c := r.connectRaw(t)
	c.send([]byte(handshake(r.address())))
	if res := c.response(); res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("beyond the bound the answer is %s", res.Status)
	}
	close(s.let)
	if res := slow.response(); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("the handshake that was under way got %s", res.Status)
	}
	r.connectRaw(t).upgrade()
}

// Servers that cannot hand a connection over (HTTP/2, some middleware) are told apart before anything is promised.
func TestUpgradeWithoutHijack(t *testing.T) {
	r := newRig(t, rigOptions{})
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1/any", nil)
	for name, value := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "c2l4dGVlbiBieXRlcy4uLg==",
	} {
		req.Header.Set(name, value)
	}
	req.RemoteAddr = "127.0.0.1:1234"
	w := httptest.NewRecorder()
	r.server.Config.Handler.ServeHTTP(w, req)
	if w.Code != http.StatusHTTPVersionNotSupported || !strings.Contains(w.Body.String(), "HTTP/1.1") {
		t.Errorf("%d: %s", w.Code, w.Body)
	}
	r.sessions(t, 0)
}

// Large and strange headers cost no more than their length.
func TestHandshakeWithHugeHeaders(t *testing.T) {
	r := newRig(t, rigOptions{})
	host := r.address()
	lines := make([]string, 2000)
	for i := range lines {
		lines[i] = "X-Line: " + strings.Repeat("x", 100)
	}
	for _, test := range []struct {
		name, sent string
		statuses   []int
	}{
		{"2,000 lines", handshake(host, lines...), []int{101, 431}},
		{"2,000 subprotocol lines", handshake(host, repeated("Sec-WebSocket-Protocol: a,b,c,d", 2000)...), []int{400, 431}},
		{"100,000 subprotocols", handshake(host, "Sec-WebSocket-Protocol: "+strings.Repeat("a,", 100_000)), []int{400, 431}},
		{"100,000 tokens", handshake(host, "Sec-WebSocket-Protocol: "+strings.Repeat("bearer.a,", 100_000)), []int{401, 431}},
		{"100,000 commas", handshake(host, "Sec-WebSocket-Protocol: "+strings.Repeat(",", 100_000)), []int{101, 400, 431}},
		{"one subprotocol of 900 KB", handshake(host, "Sec-WebSocket-Protocol: "+strings.Repeat("a", 900_000)), []int{400, 431}},
		{"a subprotocol that is no ASCII", handshake(host, "Sec-WebSocket-Protocol: m\u00e4gpie.v1.json\xff"), []int{400}},
		{"100,000 words in Connection", handshake(host, "-Connection", "Connection: "+strings.Repeat("a,", 100_000)), []int{426, 431}},
		{"beyond what the server reads", handshake(host, "X-Line: "+strings.Repeat("x", 4<<20)), []int{431}},
	} {
		t.Run(test.name, func(t *testing.T) {
			began := time.Now()
			c := r.connectRaw(t)
			go c.send([]byte(test.sent))
			res := c.response()
			ok := false
			for _, status := range test.statuses {
				ok = ok || res.StatusCode == status
			}
			if !ok {
				t.Errorf("the answer is %s, want one of %v", res.Status, test.statuses)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// onBothWaysIn runs a test of handshakes that net/http reads, and of those that the loops read.
func onBothWaysIn(t *testing.T, test func(t *testing.T, own bool)) {
	t.Run("net/http", func(t *testing.T) { test(t, false) })
	if runtime.GOOS == "linux" {
		t.Run("own listener", func(t *testing.T) { test(t, true) })
	}
}
