package netloop

import (
	"io"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// listenWith has the group accept, with a handler for each connection from newHandler.
func listenWith(t *testing.T, g *Group, newHandler func(*Loop, Taken, netip.AddrPort) Handler) (address string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stop, err := g.Listen(ln, newHandler)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return ln.Addr().String()
}

func dialled(t *testing.T, address string) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(2 * patience)); err != nil {
		t.Fatal(err)
	}
	return nc
}

func TestLoopsAcceptInTurns(t *testing.T) {
	leavesNothingBehind(t)
	g := startGroup(t, Options{Loops: 3, Driver: DriverEpoll})
	remotes := make(chan netip.AddrPort, 30)
	address := listenWith(t, g, func(_ *Loop, c Taken, remote netip.AddrPort) Handler {
		remotes <- remote
		s := echo()
		s.Conn = c
		return s
	})
	for range cap(remotes) {
		client := dialled(t, address)
		roundTrip(t, client, "hello")
		if got := receive(t, remotes, "a connection"); got.String() != client.LocalAddr().String() {
			t.Errorf("the remote address is %s, want %s", got, client.LocalAddr())
		}
	}
	for _, l := range g.Loops() {
		if l.Conns() != cap(remotes)/3 {
			t.Errorf("loop %d has %d connections, want %d", l.Index(), l.Conns(), cap(remotes)/3)
		}
	}
}

func TestHandlerIsReplaced(t *testing.T) {
	leavesNothingBehind(t)
	g := startGroup(t, Options{Loops: 1, Driver: DriverEpoll})
	address := listenWith(t, g, func(_ *Loop, c Taken, _ netip.AddrPort) Handler {
		first := newScript()
		first.read = func(_ *script, b []byte) {
			second := echo()
			second.Conn = c
			c.SetHandler(second)
			second.Read(b)
		}
		return first
	})
	client := dialled(t, address)
	roundTrip(t, client, "one")
	roundTrip(t, client, "two")
}

func TestDetachedConnectionBelongsToTheRuntime(t *testing.T) {
	leavesNothingBehind(t)
	g := startGroup(t, Options{Loops: 2, Driver: DriverEpoll})
	detached := make(chan net.Conn, 1)
	address := listenWith(t, g, func(_ *Loop, c Taken, _ netip.AddrPort) Handler {
		s := newScript()
		s.Conn = c
		s.timer = func(*script, time.Time) { t.Error("the timer of a detached connection fired") }
		s.onClosed = func(*script, error) { t.Error("a detached connection was told to be closed") }
		s.read = func(*script, []byte) {
			c.SetTimer(time.Now().Add(time.Millisecond))
			nc, err := c.Detach()
			if err != nil {
				t.Error(err)
			}
			if _, err := c.Detach(); err == nil {
				t.Error("a connection was detached twice")
			}
			c.Close()
			detached <- nc
		}
		return s
	})
	client := dialled(t, address)
	if _, err := client.Write([]byte("a")); err != nil {
		t.Fatal(err)
	}
	nc := receive(t, detached, "the connection")
	defer nc.Close()
	for _, l := range g.Loops() {
		if l.Conns() != 0 {
			t.Errorf("loop %d still counts %d connections", l.Index(), l.Conns())
		}
	}
	go func() { _, _ = io.Copy(nc, nc) }()
	roundTrip(t, client, "from goroutines")
	if err := client.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
}

// TestAcceptWithoutDescriptorsLeft: a listener whose connections cannot be accepted must not keep its loop busy, and
// goes on by itself when descriptors are there again.
func TestAcceptWithoutDescriptorsLeft(t *testing.T) {
	leavesNothingBehind(t)
	g := startGroup(t, Options{Loops: 1, Driver: DriverEpoll})
	address := listenWith(t, g, func(_ *Loop, c Taken, _ netip.AddrPort) Handler {
		s := echo()
		s.Conn = c
		return s
	})
	steady := dialled(t, address)
	roundTrip(t, steady, "before")

	// The client's own socket is made before there are none left.
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: limit.Max}); err != nil {
		t.Fatal(err)
	}
	port := netip.MustParseAddrPort(address).Port()
	connected := unix.Connect(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: int(port)})
	before := processTime(t)
	for range 5 { // while nothing can be accepted, those that are there are served
		roundTrip(t, steady, "meanwhile")
		time.Sleep(acceptPause)
	}
	spent := processTime(t) - before
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if connected != nil {
		t.Fatal(connected)
	}
	if spent > 3*acceptPause {
		t.Errorf("%v of processor time were spent within %v: the loop spins", spent, 5*acceptPause)
	}
	if !poll(func() bool { return g.Loops()[0].Conns() == 2 }) {
		t.Error("the connection that waited was never accepted")
	}
	roundTrip(t, dialled(t, address), "after")
}

// processTime is the processor time that this process has used.
func processTime(t *testing.T) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
