package magpie_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/magpie-bridge/magpie"
)

const (
	patience = 20 * time.Second
	secret   = "a secret of the tests, 32 bytes or more"
)

// newGateway starts a gateway that ends with the test; by then nothing of it may be left.
func newGateway(t *testing.T, opts magpie.Options) *magpie.Gateway {
	t.Helper()
	before := runtime.NumGoroutine()
	gw, err := magpie.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := gw.Shutdown(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
		http.DefaultClient.CloseIdleConnections()
		for end := time.Now().Add(patience); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				stacks := make([]byte, 1<<16)
				t.Fatalf("%d goroutines are left, %d were there before\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
			}
		}
	})
	return gw
}

// message is what tests look at of a frame.
type message struct {
	Type, RequestID, UserID, MessageID, Key, Publisher string
	Text, Base64                                       string
	Offset                                             uint64
	Tags                                               map[string]string
	Data                                               json.RawMessage
	Code                                               int
	Error                                              struct {
		Code, Message string
		Retryable     bool
		Details       json.RawMessage
	}
}

func dial(t *testing.T, client *http.Client, url string) *websocket.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPClient: client})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	return conn
}

func write(t *testing.T, conn *websocket.Conn, text string) {
	t.Helper()
	if err := conn.Write(t.Context(), websocket.MessageText, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

// until reads up to the first frame of a type.
func until(t *testing.T, conn *websocket.Conn, kind string) message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		_, data, err := conn.Read(ctx)
		if err != nil {
			t.Fatalf("waited for %s: %v", kind, err)
		}
		var m message
		if err := json.Unmarshal(data, &m); err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		if m.Type == kind {
			return m
		}
	}
}

// passThrough is what logging and tracing middleware puts around a writer: the writer beneath is reached by Unwrap
// alone.
type passThrough struct {
	http.ResponseWriter
	status int
}

func (w *passThrough) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *passThrough) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(&passThrough{ResponseWriter: w}, r) })
}

// Wherever the gateway is mounted, its routes work: the line, the publishing, the console.
func TestMounted(t *testing.T) {
	for name, test := range map[string]struct {
		mount  func(http.Handler) http.Handler
		prefix string
		serve  func(http.Handler) *httptest.Server
	}{
		"at the root": {func(h http.Handler) http.Handler { return h }, "", httptest.NewServer},
		"under a mux": {func(h http.Handler) http.Handler {
			mux := http.NewServeMux()
			mux.Handle("/", h)
			mux.HandleFunc("GET /own", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "own") })
			return mux
		}, "", httptest.NewServer},
		"below a prefix": {func(h http.Handler) http.Handler {
			mux := http.NewServeMux()
			mux.Handle("/live/", http.StripPrefix("/live", h))
			return mux
		}, "/live", httptest.NewServer},
		"behind middleware": {middleware, "", httptest.NewServer},
		"over TLS":          {func(h http.Handler) http.Handler { return h }, "", httptest.NewTLSServer},
	} {
		t.Run(name, func(t *testing.T) {
			gw := newGateway(t, magpie.Options{Development: true})
			web := test.serve(test.mount(gw.Handler()))
			defer web.Close()
			base := web.URL + test.prefix

			conn := dial(t, web.Client(), "ws"+strings.TrimPrefix(base, "http")+"/ws")
			write(t, conn, `{"type":"subscribe","requestId":"1","channel":"order.update"}`)
			until(t, conn, "subscribed")
			if n := gw.Sessions(); n != 1 {
				t.Errorf("%d sessions, want 1", n)
			}
			if position, err := gw.Publish(t.Context(), "order.update", magpie.Message{Text: "from Go"}); err != nil || position.Offset != 1 || position.Epoch == "" || position.Duplicate {
				t.Errorf("published at %+v, %v", position, err)
			}
			if m := until(t, conn, "message"); m.Text != "from Go" || m.Publisher != "magpie" {
				t.Errorf("the message is %+v", m)
			}
			if status, body := fetch(t, web.Client(), "POST", base+"/magpie.v1.GatewayService/Publish", `{"channel":"order.update","text":"over HTTP"}`); status != http.StatusOK {
				t.Errorf("publishing over HTTP: status %d: %s", status, body)
			}
			if m := until(t, conn, "message"); m.Text != "over HTTP" || m.Publisher != "dev" {
				t.Errorf("the message is %+v", m)
			}
			for path, want := range map[string]string{"/": "<title>Magpie</title>", "/console.json": `"version":"embedded"`, "/healthz": "ok", "/readyz": "ready", "/metrics": "magpie_sessions 1"} {
				if status, body := fetch(t, web.Client(), "GET", base+path, ""); status != http.StatusOK || !strings.Contains(body, want) {
					t.Errorf("%s: status %d, want %q in %.300s", path, status, want, body)
				}
			}
			if err := conn.Close(websocket.StatusNormalClosure, ""); err != nil {
				t.Error(err)
			}
		})
	}
}

