package websocket

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	coder "github.com/coder/websocket"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/engine"
	"github.com/magpie-bridge/magpie/internal/hub"
	"github.com/magpie-bridge/magpie/internal/netloop"
	"github.com/magpie-bridge/magpie/internal/session"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// patience is how long a test waits for what must come; nothing that works takes it.
const patience = 20 * time.Second

// rigOptions say how a rig differs from a gateway in development mode.
type rigOptions struct {
	driver        netloop.Driver
	authenticator auth.Authenticator // nil: development, where nobody needs a token
	settings      session.Settings
	maxSessions   int
	maxHandshakes int
	tls           bool
	compression   bool
	own           bool // the loops accept
	echo          bool
}

// rig is a gateway put together for a test: everything from the handler down to the engine.
type rig struct {
	hub         *hub.Hub
	group       *netloop.Group
	server      *httptest.Server
	handler     *Handler
	compression bool // clients offer it
}

func newRig(t *testing.T, opts rigOptions) *rig {
	t.Helper()
	anonymous := opts.authenticator == nil
	if anonymous {
		opts.authenticator = auth.Development()
	}
	goroutines := runtime.NumGoroutine()
	memory := engine.NewMemory(engine.MemoryOptions{Space: channel.NewSpace(channel.NewBudget(256<<20), nil, Formats()...)})
	r := &rig{compression: opts.compression, hub: hub.New(hub.Options{Engine: memory, Authenticator: opts.authenticator, NodeID: "n1", MaxSessions: opts.maxSessions})}
	var err error
	if r.group, err = netloop.NewGroup(netloop.Options{Loops: 2, Driver: opts.driver}); err != nil {
		t.Fatal(err)
	}
	opts.settings.Hub = r.hub
	var shards []*session.Shard
	for i, loop := range r.group.Loops() {
		shard := session.NewShard(opts.settings, loop, i)
		loop.SetWorker(shard)
		shards = append(shards, shard)
	}
	r.group.Start()
	origin, err := auth.NewOriginPolicy(nil, anonymous)
	if err != nil {
		t.Fatal(err)
	}
	handler := NewHandler(Options{Hub: r.hub, Group: r.group, Shards: shards, Origin: origin, Anonymous: anonymous, MaxHandshakes: opts.maxHandshakes, Compression: opts.compression, echo: opts.echo})
	r.handler = handler
	mux := http.NewServeMux()
	mux.Handle("GET /ws", handler)
	mux.Handle("/any", handler)
	mux.HandleFunc("/publish", func(w http.ResponseWriter, req *http.Request) {
		n, err := io.Copy(io.Discard, req.Body)
		fmt.Fprintf(w, "%s %s %d %v %s", req.Method, req.URL.Path, n, err, req.RemoteAddr)
	})
	r.server = httptest.NewUnstartedServer(mux)
	if opts.own {
		rest, err := handler.Listen(r.server.Listener, "/any")
		if err != nil {
			t.Fatal(err)
		}
		if _, wrapped := rest.(*remainder); !wrapped {
			t.Fatal("the loops do not accept")
		}
		r.server.Listener = rest
	}
	if opts.tls {
		r.server.Listener = r.group.BeneathTLS(r.server.Listener)
		r.server.StartTLS()
	} else {
		r.server.Start()
	}
	t.Cleanup(func() {
		r.server.Close()
		r.group.Close()
		r.sessions(t, 0) // a handshake under way may find out a little later
		_ = memory.Close(context.Background())
		for end := time.Now().Add(patience); runtime.NumGoroutine() > goroutines; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				buf := make([]byte, 1<<16)
				t.Fatalf("%d goroutines are left, %d were there before\n%s", runtime.NumGoroutine(), goroutines, buf[:runtime.Stack(buf, true)])
			}
		}
	})
	return r
}

// onEachDriver runs a test for each driver that this system has.
func onEachDriver(t *testing.T, test func(t *testing.T, r *rig)) {
	drivers := []netloop.Driver{netloop.DriverGoroutine}
	if runtime.GOOS == "linux" {
		drivers = append(drivers, netloop.DriverEpoll)
	}
	for _, driver := range drivers {
		t.Run(string(driver), func(t *testing.T) { test(t, newRig(t, rigOptions{driver: driver})) })
	}
	if runtime.GOOS == "linux" {
		t.Run("own listener", func(t *testing.T) { test(t, newRig(t, rigOptions{driver: netloop.DriverEpoll, own: true})) })
	}
}

func (r *rig) address() string { return r.server.Listener.Addr().String() }

// sessions waits until the hub counts n.
func (r *rig) sessions(t *testing.T, n int64) {
	t.Helper()
	for end := time.Now().Add(patience); r.hub.Metrics.Sessions.Load() != n; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the hub counts %d sessions, want %d", r.hub.Metrics.Sessions.Load(), n)
		}
	}
}

// publish appends one message to a channel. It may be called from any goroutine.
func (r *rig) publish(t *testing.T, name wire.ChannelName, payload wire.Payload) {
	t.Helper()
	principal, err := auth.Development().Authenticate(t.Context(), auth.Credential{})
	if err != nil {
		t.Error(err)
		return
	}
	r.hub.Publish(principal, &wire.Publish{Channel: name, Publication: wire.Publication{Payload: payload}}, func(_ *wire.Published, err error) {
		if err != nil {
			t.Error(err)
		}
	})
}

// peer is a client made with a library that knows nothing of this one.
type peer struct {
	t     testing.TB
	conn  *coder.Conn
	codec wire.Codec
}

