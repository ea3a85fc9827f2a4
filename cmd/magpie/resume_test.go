package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// connectedLine is what a connected frame tells of its session.
type connectedLine struct {
	Type        string
	SessionID   string
	ResumeToken string
	Resumed     bool
	Channel     string
}

// begin opens a line with a first frame, and gives the answer.
func begin(t *testing.T, url, first string) (*websocket.Conn, connectedLine) {
	t.Helper()
	conn, _, err := websocket.Dial(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	if err := conn.Write(t.Context(), websocket.MessageText, []byte(first)); err != nil {
		t.Fatal(err)
	}
	return conn, hear(t, conn)
}

func hear(t *testing.T, conn *websocket.Conn) (f connectedLine) {
	t.Helper()
	_, data, err := conn.Read(t.Context())
	if err == nil {
		err = json.Unmarshal(data, &f)
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// saved is how many sessions a gateway has written to disk.
func saved(t *testing.T, url string) int {
	t.Helper()
	res, err := http.Get(strings.Replace(strings.TrimSuffix(url, "/ws"), "ws://", "http://", 1) + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	page, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(page)) {
		if figure, ok := strings.CutPrefix(strings.TrimSpace(line), "magpie_sessions_saved_total "); ok {
			n, err := strconv.Atoi(figure)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("there is no such metric in %s", page)
	return 0
}

// TestKilledGatewayKeepsSessions kills a gateway under clients that are connected. After it they go on with the sessions
// that they had, and with their subscriptions.
func TestKilledGatewayKeepsSessions(t *testing.T) {
	const rounds, sessions = 3, 5
	dir := t.TempDir()
	flags := []string{"--dev", "--listen", "127.0.0.1:0", "--logs", filepath.Join(dir, "nothing.log"), "--data", filepath.Join(dir, "data")}
	p, url := serving(t, flags...)
	known := make([]connectedLine, sessions)
	for i := range known {
		var conn *websocket.Conn
		conn, known[i] = begin(t, url, fmt.Sprintf(`{"type":"subscribe","requestId":"1","channel":"order.of%d"}`, i))
		if f := hear(t, conn); f.Type != "subscribed" {
			t.Fatalf("heard %+v", f)
		}
	}
	for round := range rounds {
		for deadline := time.Now().Add(patience); saved(t, url) < sessions; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("the sessions are not written down")
			}
		}
		p.kill()
		p, url = serving(t, flags...)
		for i, session := range known {
			conn, f := begin(t, url, `{"type":"connect","requestId":"1","resume":{"token":"`+session.ResumeToken+`"}}`)
			if !f.Resumed || f.SessionID != session.SessionID || f.ResumeToken != session.ResumeToken {
				t.Errorf("round %d: session %s is %+v", round, session.SessionID, f)
				continue
			}
			if f = hear(t, conn); f.Type != "subscribed" || f.Channel != fmt.Sprint("order.of", i) {
				t.Errorf("round %d: session %d heard %+v", round, i, f)
			}
		}
	}
}
