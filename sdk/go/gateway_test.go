package magpieclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
)

// gateway is the other end of a client's line, played by the test. It knows nothing of package wire: frames are JSON
// texts, so that the client is held to what stands on the line.
type gateway struct {
	t     *testing.T
	pipes *pipeListener
	peers chan *peer
}

// peer is one line, seen from the gateway.
type peer struct {
	t    *testing.T
	conn *websocket.Conn
	done chan struct{}
}

// frame is a frame as a JSON reader sees it.
type frame map[string]any

func (f frame) id() string {
	id, _ := f["requestId"].(string)
	return id
}

func (f frame) offset(field string) float64 {
	from, _ := f[field].(map[string]any)
	offset, _ := from["offset"].(float64)
	return offset
}

// inBubble runs a dialogue with a fake clock, and fails when a goroutine is left over.
func inBubble(t *testing.T, dialogue func(t *testing.T, g *gateway)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		g := &gateway{t: t, pipes: newPipeListener(), peers: make(chan *peer)}
		server := &http.Server{Handler: g, ReadHeaderTimeout: time.Minute}
		var serving sync.WaitGroup
		serving.Go(func() {
			if err := server.Serve(g.pipes); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
				t.Errorf("the fake gateway: %v", err)
			}
		})
		dialogue(t, g)
		if err := server.Close(); err != nil {
			t.Errorf("close the fake gateway: %v", err)
		}
		serving.Wait()
	})
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/ws" {
		http.Error(w, "refused by the test", len(r.URL.Path)-1+400)
		return
	}
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"magpie.v1.json"}})
	if err != nil {
		g.t.Errorf("accept: %v", err)
		return
	}
	p := &peer{t: g.t, conn: conn, done: make(chan struct{})}
	g.peers <- p
	<-p.done
}

// options are those of a client of this gateway.
func (g *gateway) options() Options {
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return g.pipes.dial(ctx) },
	}
	return Options{URL: "ws://gateway/ws", HTTPClient: &http.Client{Transport: transport}}
}

// open makes a client with a line, and gives both ends.
func (g *gateway) open(opts Options) (*Client, *peer) {
	g.t.Helper()
	c, err := New(opts)
	if err != nil {
		g.t.Fatal(err)
	}
	return c, g.welcome()
}

// accept waits for a line.
func (g *gateway) accept() *peer {
	g.t.Helper()
	select {
	case p := <-g.peers:
		return p
	case <-time.After(time.Hour):
		g.t.Fatal("no line came within an hour")
		return nil
	}
}

// welcome waits for a line and accepts its connect.
func (g *gateway) welcome() *peer {
	g.t.Helper()
	p := g.accept()
	p.greet(p.expect("connect"), 30000, 90000)
	return p
}

func (p *peer) greet(connect frame, interval, timeout int) {
	p.send(`{"type":"connected","requestId":%q,"sessionId":"s1","userId":"dev","nodeId":"n1","serverTime":1,`+
		`"heartbeat":{"intervalMs":%d,"timeoutMs":%d},"limits":{"frameBytes":1000}}`, connect.id(), interval, timeout)
}

func (p *peer) send(format string, args ...any) {
	p.t.Helper()
	if err := p.trySend(format, args...); err != nil {
		p.t.Fatalf("send: %v", err)
	}
}

func (p *peer) trySend(format string, args ...any) error {
	return p.conn.Write(context.Background(), websocket.MessageText, fmt.Appendf(nil, format, args...))
}

func (p *peer) receive() (frame, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	_, data, err := p.conn.Read(ctx)
	if err != nil {
		return nil, err
	}
	var f frame
	return f, json.Unmarshal(data, &f)
}

// expect reads the next frame, which must be of that type.
func (p *peer) expect(kind string) frame {
	p.t.Helper()
	f, err := p.receive()
	if err != nil {
		p.t.Fatalf("expected a %s frame: %v", kind, err)
	}
	if f["type"] != kind {
		p.t.Fatalf("expected a %s frame, got %v", kind, f)
	}
	return f
}

// subscribed answers a subscribe frame.
func (p *peer) subscribed(f frame, epoch string, offset, tail int, recovered bool) {
	p.t.Helper()
	p.send(`{"type":"subscribed","requestId":%q,"channel":%q,"position":{"epoch":%q,"offset":%d},"tail":%d,"recovered":%t}`,
		f.id(), f["channel"], epoch, offset, tail, recovered)
}

// messages sends the messages from..to of channel c.
func (p *peer) messages(from, to int) {
	p.t.Helper()
	for offset := from; offset <= to; offset++ {
		p.send(`{"type":"message","channel":"c","offset":%d,"messageId":"m%d","timestamp":5,"data":{"n":%d}}`, offset, offset, offset)
	}
}

// cut ends the line without a word.
func (p *peer) cut() {
	_ = p.conn.CloseNow() // the client may have been faster
	close(p.done)
}

// close ends the line with a close code.
func (p *peer) close(code int) {
	_ = p.conn.Close(websocket.StatusCode(code), "") // the client may have been faster
	close(p.done)
}

// finish closes the client and answers its close.
func (p *peer) finish(c *Client) {
	p.t.Helper()
	synctest.Wait() // what was sent has been taken in
	var closing sync.WaitGroup
	closing.Go(func() {
		if err := c.Close(); err != nil {
			p.t.Errorf("Close: %v", err)
		}
	})
	for {
		_, err := p.receive()
		if err == nil {
			continue
		}
		if status := websocket.CloseStatus(err); status != websocket.StatusNormalClosure {
			p.t.Errorf("the client closed with %v, want 1000", err)
		}
		break
	}
	closing.Wait()
	p.cut()
}

// pipeListener is a network without a kernel, which a bubble of synctest can see through.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (l *pipeListener) dial(ctx context.Context) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case l.conns <- far:
		return near, nil
	case <-l.done:
		return nil, errors.New("connection refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "gateway", Net: "pipe"} }