// dial connects with a subprotocol; "" asks for none.
func (r *rig) dial(t testing.TB, subprotocols ...string) *peer {
	t.Helper()
	p, err := r.tryDial(t, subprotocols...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (r *rig) tryDial(t testing.TB, subprotocols ...string) (*peer, error) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	opts := &coder.DialOptions{HTTPClient: r.server.Client(), Subprotocols: subprotocols}
	if r.compression {
		opts.CompressionMode = coder.CompressionNoContextTakeover
		opts.CompressionThreshold = 1
	}
	c, res, err := coder.Dial(ctx, r.server.URL+"/ws", opts)
	if res != nil && res.Body != nil {
		_ = res.Body.Close()
	}
	if err != nil {
		return nil, err
	}
	c.SetReadLimit(1 << 20)
	p := &peer{t: t, conn: c}
	if c.Subprotocol() == SubprotocolProtobuf {
		p.codec = wire.Protobuf
	}
	t.Cleanup(func() { _ = c.CloseNow() })
	return p, nil
}

func (p *peer) send(requestID string, body wire.Body) {
	p.t.Helper()
	if err := p.write(requestID, body); err != nil {
		p.t.Fatal(err)
	}
}

func (p *peer) write(requestID string, body wire.Body) error {
	kind := coder.MessageText
	if p.codec == wire.Protobuf {
		kind = coder.MessageBinary
	}
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	return p.conn.Write(ctx, kind, p.codec.Append(nil, &wire.Frame{RequestID: requestID, Body: body}))
}

func (p *peer) next() (*wire.Frame, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, b, err := p.conn.Read(ctx)
	if err != nil {
		return nil, err
	}
	var d wire.Decoder
	f := &wire.Frame{}
	return f, d.Decode(p.codec, b, f)
}

// expect reads the next frame, which must be a T.
func expect[T wire.Body](p *peer, requestID string) T {
	p.t.Helper()
	f, err := p.next()
	if err != nil {
		p.t.Fatal(err)
	}
	body, ok := f.Body.(T)
	if !ok || f.RequestID != requestID {
		p.t.Fatalf("received %q %#v, want %T for %q", f.RequestID, f.Body, body, requestID)
	}
	return body
}

// raw is a client that writes what no library would.
type raw struct {
	t testing.TB
	net.Conn
	reader *bufio.Reader
}

func (r *rig) connectRaw(t testing.TB) *raw {
	t.Helper()
	nc, err := net.Dial("tcp", r.address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(2 * patience)); err != nil {
		t.Fatal(err)
	}
	return &raw{t, nc, bufio.NewReader(nc)}
}

// handshake is the request of a client; lines are added to it, or with a leading '-' taken away.
func handshake(host string, lines ...string) string {
	return handshakeWith("GET /any HTTP/1.1", host, lines...)
}

func handshakeWith(request, host string, lines ...string) string {
	headers := []string{
		"Host: " + host, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
		"Sec-WebSocket-Key: " + base64.StdEncoding.EncodeToString([]byte("sixteen bytes...")),
	}
	var b strings.Builder
	b.WriteString(request + "\r\n")
	for _, h := range headers {
		name, _, _ := strings.Cut(h, ":")
		taken := false
		for _, line := range lines {
			taken = taken || line == "-"+name
		}
		if !taken {
			b.WriteString(h + "\r\n")
		}
	}
	for _, line := range lines {
		if !strings.HasPrefix(line, "-") {
			b.WriteString(line + "\r\n")
		}
	}
	return b.String() + "\r\n"
}

// upgrade sends a handshake, with frames in the same segment, and reads the answer.
func (c *raw) upgrade(frames ...[]byte) *raw {
	c.t.Helper()
	b := []byte(handshake(c.RemoteAddr().String(), "Sec-WebSocket-Extensions: permessage-deflate"))
	for _, f := range frames {
		b = append(b, f...)
	}
	if _, err := c.Write(b); err != nil {
		c.t.Fatal(err)
	}
	res := c.response()
	if res.StatusCode != http.StatusSwitchingProtocols {
		c.t.Fatalf("the answer is %s", res.Status)
	}
	return c
}

func (c *raw) response() *http.Response {
	c.t.Helper()
	res, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	return res
}

func (c *raw) send(frames ...[]byte) {
	for _, f := range frames {
		if _, err := c.Write(f); err != nil {
			return // it was closed; what was received tells why
		}
	}
}

func (c *raw) frame() (serverFrame, error) {
	var head [2]byte
	if _, err := io.ReadFull(c.reader, head[:]); err != nil {
		return serverFrame{}, err
	}
	n := int(head[1])
	if n == 126 {
		var length [2]byte
		if _, err := io.ReadFull(c.reader, length[:]); err != nil {
			return serverFrame{}, err
		}
		n = int(binary.BigEndian.Uint16(length[:]))
	}
	payload := make([]byte, n)
	_, err := io.ReadFull(c.reader, payload)
	return serverFrame{opcode(head[0] & opcodeBits), string(payload)}, err
}

// want reads the next frame, which must contain a text.
func (c *raw) want(op opcode, text string) {
	c.t.Helper()
	f, err := c.frame()
	if err != nil || f.op != op || !strings.Contains(f.payload, text) {
		c.t.Fatalf("received %v and %v, want opcode %d and %q", f, err, op, text)
	}
}

// ending reads to the end and returns the code of the close frame.
func (c *raw) ending() (wire.CloseCode, error) {
	for {
		f, err := c.frame()
		if err != nil {
			return 0, fmt.Errorf("no close frame came: %w", err)
		}
		if f.op != opClose {
			continue
		}
		if _, err := c.frame(); err != io.EOF { //nolint:errorlint // the reader's own
			return 0, fmt.Errorf("behind the close frame: %w", err)
		}
		return wire.CloseCode(binary.BigEndian.Uint16([]byte(f.payload))), nil
	}
}
