package netloop

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

func TestEcho(t *testing.T) {
	onEachDriver(t, func(t *testing.T, g *rig) {
		server, client := g.pair(t)
		s := echo().adopt(t, g, server, "")
		for _, text := range []string{"a", "hello", string(pattern(3 * readBytes))} {
			roundTrip(t, client, text)
		}
		if n := s.loop.Conns(); n != 1 {
			t.Errorf("the loop counts %d connections, want 1", n)
		}
		_ = client.Close()
		s.endsWith(t, io.EOF)
		if n := s.loop.Conns(); n != 0 {
			t.Errorf("the loop counts %d connections, want 0", n)
		}
	})
}

func TestBufferedBytesComeFirst(t *testing.T) {
	onEachDriver(t, func(t *testing.T, g *rig) {
		server, client := g.pair(t)
		if _, err := io.WriteString(client, " and then"); err != nil {
			t.Fatal(err)
		}
		echo().adopt(t, g, server, "first")
		expect(t, client, "first and then")
	})
}

func TestEveryByteArrivesThroughShortWrites(t *testing.T) {
	everyByteArrives(t, func(c Conn, b []byte) (int, error) { return c.Write(b) })
}

func TestEveryByteArrivesThroughShortWritesOfManyParts(t *testing.T) {
	for _, size := range []int{1, 100, 100_000} {
		everyByteArrives(t, func(c Conn, b []byte) (int, error) {
			var parts [][]byte
			for part := range slices.Chunk(b[:min(len(b), 40*size)], size) { // more than one call takes
				parts = append(parts, part, nil)
			}
			if len(b) > 40*size {
				parts = append(parts, b[40*size:])
			}
			return Writev(c, parts)
		})
	}
}

// everyByteArrives passes much more than there is room for to write, over and over.
func everyByteArrives(t *testing.T, write func(c Conn, b []byte) (int, error)) {
	t.Helper()
	onEachDriver(t, func(t *testing.T, g *rig) {
		server, client := g.pair(t)
		want := pattern(8 << 20)
		rest, short := want, make(chan struct{})
		var once sync.Once
		s := newScript()
		s.writable = func(s *script) {
			n, err := write(s.Conn, rest)
			if err != nil {
				t.Error(err)
			}
			if rest = rest[n:]; len(rest) > 0 {
				once.Do(func() { close(short) })
			} else {
				s.Shutdown()
			}
		}
		s.read = func(s *script, _ []byte) { s.writable(s) }
		s.adopt(t, g, server, "")
		if _, err := io.WriteString(client, "go"); err != nil {
			t.Fatal(err)
		}
		receive(t, short, "a short write") // before the client reads anything
		got, err := io.ReadAll(client)
		if err != nil {
			t.Fatal(err)
		}
		sameBytes(t, got, want)
		_ = client.Close()
		s.endsWith(t, io.EOF)
	})
}

func TestPausedConnectionIsNotRead(t *testing.T) {
	onEachDriver(t, func(t *testing.T, g *rig) {
		server, client := g.pair(t)
		var received []byte
		s := newScript()
		s.read = func(_ *script, b []byte) { received = append(received, b...) }
		s.adopt(t, g, server, "")
		onLoop(t, s.loop, func() { s.SetReading(false) })
		if _, err := io.WriteString(client, "one"); err != nil {
			t.Fatal(err)
		}
		// Another connection is served all the while, and long enough to show a reader that goes on.
		other, otherClient := g.pair(t)
		echo().adopt(t, g, other, "")
		for range 50 {
			roundTrip(t, otherClient, "tick")
		}
		onLoop(t, s.loop, func() {
			if len(received) > 0 {
				t.Errorf("%q was read while reading was stopped", received)
			}
			s.SetReading(true)
		})
		if _, err := io.WriteString(client, "two"); err != nil {
			t.Fatal(err)
		}
		_ = client.CloseWrite()
		s.endsWith(t, io.EOF)
		if string(received) != "onetwo" {
			t.Errorf("received %q, want %q", received, "onetwo")
		}
	})
}

// A connection that is closed while its reading is stopped must not keep its reader, and one that is paused and
// resumed at each read must lose nothing.
func TestReadingStoppedAtEachRead(t *testing.T) {
	onEachDriver(t, func(t *testing.T, g *rig) {
		server, client := g.pair(t)
		var received []byte
		s := newScript()
		s.read = func(s *script, b []byte) {
			received = append(received, b...)
			s.SetReading(false)
			s.loop.Post(func() { s.SetReading(true) })
		}
		s.adopt(t, g, server, "")
		want := pattern(1 << 20)
		if _, err := client.Write(want); err != nil {
			t.Fatal(err)
		}
		_ = client.CloseWrite()
		s.endsWith(t, io.EOF)
		sameBytes(t, received, want)
	})
}