func fetch(t *testing.T, client *http.Client, method, url, body string) (status int, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	read, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(read)
}

// The assets of the page are named so that they are found below a prefix too.
func TestConsoleBelowAPrefix(t *testing.T) {
	gw := newGateway(t, magpie.Options{Development: true})
	web := httptest.NewServer(http.StripPrefix("/live", gw.Handler()))
	defer web.Close()
	_, page := fetch(t, web.Client(), "GET", web.URL+"/live/", "")
	_, script, found := strings.Cut(page, `src="./`)
	script, _, _ = strings.Cut(script, `"`)
	if !found {
		t.Fatalf("the page names no script beside it: %s", page)
	}
	if status, _ := fetch(t, web.Client(), "GET", web.URL+"/live/"+script, ""); status != http.StatusOK {
		t.Errorf("%s: status %d", script, status)
	}
}

// opaque hides what is beneath a writer.
type opaque struct{ w http.ResponseWriter }

func (o opaque) Header() http.Header         { return o.w.Header() }
func (o opaque) Write(b []byte) (int, error) { return o.w.Write(b) }
func (o opaque) WriteHeader(status int)      { o.w.WriteHeader(status) }

// Middleware that hides the connection costs the client a clear answer, and the gateway no session.
func TestMiddlewareThatHidesTheConnection(t *testing.T) {
	gw := newGateway(t, magpie.Options{Development: true})
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { gw.Handler().ServeHTTP(opaque{w}, r) }))
	defer web.Close()
	_, resp, err := websocket.Dial(t.Context(), web.URL+"/ws", nil)
	if err == nil || resp == nil || resp.StatusCode < 500 {
		t.Errorf("the handshake was answered %v, %v", resp, err)
	}
	if n := gw.Sessions(); n != 0 {
		t.Errorf("%d sessions are counted", n)
	}
}

// wrapped is a connection as a listener of somebody else's hands it out.
type wrapped struct{ net.Conn }

type wrapping struct{ net.Listener }

func (l wrapping) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return wrapped{conn}, err
}

func TestUnderAListenerThatWrapsConnections(t *testing.T) {
	gw := newGateway(t, magpie.Options{Development: true})
	web := httptest.NewUnstartedServer(gw.Handler())
	web.Listener = wrapping{web.Listener}
	web.Start()
	defer web.Close()
	conn := dial(t, web.Client(), web.URL+"/ws")
	write(t, conn, `{"type":"call","requestId":"1","method":"magpie.echo","text":"hello"}`)
	if m := until(t, conn, "reply"); m.Text != "hello" {
		t.Errorf("the echo is %+v", m)
	}
}

func TestMessagesOfEveryKind(t *testing.T) {
	gw := newGateway(t, magpie.Options{Development: true})
	web := httptest.NewServer(gw.Handler())
	defer web.Close()
	conn := dial(t, web.Client(), web.URL+"/ws")
	for _, test := range []struct {
		message magpie.Message
		want    message
	}{
		{magpie.Message{Data: map[string]int{"a": 1}}, message{Data: json.RawMessage(`{"a":1}`)}},
		{magpie.Message{Data: json.RawMessage(`{"a": 1.50, "b": "<&>"}`)}, message{Data: json.RawMessage(`{"a": 1.50, "b": "<&>"}`)}},
		{magpie.Message{Data: "text"}, message{Data: json.RawMessage(`"text"`)}},
		{magpie.Message{Data: false}, message{Data: json.RawMessage(`false`)}},
		{magpie.Message{Data: (*int)(nil)}, message{Data: json.RawMessage(`null`)}},
		{magpie.Message{Data: json.RawMessage(nil)}, message{Data: json.RawMessage(`null`)}},
		{magpie.Message{Text: "grüße\n\"x\""}, message{Text: "grüße\n\"x\""}},
		{magpie.Message{Bytes: []byte{0, 0xff}}, message{Base64: "AP8="}},
		{magpie.Message{}, message{}},
		{
			magpie.Message{ID: "m1", Key: "k", Tags: map[string]string{"b": "2", "a": "1"}, Text: "x"},
			message{MessageID: "m1", Key: "k", Tags: map[string]string{"b": "2", "a": "1"}, Text: "x"},
		},
	} {
		position, err := gw.Publish(t.Context(), "kinds", test.message)
		if err != nil {
			t.Errorf("%+v: %v", test.message, err)
			continue
		}
		if position.Offset == 1 {
			write(t, conn, `{"type":"subscribe","requestId":"1","channel":"kinds","from":{"offset":0}}`)
		}
		got := until(t, conn, "message")
		if got.Offset != position.Offset || string(got.Data) != string(test.want.Data) || got.Text != test.want.Text || got.Base64 != test.want.Base64 ||
			got.MessageID != test.want.MessageID || got.Key != test.want.Key || len(got.Tags) != len(test.want.Tags) || got.Tags["a"] != test.want.Tags["a"] {
			t.Errorf("%+v arrived as %+v", test.message, got)
		}
	}
}

