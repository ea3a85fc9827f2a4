package api

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
)

func consoleFiles() fstest.MapFS {
	return fstest.MapFS{
		"index.html":          {Data: []byte("<!doctype html><title>Magpie</title>")},
		"assets/index-1a2.js": {Data: []byte("export {}")},
	}
}

func TestConsoleHeaders(t *testing.T) {
	const forEver, ask = "public, max-age=31536000, immutable", "no-cache"
	console := Console(consoleFiles())
	for path, want := range map[string]struct {
		status      int
		cached      string
		contentType string
	}{
		"/":                    {200, ask, "text/html; charset=utf-8"},
		"/assets/index-1a2.js": {200, forEver, "text/javascript; charset=utf-8"},
		"/assets/":             {404, "", "text/plain; charset=utf-8"},
		"/assets":              {404, "", "text/plain; charset=utf-8"},
		"/assets/old.js":       {404, "", "text/plain; charset=utf-8"},
		"/nothing":             {404, "", "text/plain; charset=utf-8"},
		"/../console_test.go":  {404, "", "text/plain; charset=utf-8"},
	} {
		got := get(t, console, path)
		h := got.Header()
		if got.Code != want.status || h.Get("Cache-Control") != want.cached || h.Get("Content-Type") != want.contentType {
			t.Errorf("%s: status %d, cached %q, type %q; want %+v", path, got.Code, h.Get("Cache-Control"), h.Get("Content-Type"), want)
		}
		if policy := h.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") ||
			!strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: the policy is %q", path, policy)
		}
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "no-referrer" || h.Get("Cross-Origin-Opener-Policy") != "same-origin" {
			t.Errorf("%s: the headers are %v", path, h)
		}
	}
}

func TestConsoleTakesNoOtherMethod(t *testing.T) {
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "TRACE"} {
		w := httptest.NewRecorder()
		Console(consoleFiles()).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, "/", nil))
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: status %d, Allow %q", method, w.Code, w.Header().Get("Allow"))
		}
	}
}

func TestConsoleConfig(t *testing.T) {
	info := ConsoleInfo{Version: "1.0", NodeID: "n1", Development: true, LogChannels: []string{"logs.local"}, ChatChannels: []string{"chat.lobby"}}
	got := get(t, ConsoleConfig(info), "/console.json")
	var told map[string]any
	if err := json.Unmarshal(got.Body.Bytes(), &told); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"version": "1.0", "nodeId": "n1", "development": true,
		"logChannels": []any{"logs.local"}, "chatChannels": []any{"chat.lobby"},
	}
	if !reflect.DeepEqual(told, want) || got.Header().Get("Content-Type") != "application/json" || got.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("the console is told %s with %v", got.Body, got.Header())
	}
}
