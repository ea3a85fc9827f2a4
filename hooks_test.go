package magpie_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/magpie-bridge/magpie"
)

// userKey is where the tests' middleware leaves the user.
type userKey struct{}

// diary notes what hooks are told.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) note(words ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, strings.Join(words, " "))
}

func (d *diary) has(t *testing.T, line string) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		d.mu.Lock()
		found := slices.Contains(d.lines, line)
		lines := slices.Clone(d.lines)
		d.mu.Unlock()
		if found {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the hooks have noted %q, not %q", lines, line)
		}
	}
}

// hooked starts a gateway whose hooks know the users of its middleware, and of tokens "token-NAME".
func hooked(t *testing.T, d *diary) (*magpie.Gateway, *httptest.Server) {
	t.Helper()
	no := &magpie.Error{Code: "permission_denied", Message: "not you"}
	gw := newGateway(t, magpie.Options{NoConsole: true, Hooks: magpie.Hooks{
		Authenticate: func(ctx context.Context, token string) (*magpie.Identity, error) {
			user, _ := ctx.Value(userKey{}).(string)
			if name, ok := strings.CutPrefix(token, "token-"); ok {
				user = name
			}
			switch user {
			case "thief":
				return nil, &magpie.Error{Code: "unauthenticated", Message: "stop thief"}
			case "":
				return nil, nil
			}
			all := []string{">"}
			return &magpie.Identity{UserID: user, Device: "phone", Rights: magpie.Rights{Publish: all, Subscribe: all, Call: all}}, nil
		},
		Connect: func(_ context.Context, c magpie.Client) error {
			d.note("connect", c.UserID, c.Device)
			switch c.UserID {
			case "banned":
				return no
			case "unlucky":
				return errors.New("the secret reason")
			case "fatal":
				panic("the secret reason")
			}
			return nil
		},
		Subscribe: func(_ context.Context, c magpie.Client, channel string) error {
			d.note("subscribe", c.UserID, channel)
			if strings.HasPrefix(channel, "private.") {
				return no
			}
			return nil
		},
		Publish: func(_ context.Context, c magpie.Client, channel string, m *magpie.Message) error {
			d.note("publish", c.UserID, channel)
			switch string(m.Data.(json.RawMessage)) {
			case `"spam"`:
				return no
			case `"rude"`:
				m.Data, m.Tags = "****", map[string]string{"moderated": "yes"}
			}
			return nil
		},
		Disconnect: func(c magpie.Client, reason string) { d.note("disconnect", c.UserID, reason) },
	}})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user := r.Header.Get("X-User"); user != "" {
			r = r.WithContext(context.WithValue(r.Context(), userKey{}, user))
		}
		gw.Handler().ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	return gw, srv
}

// dialAs connects with a user whom the middleware knows; none when empty.
func dialAs(t *testing.T, srv *httptest.Server, user string) (*websocket.Conn, error) {
	t.Helper()
	header := http.Header{}
	if user != "" {
		header.Set("X-User", user)
	}
	conn, response, err := websocket.Dial(t.Context(), srv.URL+"/ws", &websocket.DialOptions{HTTPClient: srv.Client(), HTTPHeader: header})
	if err != nil {
		if response == nil || response.StatusCode != http.StatusUnauthorized {
			t.Fatalf("%v", err)
		}
		return nil, err
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	return conn, nil
}

func TestHooksKnowWhoAClientIs(t *testing.T) {
	d := &diary{}
	_, srv := hooked(t, d)
	conn, err := dialAs(t, srv, "ann")
	if err != nil {
		t.Fatal(err)
	}
	write(t, conn, `{"type":"call","requestId":"1","method":"magpie.echo","data":1}`) // connect is implied, and is screened
	if m := until(t, conn, "connected"); m.UserID != "ann" {
		t.Errorf("connected as %q", m.UserID)
	}
	until(t, conn, "reply")
	d.has(t, "connect ann phone")
	if _, err := dialAs(t, srv, "thief"); err == nil {
		t.Error("the thief was let in")
	}

	later, err := dialAs(t, srv, "")
	if err != nil {
		t.Fatal(err)
	}
	write(t, later, `{"type":"connect","requestId":"1","token":"token-bob"}`)
	if m := until(t, later, "connected"); m.UserID != "bob" {
		t.Errorf("connected as %q", m.UserID)
	}
	_ = later.Close(websocket.StatusNormalClosure, "")
	d.has(t, "disconnect bob the client closed the line")

	for user, want := range map[string]string{"banned": "permission_denied", "unlucky": "internal", "fatal": "internal"} {
		conn, err := dialAs(t, srv, user)
		if err != nil {
			t.Fatal(err)
		}
		write(t, conn, `{"type":"connect","requestId":"1"}`)
		m := until(t, conn, "error")
		if m.Error.Code != want || strings.Contains(m.Error.Message, "secret") {
			t.Errorf("%s: %+v", user, m.Error)
		}
		until(t, conn, "goodbye")
	}
	unknown, err := dialAs(t, srv, "")
	if err != nil {
		t.Fatal(err)
	}
	write(t, unknown, `{"type":"connect","requestId":"1","token":"mgp_nobody"}`)
	if m := until(t, unknown, "error"); m.Error.Code != "unauthenticated" {
		t.Errorf("a token that nobody knows: %+v", m.Error)
	}
}

func TestHooksScreenChannelsAndMessages(t *testing.T) {
	d := &diary{}
	gw, srv := hooked(t, d)
	conn, err := dialAs(t, srv, "ann")
	if err != nil {
		t.Fatal(err)
	}
	// All at once: each comes after what was asked before, though hooks take their time.
	write(t, conn, `{"type":"subscribe","requestId":"1","channel":"room.a"}`)
	write(t, conn, `{"type":"subscribe","requestId":"2","channel":"private.a"}`)
	write(t, conn, `{"type":"history","requestId":"3","channel":"private.a"}`)
	write(t, conn, `{"type":"publish","requestId":"4","channel":"room.a","data":"rude"}`)
	write(t, conn, `{"type":"publish","requestId":"5","channel":"room.a","data":"spam"}`)
	write(t, conn, `{"type":"publish","requestId":"6","channel":"room.a","messages":[{"data":1},{"data":"spam"}]}`)
	write(t, conn, `{"type":"publish","requestId":"7","channel":"room.a","messages":[{"data":2},{"data":"rude"}]}`)
	write(t, conn, `{"type":"history","requestId":"8","channel":"room.a"}`)
	for _, want := range []string{
		"connected ", "subscribed 1", "error 2", "error 3", "published 4", "error 5", "error 6", "published 7", "page 8",
	} {
		m := next(t, conn)
		for m.Type == "message" {
			m = next(t, conn)
		}
		if got := m.Type + " " + m.RequestID; got != want {
			t.Fatalf("got %q (%+v), want %q", got, m.Error, want)
		}
	}
	if _, err := gw.Publish(t.Context(), "private.a", magpie.Message{Data: "spam"}); err != nil {
		t.Errorf("the program itself was screened: %v", err)
	}
	for body, want := range map[string]int{`{"channel":"room.a","data":"fine"}`: http.StatusOK, `{"channel":"room.a","data":"spam"}`: http.StatusForbidden} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL+"/magpie.v1.GatewayService/Publish", bytes.NewReader([]byte(body)))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer token-ann")
		response, err := srv.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("%s: %d, want %d", body, response.StatusCode, want)
		}
	}
	page := lastMessages(t, conn)
	if want := `["****" 1 "fine"]`; page != want && page != `["****" 2 "****" "fine"]` {
		t.Errorf("the room has %s", page)
	}
}