func TestPausedInWritableWhileBytesWait(t *testing.T) {
	onEachDriver(t, func(t *testing.T, g *rig) {
		server, client := g.pair(t)
		s := newScript()
		var received []byte
		var written int64
		fill := pattern(64 << 10)
		paused := make(chan struct{})
		var once sync.Once
		s.read = func(_ *script, b []byte) { received = append(received, b...) }
		s.writable = func(s *script) {
			s.SetReading(false)
			once.Do(func() { close(paused) })
		}
		s.adopt(t, g, server, "")
		// The loop is kept busy until the socket can be both read and written: one event then tells both.
		busy, full := make(chan struct{}), make(chan struct{})
		release := sync.OnceFunc(func() { close(busy) })
		defer release()
		s.loop.Post(func() {
			for n := 1; n > 0; {
				n, _ = s.Write(fill)
				written += int64(n)
			}
			close(full)
			<-busy
		})
		receive(t, full, "a short write")
		if _, err := io.WriteString(client, "later"); err != nil {
			t.Fatal(err)
		}
		// Over TLS the last record waits for the loop.
		const record = 16 << 10
		if _, err := io.CopyN(io.Discard, client, written-record); err != nil {
			t.Fatal(err)
		}
		release()
		receive(t, paused, "Writable")
		onLoop(t, s.loop, func() {})
		select {
		case err := <-s.closed:
			t.Fatalf("the connection was closed (%v), though its peer did nothing wrong", err)
		default:
		}
		onLoop(t, s.loop, func() { s.SetReading(true) })
		if !poll(func() bool {
			var n int
			onLoop(t, s.loop, func() { n = len(received) })
			return n == len("later")
		}) {
			t.Error("what was sent while reading was stopped never came")
		}
	})
}

func TestShutdownEndsOneDirection(t *testing.T) {
	onEachDriver(t, func(t *testing.T, g *rig) {
		server, client := g.pair(t)
		var received []byte
		s := newScript()
		s.read = func(s *script, b []byte) {
			if len(received) == 0 {
				if n, err := s.Write([]byte("last words")); n != 10 || err != nil {
					t.Errorf("Write: %d, %v", n, err)
				}
				s.Shutdown()
			}
			received = append(received, b...)
		}
		s.adopt(t, g, server, "")
		if _, err := io.WriteString(client, "hello"); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(client)
		if string(got) != "last words" || err != nil {
			t.Fatalf("received %q and %v", got, err)
		}
		if _, err := io.WriteString(client, ", and more"); err != nil {
			t.Fatal(err)
		}
		_ = client.CloseWrite()
		s.endsWith(t, io.EOF)
		if string(received) != "hello, and more" {
			t.Errorf("received %q after Shutdown", received)
		}
	})
}

// What Write has taken arrives, also when the peer ended its own side right behind its request.
func TestPeerHalfClosesBehindItsRequest(t *testing.T) {
	onEachDriver(t, func(t *testing.T, g *rig) {
		for range 200 {
			server, client := g.pair(t)
			s := newScript()
			s.read = func(s *script, b []byte) { _, _ = s.Write(b) }
			if _, err := io.WriteString(client, "request"); err != nil {
				t.Fatal(err)
			}
			_ = client.CloseWrite()
			s.adopt(t, g, server, "")
			got, err := io.ReadAll(client)
			if string(got) != "request" || err != nil {
				t.Fatalf("received %q and %v", got, err)
			}
			s.endsWith(t, io.EOF)
		}
	})
}

func TestPeerResets(t *testing.T) {
	onEachDriver(t, func(t *testing.T, g *rig) {
		for _, paused := range []bool{false, true} {
			server, client := g.pair(t)
			s := echo().adopt(t, g, server, "")
			roundTrip(t, client, "hello")
			onLoop(t, s.loop, func() { s.SetReading(!paused) })
			_ = client.SetLinger(0)
			_ = client.Close()
			if paused {
				s.loop.Post(func() { s.SetReading(true) })
			}
			s.endsWith(t, syscall.ECONNRESET)
		}
	})
}

