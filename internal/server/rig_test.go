package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/magpie-bridge/magpie/internal/config"
)

// patience is how long a test waits for what must come; nothing that works takes it.
const patience = 20 * time.Second

// parse makes a configuration of the text of a file. What it says nothing about is small, and apart from the machine's
// own logs and ports.
func parse(t testing.TB, text string) *config.Config {
	t.Helper()
	cfg, err := config.Parse("magpie.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text, "listen:") {
		cfg.Listen = "127.0.0.1:0"
	}
	if cfg.Loops == 0 {
		cfg.Loops = 2
	}
	cfg.Memory.LogBytes = 256 * config.MiB
	cfg.Complete()
	return cfg
}

// logBuffer is where a server's log goes (io.Writer).
type logBuffer struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// running is a server that serves.
type running struct {
	*Server
	t    *testing.T
	log  *logBuffer
	file *atomic.Pointer[string] // the text of the configuration, for Reload
	stop context.CancelFunc
	wait func() error // for the end of Run, and its error
}

// start runs a server, and ends it with the test; by then nothing of it may be left.
func start(t *testing.T, text string) *running {
	t.Helper()
	before := census()
	log, level, file := &logBuffer{}, new(slog.LevelVar), new(atomic.Pointer[string])
	level.Set(slog.LevelDebug)
	file.Store(&text)
	s, err := New(Options{
		Config:  parse(t, text),
		Logger:  slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: level})),
		Version: "test",
		Level:   level,
		Reload: func(running *config.Config) (*config.Config, error) {
			next, err := config.Parse("magpie.yaml", []byte(*file.Load()))
			if err == nil {
				next.Listen, next.NodeID, next.Loops, next.Memory = running.Listen, running.NodeID, running.Loops, running.Memory
			}
			return next, err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	r := &running{Server: s, t: t, log: log, file: file, stop: cancel}
	r.wait = sync.OnceValue(func() error {
		select {
		case err := <-ended:
			return err
		case <-time.After(patience):
			return fmt.Errorf("the server has not ended after %s", patience)
		}
	})
	t.Cleanup(func() {
		cancel()
		if err := r.wait(); err != nil {
			t.Error(err)
		}
		before.expect(t)
	})
	return r
}

func (r *running) url(path string) string { return "http://" + r.Addr().String() + path }

// held is what a process holds that has to be given back.
type held struct{ goroutines, descriptors int }

func census() held {
	files, _ := os.ReadDir("/proc/self/fd") // 0 where there is none
	return held{runtime.NumGoroutine(), len(files)}
}

// expect waits until no more is held than at the time of the census.
func (h held) expect(t *testing.T) {
	t.Helper()
	http.DefaultClient.CloseIdleConnections()
	var now held
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if now = census(); now.goroutines <= h.goroutines && now.descriptors <= h.descriptors {
			return
		}
		if time.Now().After(end) {
			break
		}
	}
	stacks := make([]byte, 1<<16)
	t.Errorf("before there were %+v, now there are %+v:\n%s", h, now, stacks[:runtime.Stack(stacks, true)])
}

// eventually polls until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// ask sends a request with a body and these headers (name, value, ...) and gives status, headers and body.
func ask(t *testing.T, method, url, body string, headers ...string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(answer)
}

// frame is what tests look at of what a gateway sends.
type frame struct {
	Type         string
	RequestID    string
	Channel      string
	Pattern      string
	Method       string
	UserID       string
	SessionID    string
	ResumeToken  string
	Resumed      bool
	Offset       uint64
	Prev         uint64
	Position     struct{ Offset uint64 }
	MessageID    string
	FromOffset   uint64
	ToOffset     uint64
	Publisher    string
	Data         json.RawMessage
	Text         string
	Code         any // a number in goodbye, a word in unsubscribed
	RetryAfterMs int64
	Reason       string
	Error        struct{ Code, Message string }
}

// client is a WebSocket client that speaks JSON.
type client struct {
	t    *testing.T
	conn *websocket.Conn
}

// dial connects. With a token, the request carries it.
func (r *running) dial(t *testing.T, token string) *client {
	t.Helper()
	c, resp, err := r.tryDial(t, token)
	if err != nil {
		t.Fatalf("%v (%v)", err, resp)
	}
	return c
}

func (r *running) tryDial(t *testing.T, token string) (*client, *http.Response, error) {
	t.Helper()
	opts := &websocket.DialOptions{HTTPHeader: http.Header{}}
	if token != "" {
		opts.HTTPHeader.Set("Authorization", "Bearer "+token)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, resp, err := websocket.Dial(ctx, r.url("/ws"), opts)
	if err != nil {
		return nil, resp, err
	}
	conn.SetReadLimit(1 << 20)
	t.Cleanup(func() { _ = conn.CloseNow() })
	return &client{t, conn}, resp, nil
}

func (c *client) write(text string) {
	c.t.Helper()
	if err := c.conn.Write(c.t.Context(), websocket.MessageText, []byte(text)); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) tryRead() (f frame, err error) {
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	_, data, err := c.conn.Read(ctx)
	if err != nil {
		return f, err
	}
	return f, json.Unmarshal(data, &f)
}

func (c *client) read() frame {
	c.t.Helper()
	f, err := c.tryRead()
	if err != nil {
		c.t.Fatal(err)
	}
	return f
}

// end reads to the end of the line, and gives the error that says how it ended.
func (c *client) end() error {
	for {
		if _, err := c.tryRead(); err != nil {
			return err
		}
	}
}

// until reads frames up to the first of a type.
func (c *client) until(kind string) frame {
	c.t.Helper()
	for {
		f := c.read()
		if f.Type == kind {
			return f
		}
		if f.Type == "error" {
			c.t.Fatalf("waited for %s: %+v", kind, f)
		}
	}
}

// subscribe reads a channel from its beginning.
func (c *client) subscribe(channel string) {
	c.t.Helper()
	c.write(fmt.Sprintf(`{"type":"subscribe","requestId":"s","channel":%q,"from":{"offset":0}}`, channel))
	c.until("subscribed")
}
