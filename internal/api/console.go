package api

import (
	"encoding/json"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

// ConsoleInfo is what the console has to know of the gateway that serves it: GET /console.json.
type ConsoleInfo struct {
	Version      string   `json:"version"`
	NodeID       string   `json:"nodeId"`
	Development  bool     `json:"development"`
	LogChannels  []string `json:"logChannels"`
	ChatChannels []string `json:"chatChannels"`
}

// contentPolicy lets the console load its own files and talk to its own gateway, and nothing else.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Console serves the console's files. Those whose names carry a hash of their content may be kept for ever.
func Console(files fs.FS) http.Handler {
	server := http.FileServerFS(files)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "nothing here takes this method: frames go to /ws, publishing over HTTP to /magpie.v1.GatewayService/Publish", http.StatusMethodNotAllowed)
			return
		}
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		if isFolder(files, r.URL.Path) {
			http.NotFound(w, r) // the file server would list what is in it
			return
		}
		if strings.HasPrefix(r.URL.Path, "/assets/") {
			h.Set("Cache-Control", "public, max-age=31536000, immutable")
		} else {
			h.Set("Cache-Control", "no-cache")
		}
		server.ServeHTTP(w, r)
	})
}

// isFolder reports whether a path of a URL leads to a folder below the root.
func isFolder(files fs.FS, urlPath string) bool {
	name := strings.Trim(path.Clean("/"+urlPath), "/")
	if name == "" {
		return false
	}
	info, err := fs.Stat(files, name)
	return err == nil && info.IsDir()
}

// ConsoleConfig serves info as JSON.
func ConsoleConfig(info ConsoleInfo) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		_ = json.NewEncoder(w).Encode(info) // a client that is gone needs no answer
	})
}