// callbacks are the moments in which a handler can do something unexpected: each makes a script whose callback calls
// do, and provokes it.
var callbacks = []struct {
	name    string
	provoke func(t *testing.T, g *rig, do func(c Conn)) *script
}{
	{"newHandler", func(t *testing.T, g *rig, do func(Conn)) *script {
		server, _ := g.pair(t)
		s := newScript()
		s.loop = g.Loops()[0]
		s.read = func(s *script, _ []byte) { do(s) } // which must not happen any more
		err := g.Adopt(server, []byte("buffered"), func(_ *Loop, c Conn) Handler {
			s.Conn = c
			do(c)
			return s
		})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}},
	{"Read of buffered bytes", func(t *testing.T, g *rig, do func(Conn)) *script {
		server, _ := g.pair(t)
		s := newScript()
		s.read = func(s *script, _ []byte) { do(s) }
		return s.adopt(t, g, server, "buffered")
	}},
	{"Read", func(t *testing.T, g *rig, do func(Conn)) *script {
		server, client := g.pair(t)
		s := newScript()
		s.read = func(s *script, _ []byte) { do(s) }
		s.adopt(t, g, server, "")
		_, _ = io.WriteString(client, "hello")
		return s
	}},
	{"Writable", func(t *testing.T, g *rig, do func(Conn)) *script {
		server, client := g.pair(t)
		s := newScript()
		s.writable = func(s *script) { do(s) }
		s.adopt(t, g, server, "")
		onLoop(t, s.loop, func() {
			for n := 1; n > 0; {
				n, _ = s.Write(pattern(64 << 10))
			}
		})
		go func() { _, _ = io.Copy(io.Discard, client) }()
		return s
	}},
	{"Timer", func(t *testing.T, g *rig, do func(Conn)) *script {
		server, _ := g.pair(t)
		s := newScript()
		s.timer = func(s *script, _ time.Time) { do(s) }
		s.adopt(t, g, server, "")
		onLoop(t, s.loop, func() { s.SetTimer(time.Now()) })
		return s
	}},
}

func TestCloseFromWithinEachCallback(t *testing.T) {
	onEachDriver(t, func(t *testing.T, g *rig) {
		for _, callback := range callbacks {
			t.Run(callback.name, func(t *testing.T) {
				inside, calls := false, 0
				s := callback.provoke(t, g, func(c Conn) {
					inside = true
					if calls++; calls > 1 {
						t.Error("the handler was called again after Close")
					}
					c.Close()
					useAfterClose(t, c)
					inside = false
				})
				err := receive(t, s.closed, "Closed")
				if err != nil {
					t.Errorf("Closed was told %v, want nil", err)
				}
				onLoop(t, s.loop, func() {
					if inside {
						t.Error("Closed was called within the callback")
					}
					useAfterClose(t, s.Conn)
				})
				if len(s.closed) > 0 {
					t.Error("Closed was called twice")
				}
			})
		}
		if n := g.Loops()[0].Conns(); n != 0 {
			t.Errorf("the loop counts %d connections, want 0", n)
		}
	})
}

// useAfterClose calls all that a handler could still call by mistake.
func useAfterClose(t *testing.T, c Conn) {
	t.Helper()
	if n, err := c.Write([]byte("too late")); n != 0 || !errors.Is(err, net.ErrClosed) {
		t.Errorf("Write after Close: %d, %v", n, err)
	}
	c.SetTimer(time.Now())
	c.SetReading(false)
	c.SetReading(true)
	c.Shutdown()
	c.Close()
}

func TestPanicClosesOnlyItsConnection(t *testing.T) {
	onEachDriver(t, func(t *testing.T, g *rig) {
		server, client := g.pair(t)
		echo().adopt(t, g, server, "")
		for _, callback := range callbacks {
			t.Run(callback.name, func(t *testing.T) {
				s := callback.provoke(t, g, func(Conn) { panic("a fault of the handler") })
				if callback.name != "newHandler" { // otherwise there is nobody to tell
					if err := receive(t, s.closed, "Closed"); err == nil {
						t.Error("Closed was told nothing of the panic")
					}
				}
				if !poll(func() bool { return s.loop.Conns() == 1 }) {
					t.Errorf("the loop counts %d connections, want 1", s.loop.Conns())
				}
				roundTrip(t, client, "still here")
			})
		}
		t.Run("Closed", func(t *testing.T) {
			server, broken := g.pair(t)
			s := newScript()
			s.onClosed = func(*script, error) { panic("a fault of the handler") }
			s.adopt(t, g, server, "")
			_ = broken.Close()
			s.endsWith(t, io.EOF)
			roundTrip(t, client, "still here")
		})
		t.Run("a task", func(t *testing.T) {
			g.Loops()[0].Post(func() { panic("a fault of a task") })
			roundTrip(t, client, "still here")
		})
	})
}

// Handlers may close other connections, whose events were told in the same round.
func TestNoCallbackAfterAnotherHandlerClosed(t *testing.T) {
	onEachDriver(t, func(t *testing.T, g *rig) {
		pair := [2]*script{newScript(), newScript()}
		var clients [2]net.Conn
		reads := 0
		for i, s := range pair {
			server, client := g.pair(t)
			clients[i] = client
			s.read = func(*script, []byte) {
				reads++
				pair[1-i].Close()
			}
			s.adopt(t, g, server, "")
		}
		loop := g.Loops()[0]
		busy := make(chan struct{})
		loop.Post(func() { <-busy }) // both events are there when the loop looks again
		for _, client := range clients {
			if _, err := io.WriteString(client, "hello"); err != nil {
				t.Fatal(err)
			}
		}
		close(busy)
		if !poll(func() bool { return loop.Conns() == 1 }) {
			t.Fatalf("the loop counts %d connections, want 1", loop.Conns())
		}
		onLoop(t, loop, func() {
			if reads != 1 {
				t.Errorf("%d reads, want 1: the other was closed", reads)
			}
		})
	})
}

