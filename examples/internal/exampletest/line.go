package exampletest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// Frame is what the tests look at in the frames of the gateway.
type Frame struct {
	Type      string          `json:"type"`
	RequestID string          `json:"requestId"`
	Channel   string          `json:"channel"`
	Method    string          `json:"method"`
	MessageID string          `json:"messageId"`
	Publisher string          `json:"publisher"`
	UserID    string          `json:"userId"`
	Offset    uint64          `json:"offset"`
	Position  Position        `json:"position"`
	Recovered bool            `json:"recovered"`
	Duplicate bool            `json:"duplicate"`
	Text      string          `json:"text"`
	Data      json.RawMessage `json:"data"`
	Error     struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// Position is where a message stands.
type Position struct {
	Epoch  string `json:"epoch"`
	Offset uint64 `json:"offset"`
}

// Line is a WebSocket as a page has it: text, in which each message is a frame. It is for one goroutine.
type Line struct {
	t       *testing.T
	socket  *websocket.Conn
	waiting []Frame // that came before those that were asked for
}

// Dial opens a line in the name of whoever has the cookie.
func (p *Program) Dial(t *testing.T, cookie *http.Cookie, path string) *Line {
	t.Helper()
	socket, status, err := p.dial(t, cookie, path)
	if err != nil {
		t.Fatalf("open a line: status %d: %v", status, err)
	}
	l := &Line{t: t, socket: socket}
	t.Cleanup(l.Cut)
	return l
}

// DialStatus is the status with which an attempt to open a line is answered.
func (p *Program) DialStatus(t *testing.T, cookie *http.Cookie, path string) int {
	t.Helper()
	socket, status, err := p.dial(t, cookie, path)
	if err == nil {
		_ = socket.CloseNow() // it was only to be seen whether it opens
	}
	return status
}

func (p *Program) dial(t *testing.T, cookie *http.Cookie, path string) (*websocket.Conn, int, error) {
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	header := make(http.Header)
	if cookie != nil {
		header.Set("Cookie", cookie.Name+"="+cookie.Value)
	}
	url := "ws" + strings.TrimPrefix(p.URL, "http") + strings.TrimPrefix(path, "/")
	socket, response, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPHeader: header})
	status := 0
	if response != nil {
		status = response.StatusCode
		if err != nil && response.Body != nil {
			_ = response.Body.Close() // the status says it all
		}
	}
	return socket, status, err
}

// Send sends a frame, whose JSON is made as by fmt.Sprintf.
func (l *Line) Send(format string, args ...any) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), Patience)
	defer cancel()
	if err := l.socket.Write(ctx, websocket.MessageText, fmt.Appendf(nil, format, args...)); err != nil {
		l.t.Fatal(err)
	}
}

// Await returns the next frame of a type. Frames of other types that come before it wait for their own turn.
func (l *Line) Await(kind string) Frame {
	l.t.Helper()
	return l.await(kind, func(f Frame) bool { return f.Type == kind })
}

// Answer returns the frame that answers a request.
func (l *Line) Answer(requestID string) Frame {
	l.t.Helper()
	return l.await("answer to "+requestID, func(f Frame) bool { return f.RequestID == requestID && f.Type != "call" && f.Type != "cancel" })
}

func (l *Line) await(what string, wanted func(Frame) bool) Frame {
	l.t.Helper()
	if i := slices.IndexFunc(l.waiting, wanted); i >= 0 {
		f := l.waiting[i]
		l.waiting = slices.Delete(l.waiting, i, i+1)
		return f
	}
	ctx, cancel := context.WithTimeout(l.t.Context(), Patience)
	defer cancel()
	for {
		_, data, err := l.socket.Read(ctx)
		if err != nil {
			l.t.Fatalf("waiting for %s, with %v in hand: %v", what, l.waiting, err)
		}
		var f Frame
		if err := json.Unmarshal(data, &f); err != nil {
			l.t.Fatalf("%s: %v", data, err)
		}
		if wanted(f) {
			return f
		}
		l.waiting = append(l.waiting, f)
	}
}

// Nothing fails the test when a frame of a type has come. What the gateway had sent before is seen, since its answer to a
// question of now comes behind it.
func (l *Line) Nothing(kind string) {
	l.t.Helper()
	l.Send(`{"type":"ping"}`)
	l.Await("pong")
	if i := slices.IndexFunc(l.waiting, func(f Frame) bool { return f.Type == kind }); i >= 0 {
		l.t.Errorf("got a %s: %+v", kind, l.waiting[i])
	}
}

// Cut breaks the line as a network does, without a word.
func (l *Line) Cut() { _ = l.socket.CloseNow() } // it may be broken already
