package netloop

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/magpie-bridge/magpie/internal/selfsigned"
)

// patience is how long a test waits for what must come; nothing that works takes it.
const patience = 20 * time.Second

// onEachDriver runs a test on a group of one loop, for each driver that this system has, and
// fails it when goroutines or descriptors are left behind.
func onEachDriver(t *testing.T, test func(t *testing.T, g *rig)) {
	type kind struct {
		driver Driver
		secure bool
	}
	kinds := map[string]kind{"goroutine": {DriverGoroutine, false}, "TLS on goroutine": {DriverGoroutine, true}}
	if runtime.GOOS == "linux" {
		kinds["epoll"] = kind{DriverEpoll, false}
		kinds["TLS on epoll"] = kind{DriverEpoll, true}
	}
	for name, k := range kinds {
		t.Run(name, func(t *testing.T) {
			leavesNothingBehind(t)
			g := &rig{Group: startGroup(t, Options{Loops: 1, Driver: k.driver})}
			if k.secure {
				g.secure(t)
			}
			test(t, g)
		})
	}
}

// rig is a group with the kind of connections that it is to be tested with.
type rig struct {
	*Group
	server, client *tls.Config // nil: without TLS
}

func (g *rig) secure(t *testing.T) {
	t.Helper()
	certFile, keyFile, err := selfsigned.Write(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(pair.Leaf)
	// Tickets would lie in the receive buffer of a client that reads nothing, and have it reset the connection instead of
	// ending it.
	g.server = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, SessionTicketsDisabled: true}
	g.client = &tls.Config{RootCAs: roots, ServerName: "localhost", MinVersion: tls.VersionTLS12}
}

// client is the far end of a connection under test.
type client interface {
	net.Conn
	CloseWrite() error
	SetLinger(seconds int) error
}

// secureClient is a client over TLS.
type secureClient struct {
	*tls.Conn
	socket *net.TCPConn
	rude   bool
}

// SetLinger implements client. A peer that resets says no goodbye.
func (c *secureClient) SetLinger(seconds int) error {
	c.rude = true
	return c.socket.SetLinger(seconds)
}

// Close implements [net.Conn].
func (c *secureClient) Close() error {
	if c.rude {
		return c.socket.Close()
	}
	return c.Conn.Close()
}

// pair returns both ends of a connection over loopback, of the kind that is being tested.
func (g *rig) pair(t testing.TB) (server net.Conn, far client) {
	t.Helper()
	near, dialled := socketPair(t)
	if g.server == nil {
		return near, dialled
	}
	listener := g.BeneathTLS(oneConn{near})
	beneath, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	secure, secured := tls.Server(beneath, g.server), tls.Client(dialled, g.client)
	shaken := make(chan error, 1)
	go func() { shaken <- secure.HandshakeContext(t.Context()) }()
	if err := errors.Join(secured.HandshakeContext(t.Context()), <-shaken); err != nil {
		t.Fatal(err)
	}
	return secure, &secureClient{Conn: secured, socket: dialled}
}

// oneConn is a listener with one connection.
type oneConn struct{ net.Conn }

func (l oneConn) Accept() (net.Conn, error) { return l.Conn, nil }
func (l oneConn) Addr() net.Addr            { return l.LocalAddr() }

func startGroup(t *testing.T, opts Options) *Group {
	t.Helper()
	g, err := NewGroup(opts)
	if err != nil {
		t.Fatal(err)
	}
	g.Start()
	t.Cleanup(g.Close)
	return g
}

// leavesNothingBehind compares goroutines and descriptors before and after the test, once its clean-ups have run.
func leavesNothingBehind(t *testing.T) {
	t.Helper()
	goroutines, descriptors := runtime.NumGoroutine(), openDescriptors()
	t.Cleanup(func() {
		settled := func() bool {
			return runtime.NumGoroutine() <= goroutines && openDescriptors() <= descriptors
		}
		if !poll(settled) {
			buf := make([]byte, 1<<16)
			t.Errorf("left behind: %d goroutines (%d before), %d descriptors (%d before)\n%s",
				runtime.NumGoroutine(), goroutines, openDescriptors(), descriptors, buf[:runtime.Stack(buf, true)])
		}
	})
}

// openDescriptors counts the descriptors of this process; 0 where the system does not tell.
func openDescriptors() int {
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(list)
}

// poll reports whether cond comes true in time.
func poll(cond func() bool) bool {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if cond() {
			return true
		}
	}
	return cond()
}

