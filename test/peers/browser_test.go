package peers_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"testing"

	"github.com/coder/websocket"
)

// page is where the browser finds its program, which has its input and output on a WebSocket to the same place.
type page struct {
	server *httptest.Server
	opened chan *websocket.Conn
}

// servePage serves the page. The gateway must let pages of its origin in.
func servePage(t *testing.T) *page {
	t.Helper()
	p := &page{opened: make(chan *websocket.Conn)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, "program/peer.html") })
	mux.HandleFunc("GET /control", func(w http.ResponseWriter, r *http.Request) {
		control, err := websocket.Accept(w, r, nil)
		if err != nil {
			return // the other end was told
		}
		control.SetReadLimit(1 << 20)
		select {
		case p.opened <- control:
		case <-t.Context().Done():
			control.CloseNow()
		}
	})
	p.server = httptest.NewServer(mux)
	t.Cleanup(p.server.Close)
	return p
}

func (p *page) origin() string { return p.server.URL }

// open starts a browser with the page in its one tab.
func (p *page) open(t *testing.T, g *gateway, name string) *peer {
	t.Helper()
	chromium := os.Getenv("CHROMIUM")
	if chromium == "" {
		chromium = tool(t, "Chromium", "chromium", "chromium-browser", "google-chrome")
	}
	query := url.Values{"name": {name}, "url": {g.url()}}
	cmd := exec.Command(chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--disable-background-networking", "--disable-sync", "--disable-component-update", "--disable-breakpad", "--no-first-run", "--log-level=3",
		"--user-data-dir="+t.TempDir(), p.origin()+"/?"+query.Encode())
	start(t, cmd)
	browser := &peer{name: name, cmd: cmd, lines: map[string][]told{}}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	select {
	case control := <-p.opened:
		browser.obey = func(line string) error { return control.Write(t.Context(), websocket.MessageText, []byte(line)) }
		go listen(t.Context(), control, browser)
	case <-ctx.Done():
		t.Fatal("waited in vain for the browser to open the page")
	}
	return browser
}

// listen hears what the page tells, until it is gone.
func listen(ctx context.Context, control *websocket.Conn, browser *peer) {
	for {
		_, line, err := control.Read(ctx)
		if err != nil {
			return
		}
		browser.tell(string(line))
	}
}