// A connection that comes takes the descriptor and the slot of one that has just gone. None may see the other's bytes.
func TestDescriptorUsedAgainAtOnce(t *testing.T) {
	onEachDriver(t, func(t *testing.T, g *rig) {
		for i := range 300 {
			server, client := g.pair(t)
			s := echo().adopt(t, g, server, "")
			text := fmt.Sprintf("connection %d", i)
			roundTrip(t, client, text)
			// Bytes and the end are on their way while the loop closes of its own.
			_, _ = io.WriteString(client, "stray")
			s.loop.Post(s.Close)
			if i%2 == 0 {
				_ = client.Close()
			}
		}
	})
}

func TestConnectionsThatComeAndGoDisturbNobody(t *testing.T) {
	onEachDriver(t, func(t *testing.T, g *rig) {
		var steady, coming sync.WaitGroup
		var over atomic.Bool
		for i := range 4 {
			server, client := g.pair(t)
			echo().adopt(t, g, server, "")
			steady.Go(func() {
				for round := 0; !over.Load(); round++ {
					text := fmt.Sprintf("%d: %d", i, round)
					got := make([]byte, len(text))
					_, err := io.WriteString(client, text)
					if err == nil {
						_, err = io.ReadFull(client, got)
					}
					if err != nil || string(got) != text {
						t.Errorf("received %q and %v, want %q", got, err, text)
						return
					}
				}
			})
		}
		for range 8 {
			coming.Go(func() {
				for i := range 250 {
					comeAndGo(t, g, i)
				}
			})
		}
		coming.Wait()
		over.Store(true)
		steady.Wait()
		if !poll(func() bool { return g.Loops()[0].Conns() == 4 }) {
			t.Errorf("the loop counts %d connections, want 4", g.Loops()[0].Conns())
		}
	})
}

// comeAndGo is one short life, ended in one of several ways.
func comeAndGo(t *testing.T, g *rig, i int) {
	server, client := g.pair(t)
	defer func() { _ = client.Close() }()
	err := g.Adopt(server, nil, func(l *Loop, c Conn) Handler {
		s := echo()
		s.loop, s.Conn = l, c
		s.SetTimer(time.Now().Add(time.Duration(i) * time.Millisecond))
		s.timer = func(*script, time.Time) {}
		return s
	})
	if err != nil {
		t.Error(err)
		return
	}
	switch i % 4 {
	case 0: // gone before it said anything
	case 1:
		_ = client.SetLinger(0)
		_, _ = io.WriteString(client, "reset behind this")
	case 2:
		_, _ = client.Write(pattern(32 << 10)) // and the echo is not read
	default:
		text := fmt.Sprintf("guest %d", i)
		got := make([]byte, len(text))
		_, _ = io.WriteString(client, text)
		if _, err := io.ReadFull(client, got); err != nil || string(got) != text {
			t.Errorf("received %q and %v, want %q", got, err, text)
		}
	}
}

func TestTimers(t *testing.T) {
	onEachDriver(t, func(t *testing.T, g *rig) {
		server, _ := g.pair(t)
		fired := make(chan time.Time, 8)
		s := newScript()
		s.timer = func(_ *script, now time.Time) { fired <- now }
		s.adopt(t, g, server, "")
		at := time.Now().Add(150 * time.Millisecond)
		onLoop(t, s.loop, func() {
			s.SetTimer(at.Add(-100 * time.Millisecond))
			s.SetTimer(at.Add(time.Hour))
			s.SetTimer(at) // replaces both
		})
		if now := receive(t, fired, "the timer"); now.Before(at) {
			t.Errorf("fired %v early", at.Sub(now))
		}
		onLoop(t, s.loop, func() {
			s.SetTimer(time.Now())
			s.SetTimer(time.Time{}) // stops it
		})
		// A later timer of another connection shows that the time of the first has passed.
		other, _ := g.pair(t)
		otherFired := make(chan time.Time, 1)
		o := newScript()
		o.timer = func(_ *script, now time.Time) { otherFired <- now }
		o.adopt(t, g, other, "")
		onLoop(t, o.loop, func() { o.SetTimer(time.Now().Add(2 * wheelTick)) })
		receive(t, otherFired, "the timer of another connection")
		if len(fired) > 0 {
			t.Error("a stopped timer fired, or one fired twice")
		}
	})
}
