package websocket

import (
	"bufio"
	"net/http"
	"reflect"
	"strings"
	"testing"
)

const goodHead = "GET /ws?token=abc HTTP/1.1\r\nHost: example.com:8080\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\nSec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: b,  c \r\n" +
	"Origin:https://example.com\r\nX-Empty:\r\n\r\n"

// What is read here must be what net/http makes of it.
func checkHead(t *testing.T, hr *headReader, head string) (taken bool) {
	t.Helper()
	got := hr.read([]byte(head), "/ws")
	if got == nil {
		return false
	}
	want, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head)))
	if err != nil {
		t.Fatalf("%q was taken, and net/http refuses it: %v", head, err)
	}
	if got.Method != want.Method || got.Host != want.Host || got.URL.Path != want.URL.Path || got.URL.RawQuery != want.URL.RawQuery ||
		got.RequestURI != want.RequestURI || got.Proto != want.Proto || !got.ProtoAtLeast(1, 1) || !reflect.DeepEqual(got.Header, want.Header) {
		t.Fatalf("%q:\n%+v, want\n%+v", head, got, want)
	}
	return true
}

func TestHeadIsReadAsNetHTTPDoes(t *testing.T) {
	var hr headReader
	for range 2 { // the second time with what the first has left
		if !checkHead(t, &hr, goodHead) {
			t.Fatal("a good head was not taken")
		}
		if !checkHead(t, &hr, "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: WebSocket\r\n\r\n") {
			t.Fatal("a short head was not taken")
		}
	}
}

func TestOddHeadsAreLeftToNetHTTP(t *testing.T) {
	var hr headReader
	for name, change := range map[string][2]string{
		"another method":     {"GET ", "POST "},
		"another path":       {"/ws?", "/w?"},
		"an absolute target": {"GET /ws", "GET http://example.com/ws"},
		"an escaped path":    {"/ws?", "/%77s?"},
		"an old version":     {"HTTP/1.1", "HTTP/1.0"},
		"two spaces":         {"GET /ws", "GET  /ws"},
		"no host":            {"Host: example.com:8080\r\n", ""},
		"two hosts":          {"Host: example.com:8080\r\n", "Host: a\r\nHost: b\r\n"},
		"a body":             {"X-Empty:", "Content-Length: 3"},
		"a chunked body":     {"X-Empty:", "Transfer-Encoding: chunked"},
		"no upgrade":         {"Upgrade: websocket", "Upgrade: h2c"},
		"a folded line":      {"X-Empty:", "X-Empty: a\r\n b"},
		"a space in a name":  {"X-Empty:", "X Empty:"},
		"a space behind it":  {"X-Empty:", "X-Empty :"},
		"a line without one": {"X-Empty:", "X-Empty"},
		"a control":          {"X-Empty:", "X-Empty: \x01"},
		"a bare line feed":   {"X-Empty:", "X-Empty: a\nb"},
		"more than ASCII":    {"X-Empty:", "X-Empty: ä"},
		"a query in UTF-8":   {"abc", "ä"},
		"too many lines":     {"X-Empty:", strings.Repeat("X-A: b\r\n", maxHeadLines) + "X-Empty:"},
	} {
		if hr.read([]byte(strings.Replace(goodHead, change[0], change[1], 1)), "/ws") != nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func FuzzHead(f *testing.F) {
	f.Add(goodHead)
	f.Add("GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\r\n")
	f.Fuzz(func(t *testing.T, head string) {
		if end := strings.Index(head, "\r\n\r\n"); end != len(head)-4 || end < 0 {
			return
		}
		var hr headReader
		checkHead(t, &hr, head)
	})
}
