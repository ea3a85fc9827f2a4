package api

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/engine"
	"github.com/magpie-bridge/magpie/internal/hub"
	"github.com/magpie-bridge/magpie/internal/hub/presence"
	"github.com/magpie-bridge/magpie/internal/session"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// The key that the tests' backend presents. It must come back nowhere.
const pricingKey = "mgp_a-key-of-the-tests-that-nobody-else-has"

const publishURL = "/magpie.v1.GatewayService/Publish"

// stored is what the engine was given.
type stored struct {
	channel wire.ChannelName
	records []channel.Record
}

// recorder is an engine that remembers what was appended (engine.Engine).
type recorder struct {
	engine.Engine

	fate   func() (answered bool) // what becomes of an append first; nil: it is stored
	refuse wire.ChannelName       // appends to it are

	mu   sync.Mutex // guards kept
	kept []stored
}

func (e *recorder) Append(name wire.ChannelName, records []channel.Record, done func(wire.Epoch, []channel.Placed, error)) {
	if e.fate != nil && !e.fate() {
		return
	}
	if name == e.refuse {
		done("", nil, wire.Errorf(wire.CodeResourceExhausted, "there is no room for %s", name))
		return
	}
	copied := make([]channel.Record, len(records))
	for i, r := range records {
		r.Payload.Bytes = bytes.Clone(r.Payload.Bytes)
		copied[i] = r
	}
	e.mu.Lock()
	e.kept = append(e.kept, stored{name, copied})
	e.mu.Unlock()
	e.Engine.Append(name, records, done)
}

// List implements engine.Lister.
func (e *recorder) List(ctx context.Context, q engine.ListQuery) (engine.Listing, error) {
	return e.Engine.(engine.Lister).List(ctx, q)
}

// engineOnly is an engine that is nothing besides.
type engineOnly struct{ engine.Engine }

func (e *recorder) appended() []stored {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.kept
}

// rig is the GatewayService with a real hub behind it.
type rig struct {
	t      *testing.T
	engine *recorder
	hub    *hub.Hub
	server *httptest.Server

	shards   []*session.Shard
	requests *Requests
	log      *logBuffer
}

// logBuffer is where a rig's log goes (io.Writer).
type logBuffer struct {
	mu   sync.Mutex // guards text
	text strings.Builder
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

type rigOptions struct {
	development bool
	origins     []string
	maxMessage  int
	maxRequest  int
	shards      int // of loops that do at once what they are asked
	tracing     trace.TracerProvider
	calls       []string // that the key may call
	presence    bool     // of all channels
	wrap        func(*recorder) engineOnly
}

func newRig(t *testing.T, opts rigOptions) *rig {
	t.Helper()
	memory := engine.NewMemory(engine.MemoryOptions{Space: channel.NewSpace(channel.NewBudget(64<<20), nil)})
	t.Cleanup(func() { _ = memory.Close(context.Background()) })
	rights, err := auth.NewRights(auth.Grants{Publish: []string{"order.>", "user.*"}, Call: opts.calls})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := auth.NewAPIKeys([]auth.APIKey{{Name: "pricing", Hash: auth.HashKey(pricingKey), Rights: rights}})
	if err != nil {
		t.Fatal(err)
	}
	origin, err := auth.NewOriginPolicy(opts.origins, opts.development)
	if err != nil {
		t.Fatal(err)
	}
	var authenticator auth.Authenticator = auth.Chain{Keys: keys}
	if opts.development {
		authenticator = auth.Development()
	}
	r := &rig{t: t, engine: &recorder{Engine: memory}, log: &logBuffer{}, requests: NewRequests()}
	var beneath engine.Engine = r.engine
	if opts.wrap != nil {
		beneath = opts.wrap(r.engine)
	}
	var here *presence.Registry
	if opts.presence {
		here = presence.New(presence.Options{Engine: memory, Covers: func(wire.ChannelName) bool { return true }})
		t.Cleanup(here.Close)
	}
	r.hub = hub.New(hub.Options{
		Presence: here,
		Engine:   beneath, Authenticator: authenticator, NodeID: "n1", MaxMessage: opts.maxMessage,
		Logger: slog.New(slog.NewJSONHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	for i := range opts.shards {
		r.shards = append(r.shards, session.NewShard(session.Settings{Hub: r.hub}, atOnce{}, i))
	}
	mux := http.NewServeMux()
	if err := MountGateway(mux, GatewayOptions{
		Hub: r.hub, Origin: origin, Shards: r.shards, Version: "test", MaxRequestBytes: opts.maxRequest, Requests: r.requests, Tracing: opts.tracing,
	}); err != nil {
		t.Fatal(err)
	}
	r.server = httptest.NewUnstartedServer(mux)
	r.server.Config.Protocols = new(http.Protocols)
	r.server.Config.Protocols.SetHTTP1(true)
	r.server.Config.Protocols.SetUnencryptedHTTP2(true)
	r.server.Start()
	t.Cleanup(r.server.Close)
	return r
}

// request is one to the service; zero fields are those of a good one.
type request struct {
	method, path, contentType, body string
	header                          map[string]string
	noKey                           bool
	host                            string
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

func (r *rig) send(q request) answer {
	r.t.Helper()
	if q.method == "" {
		q.method = http.MethodPost
	}
	if q.path == "" {
		q.path = publishURL
	}
	if q.contentType == "" {
		q.contentType = "application/json"
	}
	req, err := http.NewRequestWithContext(r.t.Context(), q.method, r.server.URL+q.path, strings.NewReader(q.body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", q.contentType)
	if !q.noKey {
		req.Header.Set("Authorization", "Bearer "+pricingKey)
	}
	for name, value := range q.header {
		req.Header.Set(name, value)
	}
	if q.host != "" {
		req.Host = q.host
	}
	resp, err := r.server.Client().Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(body)}
}
