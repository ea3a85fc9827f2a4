package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/magpie-bridge/magpie"
	"github.com/magpie-bridge/magpie/examples/internal/exampletest"
	magpieclient "github.com/magpie-bridge/magpie/sdk/go"
)

func TestMain(m *testing.M) { exampletest.Main(m, main) }

// Both ways show the same, over a plain socket, which an event loop takes over from under Gin, and over TLS, which it does not.
func TestBothWaysShowThePrice(t *testing.T) {
	gin.SetMode(gin.ReleaseMode)
	for name, start := range map[string]func(http.Handler) *httptest.Server{"plain": httptest.NewServer, "TLS": httptest.NewTLSServer} {
		t.Run(name, func(t *testing.T) {
			gw, err := magpie.New(magpie.Options{Development: true})
			if err != nil {
				t.Fatal(err)
			}
			m := &market{gw: gw, log: slog.New(slog.DiscardHandler)}
			app := start(m.routes())
			client, err := magpieclient.Dial(t.Context(), magpieclient.Options{
				URL: "ws" + strings.TrimPrefix(app.URL, "http") + "/ws", HTTPClient: app.Client(),
			})
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			prices, err := client.Subscribe(t.Context(), channel, magpieclient.SubscribeOptions{})
			if err != nil {
				t.Fatal(err)
			}
			want := quote{Number: 1, Price: 2401.5, At: time.Now().Round(0)}
			if err := m.set(t.Context(), want); err != nil {
				t.Fatal(err)
			}

			if got := polled(t, app); got.Price != want.Price {
				t.Errorf("polled %v, want %v", got, want)
			}
			event, err := prices.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			message, ok := event.(*magpieclient.Message)
			if !ok {
				t.Fatalf("got %T, want a message", event)
			}
			var got quote
			if err := message.Payload.Unmarshal(&got); err != nil || got.Price != want.Price {
				t.Errorf("was told %v (%v), want %v", got, err, want)
			}

			// The HTTP server knows nothing of the lines that were taken from it, and does not wait for them.
			ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), drainTimeout)
			defer cancel()
			if err := app.Config.Shutdown(ctx); err != nil {
				t.Errorf("the server does not end while a line is open: %v", err)
			}
			if err := gw.Shutdown(ctx); err != nil {
				t.Error(err)
			}
			app.Close()
		})
	}
}

// The page shows lines of the program beside what they do.
func TestThePageShowsTheProgram(t *testing.T) {
	program, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	_, script, _ := strings.Cut(string(page), "<script")
	flat := func(code string) string { return strings.Join(strings.Fields(code), " ") }
	lines := regexp.MustCompile("(?s)<pre>(.*?)</pre>").FindAllStringSubmatch(string(page), -1)
	if len(lines) != 4 {
		t.Fatalf("the page shows %d pieces of code, want two on each side", len(lines))
	}
	for _, shown := range lines {
		inScript := strings.Contains(flat(script), flat(shown[1]))
		for line := range strings.Lines(shown[1]) {
			if !inScript && !strings.Contains(flat(string(program)), flat(line)) {
				t.Errorf("the page shows a line that is nowhere: %s", line)
			}
		}
	}
}

func polled(t *testing.T, app *httptest.Server) (q quote) {
	t.Helper()
	response, err := app.Client().Get(app.URL + "/price")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&q); err != nil {
		t.Fatal(err)
	}
	return q
}

// The program as it is started.
func TestTheProgramServesItsPage(t *testing.T) {
	program := exampletest.Start(t)
	if got := program.Do(t, nil, http.MethodGet, "/", ""); got.Status != http.StatusOK || got.Body != string(page) {
		t.Errorf("the page: status %d", got.Status)
	}
	line := program.Dial(t, nil, "/ws")
	line.Send(`{"type":"subscribe","requestId":"1","channel":%q,"from":{"last":1}}`, channel)
	var q quote
	if err := json.Unmarshal(line.Await("message").Data, &q); err != nil || q.Number < 1 || q.Price == 0 {
		t.Errorf("was told %+v (%v), want a price", q, err)
	}
}