func TestPublishRefuses(t *testing.T) {
	gw := newGateway(t, magpie.Options{Development: true})
	long := func(n int) string { return strings.Repeat("x", n) }
	many := make(map[string]string)
	for i := range 33 {
		many[long(i+1)] = ""
	}
	for name, test := range map[string]struct {
		channel string
		message magpie.Message
		code    string // "": an error that is not of the gateway
	}{
		"no channel":        {"", magpie.Message{Text: "x"}, "invalid_argument"},
		"bad channel":       {"a b", magpie.Message{Text: "x"}, "invalid_argument"},
		"wildcard":          {"a.*", magpie.Message{Text: "x"}, "invalid_argument"},
		"channel of bytes":  {"a\xff", magpie.Message{Text: "x"}, "invalid_argument"},
		"channel of JSON":   {`a","key":"b`, magpie.Message{Text: "x"}, "invalid_argument"},
		"own channel":       {"sys.nodes", magpie.Message{Text: "x"}, "permission_denied"},
		"long id":           {"a", magpie.Message{ID: long(129)}, "invalid_argument"},
		"long key":          {"a", magpie.Message{Key: long(256)}, "invalid_argument"},
		"long tag":          {"a", magpie.Message{Tags: map[string]string{"k": long(1025)}}, "invalid_argument"},
		"too many tags":     {"a", magpie.Message{Tags: many}, "invalid_argument"},
		"text of bytes":     {"a", magpie.Message{Text: "x\xff"}, "invalid_argument"},
		"id of bytes":       {"a", magpie.Message{ID: "x\xff"}, "invalid_argument"},
		"tag of bytes":      {"a", magpie.Message{Tags: map[string]string{"k": "\xff"}}, "invalid_argument"},
		"large text":        {"a", magpie.Message{Text: long(64<<10 + 1)}, "invalid_argument"},
		"deep data":         {"a", magpie.Message{Data: json.RawMessage(strings.Repeat("[", 100) + strings.Repeat("]", 100))}, "invalid_argument"},
		"data and text":     {"a", magpie.Message{Data: 1, Text: "x"}, ""},
		"data and bytes":    {"a", magpie.Message{Data: 1, Bytes: []byte{}}, ""},
		"text and bytes":    {"a", magpie.Message{Text: "x", Bytes: []byte{1}}, ""},
		"data that is none": {"a", magpie.Message{Data: make(chan int)}, ""},
		"raw that is none":  {"a", magpie.Message{Data: json.RawMessage(`{"a":`)}, ""},
		"raw that goes on":  {"a", magpie.Message{Data: json.RawMessage(`1,"key":"k"`)}, ""},
		"raw of nothing":    {"a", magpie.Message{Data: json.RawMessage{}}, ""},
	} {
		position, err := gw.Publish(t.Context(), test.channel, test.message)
		if err == nil {
			t.Errorf("%s: published at %+v", name, position)
			continue
		}
		refused, ok := errors.AsType[*magpie.Error](err)
		if ok != (test.code != "") || ok && string(refused.Code) != test.code || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want the code %q", name, err, test.code)
		}
	}
	if position, err := gw.Publish(t.Context(), "a", magpie.Message{Text: "x"}); err != nil || position.Offset != 1 {
		t.Errorf("something that was refused was appended: the next stands at %+v, %v", position, err)
	}
}

