package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/coder/websocket"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/config"
	"github.com/magpie-bridge/magpie/internal/wire"
	magpiev1 "github.com/magpie-bridge/magpie/protocol/gen/magpie/v1"
	"github.com/magpie-bridge/magpie/protocol/gen/magpie/v1/magpiev1connect"
)

const (
	development = "development: true\nlogs: {own_log: false, globs: [/nowhere/*.log]}\n"
	jwtSecret   = "canary-2c1f-secret-of-32-bytes-or-more"
	apiKey      = "mgp_canary-7d22-key-that-nobody-guesses"
	closed      = "auth:\n  jwt: {secret: " + jwtSecret + "}\n  api_keys:\n  - {name: pricing, key: " + apiKey + ", publish: [order.>], subscribe: [order.>]}\n" +
		"logs: {own_log: false, globs: [/nowhere/*.log]}\n"
	publishPath = "/magpie.v1.GatewayService/Publish"
)

func mint(t *testing.T, user string, rights auth.Grants) string {
	t.Helper()
	token, err := auth.Mint([]byte(jwtSecret), auth.TokenClaims{UserID: user, ExpiresAt: time.Now().Add(time.Hour), Rights: &rights})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestDevelopmentLetsEverybodyIn(t *testing.T) {
	r := start(t, development)
	c := r.dial(t, "")
	c.subscribe("order.update")
	status, _, body := ask(t, "POST", r.url(publishPath), `{"channel":"order.update","data":{"a": 1}}`, "Content-Type", "application/json")
	if status != http.StatusOK {
		t.Fatalf("status %d: %s", status, body)
	}
	if m := c.until("message"); string(m.Data) != `{"a": 1}` || m.Publisher != "dev" || m.Offset != 1 {
		t.Errorf("the message is %+v", m)
	}
	if n := r.Gateway().Sessions(); n != 1 {
		t.Errorf("%d sessions, want 1", n)
	}
}

func TestCredentialsBeforeTheUpgrade(t *testing.T) {
	r := start(t, closed)
	token := mint(t, "ann", auth.Grants{Publish: []string{"order.update"}, Subscribe: []string{"order.*"}})
	for name, bad := range map[string]string{"JWT": token + "x", "API key": apiKey + "x", "neither": "hello"} {
		_, resp, err := r.tryDial(t, bad)
		if err == nil || resp == nil || resp.StatusCode != http.StatusUnauthorized || resp.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: %v, %v; want 401 before the upgrade", name, resp, err)
		}
	}
	if n := r.Gateway().Sessions(); n != 0 {
		t.Errorf("%d sessions came of refused credentials", n)
	}

	service, person := r.dial(t, apiKey), r.dial(t, token)
	person.subscribe("order.update")
	service.write(`{"type":"publish","requestId":"1","channel":"order.update","data":1}`)
	if m := person.until("message"); m.Publisher != "pricing" {
		t.Errorf("the message is %+v", m)
	}
	person.write(`{"type":"publish","requestId":"2","channel":"order.other","data":1}`)
	if f := person.read(); f.Type != "error" || f.RequestID != "2" || f.Error.Code != "permission_denied" {
		t.Errorf("publishing without the right was answered %+v", f)
	}

	// Without a credential in the request, the connect frame has to tell.
	late := r.dial(t, "")
	late.write(`{"type":"connect","requestId":"1","token":"` + token + `"}`)
	if f := late.read(); f.Type != "connected" || f.UserID != "ann" {
		t.Errorf("the connect frame was answered %+v", f)
	}
	never := r.dial(t, "")
	never.write(`{"type":"subscribe","requestId":"1","channel":"order.update"}`)
	if f := never.read(); f.Type != "error" || f.Error.Code != "unauthenticated" {
		t.Errorf("a frame before connect was answered %+v", f)
	}
	never.write(`{"type":"connect","requestId":"2","token":"` + apiKey + `x"}`)
	if f := never.read(); f.Type != "error" || f.RequestID != "2" || f.Error.Code != "unauthenticated" {
		t.Errorf("a bad credential was answered %+v", f)
	}
	if err := never.end(); websocket.CloseStatus(err) != websocket.StatusCode(wire.CloseUnauthorized) {
		t.Errorf("the line ended with %v", err)
	}
}