// next reads a frame.
func next(t *testing.T, conn *websocket.Conn) message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, data, err := conn.Read(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var m message
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// lastMessages reads what room.a holds.
func lastMessages(t *testing.T, conn *websocket.Conn) string {
	t.Helper()
	write(t, conn, `{"type":"history","requestId":"9","channel":"room.a"}`)
	for {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		_, data, err := conn.Read(ctx)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		var page struct {
			Type     string
			Messages []struct{ Data json.RawMessage }
		}
		if err := json.Unmarshal(data, &page); err != nil {
			t.Fatal(err)
		}
		if page.Type != "page" {
			continue
		}
		var all []string
		for _, m := range page.Messages {
			all = append(all, string(m.Data))
		}
		return "[" + strings.Join(all, " ") + "]"
	}
}

// TestHooksScreenWhatIsResumed asks again about a channel that the session had, and is to have no longer.
func TestHooksScreenWhatIsResumed(t *testing.T) {
	var mu sync.Mutex
	closed := false
	gw := newGateway(t, magpie.Options{Development: true, NoConsole: true, Hooks: magpie.Hooks{
		Subscribe: func(_ context.Context, _ magpie.Client, channel string) error {
			mu.Lock()
			defer mu.Unlock()
			if closed && channel == "room.b" {
				return &magpie.Error{Code: "permission_denied", Message: "the room is closed"}
			}
			return nil
		},
	}})
	srv := httptest.NewServer(gw.Handler())
	t.Cleanup(srv.Close)
	conn := dial(t, srv.Client(), srv.URL+"/ws")
	write(t, conn, `{"type":"connect","requestId":"0"}`)
	token := connectedToken(t, conn)
	for _, room := range []string{"room.a", "room.b"} {
		write(t, conn, `{"type":"subscribe","requestId":"1","channel":"`+room+`"}`)
		until(t, conn, "subscribed")
	}
	mu.Lock()
	closed = true
	mu.Unlock()
	_ = conn.CloseNow()
	again := dial(t, srv.Client(), srv.URL+"/ws")
	write(t, again, `{"type":"connect","requestId":"0","resume":{"token":"`+token+`"}}`)
	until(t, again, "connected")
	var got []string
	for range 2 {
		_, data, err := again.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var m struct{ Type, Channel, Code string }
		if err := json.Unmarshal(data, &m); err != nil {
			t.Fatal(err)
		}
		got = append(got, strings.Join([]string{m.Type, m.Channel, m.Code}, " "))
	}
	slices.Sort(got)
	if !slices.Equal(got, []string{"subscribed room.a ", "unsubscribed room.b permission_denied"}) {
		t.Errorf("got %q", got)
	}
}

func connectedToken(t *testing.T, conn *websocket.Conn) string {
	t.Helper()
	_, data, err := conn.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var connected struct{ ResumeToken string }
	if err := json.Unmarshal(data, &connected); err != nil || connected.ResumeToken == "" {
		t.Fatalf("%s: %v", data, err)
	}
	return connected.ResumeToken
}