func TestNewSaysWhatIsMissing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "magpie.yaml")
	if err := os.WriteFile(file, []byte("nonsense: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	for name, test := range map[string]struct {
		opts magpie.Options
		want string
	}{
		"no way in":       {magpie.Options{}, "nobody could connect"},
		"short secret":    {magpie.Options{JWTSecret: "short"}, "32"},
		"no origin":       {magpie.Options{Development: true, Origins: []string{"*"}}, "every web page"},
		"no file":         {magpie.Options{ConfigFile: file + ".other"}, "no such file"},
		"unknown setting": {magpie.Options{ConfigFile: file}, "nonsense"},
	} {
		_, err := magpie.New(test.opts)
		if err == nil || !strings.HasPrefix(err.Error(), "magpie: ") || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "short\"") {
			t.Errorf("%s: %v, want %q in it", name, err, test.want)
		}
	}
	if after := runtime.NumGoroutine(); after > before {
		t.Errorf("%d goroutines after gateways that were not made, %d before", after, before)
	}
}

func TestOptionsReachTheGateway(t *testing.T) {
	gw := newGateway(t, magpie.Options{JWTSecret: secret, Origins: []string{"https://app.example.com"}, NoConsole: true})
	web := httptest.NewServer(gw.Handler())
	defer web.Close()
	if status, _ := fetch(t, web.Client(), "GET", web.URL+"/", ""); status != http.StatusNotFound {
		t.Errorf("without a console: status %d", status)
	}
	if status, body := fetch(t, web.Client(), "POST", web.URL+"/magpie.v1.GatewayService/Publish", `{"channel":"a","text":"x"}`); status != http.StatusUnauthorized || strings.Contains(body, secret) {
		t.Errorf("without a token: status %d: %s", status, body)
	}
	for origin, status := range map[string]int{"https://app.example.com": http.StatusSwitchingProtocols, "https://evil.example": http.StatusForbidden} {
		conn, resp, err := websocket.Dial(t.Context(), web.URL+"/ws", &websocket.DialOptions{HTTPHeader: http.Header{"Origin": {origin}}})
		if resp == nil || resp.StatusCode != status {
			t.Errorf("%s: %v, %v; want %d", origin, resp, err, status)
		}
		if conn != nil {
			_ = conn.CloseNow()
		}
	}
}

func TestShutdownTellsClientsAndCanBeRepeated(t *testing.T) {
	for name, serve := range map[string]func(http.Handler) *httptest.Server{"plain": httptest.NewServer, "over TLS": httptest.NewTLSServer} {
		t.Run(name, func(t *testing.T) {
			gw := newGateway(t, magpie.Options{Development: true})
			web := serve(gw.Handler())
			defer web.Close()
			polite := dial(t, web.Client(), "ws"+strings.TrimPrefix(web.URL, "http")+"/ws")
			write(t, polite, `{"type":"connect","requestId":"1"}`)
			until(t, polite, "connected")
			ended := make(chan error, 1)
			go func() { ended <- gw.Shutdown(t.Context()) }()
			if m := until(t, polite, "goodbye"); m.Code != 4008 {
				t.Errorf("the goodbye is %+v", m)
			}
			if _, _, err := polite.Read(t.Context()); websocket.CloseStatus(err) != 4008 {
				t.Errorf("the line ended with %v", err)
			}
			if err := <-ended; err != nil {
				t.Error(err)
			}
			if err := gw.Shutdown(t.Context()); err != nil || gw.Sessions() != 0 {
				t.Errorf("again: %v, %d sessions", err, gw.Sessions())
			}
		})
	}
}

// Whoever does not read the goodbye is cut off when the time is over.
func TestShutdownEndsWithItsContext(t *testing.T) {
	gw := newGateway(t, magpie.Options{Development: true})
	web := httptest.NewServer(gw.Handler())
	defer web.Close()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", web.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const upgrade = "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
	if _, err := io.WriteString(conn, upgrade); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReaderSize(conn, 16).ReadString('\n'); err != nil || !strings.Contains(line, " 101 ") {
		t.Fatalf("the upgrade was answered %q, %v", line, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	if err := gw.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("the gateway ended after %s", took)
	}
	if n := gw.Sessions(); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
}

func TestPublishingAfterShutdownIsRefused(t *testing.T) {
	gw, err := magpie.New(magpie.Options{Development: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := gw.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err = gw.Publish(t.Context(), "order.update", magpie.Message{Text: "late"})
	if refused, ok := errors.AsType[*magpie.Error](err); !ok || refused.Code != "unavailable" {
		t.Errorf("got %v, want unavailable", err)
	}
}