// The same port speaks HTTP/1 and HTTP/2 without TLS, which is what gRPC clients come with.
func TestGRPCOnThePlainListener(t *testing.T) {
	r := start(t, closed)
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols}
	defer transport.CloseIdleConnections()
	for name, opts := range map[string][]connect.ClientOption{"gRPC": {connect.WithGRPC()}, "gRPC-Web": {connect.WithGRPCWeb()}, "Connect": nil} {
		gateway := magpiev1connect.NewGatewayServiceClient(&http.Client{Transport: transport}, r.url(""), opts...)
		message := connect.NewRequest(&magpiev1.PublishRequest{Channel: "order.update", MessageId: name, Payload: &magpiev1.PublishRequest_Text{Text: "x"}})
		_, err := gateway.Publish(t.Context(), message)
		if connect.CodeOf(err) != connect.CodeUnauthenticated {
			t.Errorf("%s without a credential: %v", name, err)
		}
		message.Header().Set("Authorization", "Bearer "+apiKey)
		if got, err := gateway.Publish(t.Context(), message); err != nil || got.Msg.GetPosition().GetOffset() == 0 {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestRoutes(t *testing.T) {
	r := start(t, development)
	for _, test := range []struct {
		method, path, origin string
		status               int
	}{
		{"GET", "/healthz", "", 200},
		{"GET", "/readyz", "", 200},
		{"GET", "/metrics", "", 200},
		{"GET", "/metrics", "https://evil.example", 403},
		{"GET", "/readyz", "https://evil.example", 403},
		{"POST", "/healthz", "", 405},
		{"GET", "/ws", "", 426},
		{"GET", "/ws/", "", 404},
		{"GET", "/", "", 404},             // these gateways have no console
		{"GET", "/console.json", "", 404}, // nor what it asks for
		{"GET", publishPath, "", 405},
	} {
		status, _, body := ask(t, test.method, r.url(test.path), "", "Origin", test.origin)
		if test.origin == "" {
			status, _, body = ask(t, test.method, r.url(test.path), "")
		}
		if status != test.status {
			t.Errorf("%s %s from %q: status %d, want %d: %s", test.method, test.path, test.origin, status, test.status, body)
		}
	}
	off := start(t, development+"metrics: {enabled: false}\n")
	if status, _, _ := ask(t, "GET", off.url("/metrics"), ""); status != http.StatusNotFound {
		t.Errorf("metrics that are turned off: status %d", status)
	}
}

// Whatever is secret goes in by every door, and must come out by none.
func TestSecretsComeOutNowhere(t *testing.T) {
	const canary = "canary-"
	r := start(t, closed)
	token := mint(t, "ann", auth.Grants{Publish: []string{"order.>"}})
	signature := token[strings.LastIndexByte(token, '.')+1:]
	var seen strings.Builder
	note := func(status int, header http.Header, body string) { fmt.Fprintln(&seen, status, header, body) }
	for _, credential := range []string{token, token + "x", apiKey, apiKey + "x", canary + "nonsense"} {
		for _, path := range []string{publishPath, "/ws", "/healthz", "/readyz", "/metrics", "/console.json", "/", "/nothing"} {
			note(ask(t, "POST", r.url(path), `{"channel":"order.update","data":1}`, "Content-Type", "application/json", "Authorization", "Bearer "+credential))
			note(ask(t, "GET", r.url(path+"?token="+credential), ""))
			note(ask(t, "GET", r.url(path), "", "Cookie", "magpie_token="+credential, "Sec-WebSocket-Protocol", "magpie.v1.json, bearer."+credential))
		}
		if _, resp, err := r.tryDial(t, credential); err != nil {
			fmt.Fprintln(&seen, err, resp.Header)
		}
		c := r.dial(t, "")
		c.write(`{"type":"connect","requestId":"1","token":"` + credential + `"}`)
		f, err := c.tryRead()
		fmt.Fprintf(&seen, "%+v %v\n", f, err)
	}
	fmt.Fprintln(&seen, r.Gateway().cfg, r.log.String())
	if seen.Len() < 1000 {
		t.Fatalf("only this was seen: %s", &seen)
	}
	for _, secret := range []string{canary, signature} {
		if i := strings.Index(seen.String(), secret); i >= 0 {
			t.Errorf("a secret came out: ...%s...", seen.String()[max(0, i-200):min(seen.Len(), i+100)])
		}
	}
}

func TestListenSaysWhatToDo(t *testing.T) {
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for address, want := range map[string]string{
		taken.Addr().String(): "the address " + taken.Addr().String() + " is in use, perhaps by another gateway: stop it, or choose another with --listen",
		"203.0.113.7:8080":    "203.0.113.7:8080 is no address of this machine: choose one with --listen",
		"127.0.0.1:http-none": "listen on 127.0.0.1:http-none: ",
	} {
		ln, err := listen(address)
		if err == nil {
			_ = ln.Close()
			t.Errorf("%s: nothing was wrong", address)
			continue
		}
		if !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %q, want %q", address, err, want)
		}
	}
}

// What fails half-way gives back what it took by then.
func TestNothingIsLeftOfAServerThatFails(t *testing.T) {
	for name, spoil := range map[string]func(*config.Config){
		"no pattern":       func(c *config.Config) { c.Logs.Globs = []string{"["} },
		"no driver":        func(c *config.Config) { c.Driver = "none" },
		"no origin":        func(c *config.Config) { c.Origins = []string{"*"} },
		"no namespace":     func(c *config.Config) { c.Namespaces[0].Pattern = "a..b" },
		"no short secrets": func(c *config.Config) { c.Development, c.Auth.JWT.Secret = false, config.NewSecret("short") },
	} {
		cfg := parse(t, development)
		spoil(cfg)
		free, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		cfg.Listen = free.Addr().String()
		if err := free.Close(); err != nil {
			t.Fatal(err)
		}
		before := census()
		if _, err := New(Options{Config: cfg}); err == nil || strings.Contains(err.Error(), "\n") {
			t.Fatalf("%s: %v, want one sentence", name, err)
		}
		ln, err := listen(cfg.Listen) // at once: much later the garbage collector would have closed it too
		if err != nil {
			t.Errorf("%s: the address is not free again: %v", name, err)
			continue
		}
		_ = ln.Close()
		before.expect(t)
	}
}

// A listener that breaks ends the server, which tells why.
func TestRunTellsWhyItCannotServe(t *testing.T) {
	before := census()
	s, err := New(Options{Config: parse(t, development)})
	if err != nil {
		t.Fatal(err)
	}
	address := s.Addr().String()
	if err := s.listener.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context()); !errors.Is(err, net.ErrClosed) || !strings.HasPrefix(err.Error(), "serve on "+address) {
		t.Errorf("Run ended with %v", err)
	}
	before.expect(t)
}

func TestErrorsOfTheHTTPServerGoToTheLog(t *testing.T) {
	log := &logBuffer{}
	g, err := NewGateway(Options{Config: parse(t, development), Logger: slog.New(slog.NewJSONHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = g.Shutdown(context.WithoutCancel(t.Context())) }()
	newHTTPServer(g).ErrorLog.Print("http: something is wrong")
	if !strings.Contains(log.String(), `"level":"WARN","msg":"http: something is wrong"`) {
		t.Errorf("the log has %q", log)
	}
}