// receive waits for a value.
func receive[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

// onLoop runs f on the loop and waits for it.
func onLoop(t *testing.T, l *Loop, f func()) {
	t.Helper()
	done := make(chan struct{})
	if !l.Post(func() { defer close(done); f() }) {
		t.Fatal("the loop has ended")
	}
	receive(t, done, "a task on the loop")
}

// socketPair returns both ends of a TCP connection over loopback.
func socketPair(t testing.TB) (server, client *net.TCPConn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	dialled, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	client = dialled.(*net.TCPConn)
	t.Cleanup(func() { _ = client.Close() })
	if err := client.SetDeadline(time.Now().Add(2 * patience)); err != nil {
		t.Fatal(err)
	}
	return accepted.(*net.TCPConn), client
}

// script is a handler made of functions; those that are nil do nothing. Its first fields are for the loop alone.
type script struct {
	Conn
	loop     *Loop
	read     func(s *script, b []byte)
	writable func(s *script)
	timer    func(s *script, now time.Time)
	onClosed func(s *script, err error)

	began  chan struct{}
	closed chan error // gets what Closed was told
}

func newScript() *script {
	return &script{began: make(chan struct{}), closed: make(chan error, 8)}
}

func (s *script) Read(b []byte) {
	if s.read != nil {
		s.read(s, b)
	}
}

func (s *script) Writable() {
	if s.writable != nil {
		s.writable(s)
	}
}

func (s *script) Timer(now time.Time) {
	if s.timer != nil {
		s.timer(s, now)
	}
}

func (s *script) Closed(err error) {
	s.closed <- err
	if s.onClosed != nil {
		s.onClosed(s, err)
	}
}

// adopterOf is a [Group], or a rig with one.
type adopterOf interface {
	Adopt(nc net.Conn, buffered []byte, newHandler func(*Loop, Conn) Handler) error
}

// adopt gives the connection to the group and waits until its handler is there.
func (s *script) adopt(t *testing.T, g adopterOf, nc net.Conn, buffered string) *script {
	t.Helper()
	err := g.Adopt(nc, []byte(buffered), func(l *Loop, c Conn) Handler {
		s.loop, s.Conn = l, c
		close(s.began)
		return s
	})
	if err != nil {
		t.Fatal(err)
	}
	receive(t, s.began, "the handler to be made")
	return s
}

// endsWith waits for Closed, and then makes sure that it was the only one.
func (s *script) endsWith(t *testing.T, want error) {
	t.Helper()
	if err := receive(t, s.closed, "Closed"); !errors.Is(err, want) {
		t.Errorf("Closed was told %v, want %v", err, want)
	}
	onLoop(t, s.loop, func() {})
	if len(s.closed) > 0 {
		t.Error("Closed was called twice")
	}
}

// echo is a script that writes back what it reads, with the back-pressure of a real handler.
func echo() *script {
	s := newScript()
	var rest []byte
	flush := func(s *script) {
		n, _ := s.Write(rest) // an error comes by Closed
		if rest = append(rest[:0], rest[n:]...); len(rest) > 0 {
			s.SetReading(false)
		} else {
			s.SetReading(true)
		}
	}
	s.read = func(s *script, b []byte) {
		rest = append(rest, b...)
		flush(s)
	}
	s.writable = flush
	return s
}

// roundTrip sends text and expects it back.
func roundTrip(t *testing.T, client net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(client, text); err != nil {
		t.Fatal(err)
	}
	expect(t, client, text)
}

func expect(t *testing.T, client net.Conn, text string) {
	t.Helper()
	got := make([]byte, len(text))
	if n, err := io.ReadFull(client, got); err != nil || string(got) != text {
		t.Fatalf("received %q and %v, want %q", got[:n], err, text)
	}
}

// pattern returns n bytes in which any loss, repetition or exchange shows.
func pattern(n int) []byte {
	b := make([]byte, n)
	state := uint32(1)
	for i := range b {
		state = state*1664525 + 1013904223
		b[i] = byte(state >> 24)
	}
	return b
}

// sameBytes fails with the first difference.
func sameBytes(t *testing.T, got, want []byte) {
	t.Helper()
	if bytes.Equal(got, want) {
		return
	}
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("the bytes differ from %d on; %d of %d arrived", i, len(got), len(want))
		}
	}
	t.Fatalf("%d bytes arrived, want %d", len(got), len(want))
}
