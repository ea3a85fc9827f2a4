package netloop

import (
	"io"
	"net"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"weak"
)

func TestPostKeepsTheOrder(t *testing.T) {
	onEachDriver(t, func(t *testing.T, g *rig) {
		const n = 2000
		loop := g.Loops()[0]
		var order []int
		for i := range n {
			if !loop.Post(func() { order = append(order, i) }) {
				t.Fatal("Post was refused")
			}
		}
		onLoop(t, loop, func() {
			if len(order) != n || !slices.IsSorted(order) {
				t.Errorf("%d of %d tasks ran, in order: %v", len(order), n, slices.IsSorted(order))
			}
		})
	})
}

// Each task is waited for before the next is posted, so that a single wake that is lost shows.
func TestNoWakeIsLost(t *testing.T) {
	onEachDriver(t, func(t *testing.T, g *rig) {
		loop := g.Loops()[0]
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				done := make(chan struct{}, 1)
				for range 2000 {
					loop.Post(func() { done <- struct{}{} })
					select {
					case <-done:
					case <-time.After(patience):
						t.Error("a task was never run")
						return
					}
				}
			})
		}
		wg.Wait()
	})
}

func TestPostAfterClose(t *testing.T) {
	onEachDriver(t, func(t *testing.T, g *rig) {
		loop := g.Loops()[0]
		ran := false
		loop.Post(func() { ran = true })
		g.Close()
		if !ran {
			t.Error("a task that was accepted never ran")
		}
		if loop.Post(func() { t.Error("a task that was refused ran") }) {
			t.Error("Post was accepted after Close")
		}
		loop.Wake()
		g.Close() // once more changes nothing

		server, client := g.pair(t)
		if err := g.Adopt(server, nil, nil); err == nil {
			t.Error("a connection was adopted after Close")
		}
		if _, err := client.Read(make([]byte, 1)); err == nil {
			t.Error("the connection that was refused is still open")
		}
	})
}

func TestGroupCloseEndsEverything(t *testing.T) {
	onEachDriver(t, func(t *testing.T, g *rig) {
		var scripts []*script
		for i := range 60 {
			server, client := g.pair(t)
			s := echo().adopt(t, g, server, "")
			scripts = append(scripts, s)
			switch i % 3 {
			case 0:
				onLoop(t, s.loop, func() { s.SetReading(false) })
				_, _ = io.WriteString(client, "unread")
			case 1:
				onLoop(t, s.loop, func() {
					s.writable = nil
					for n := 1; n > 0; {
						n, _ = s.Write(pattern(64 << 10)) // until it blocks
					}
				})
			}
		}
		g.Close()
		for _, s := range scripts {
			select {
			case err := <-s.closed:
				if err != ErrLoopClosed { //nolint:errorlint // the very error is promised
					t.Errorf("Closed was told %v, want ErrLoopClosed", err)
				}
			default:
				t.Fatal("Close returned before every handler was told")
			}
		}
		if n := g.Loops()[0].Conns(); n != 0 {
			t.Errorf("the loop counts %d connections, want 0", n)
		}
	})
}

// What a connection held is free soon after its end, though its timer was set for long.
func TestClosedConnectionIsForgotten(t *testing.T) {
	onEachDriver(t, func(t *testing.T, g *rig) {
		handler := func() weak.Pointer[script] {
			server, client := g.pair(t)
			s := echo().adopt(t, g, server, "")
			onLoop(t, s.loop, func() { s.SetTimer(time.Now().Add(time.Hour)) })
			_ = client.Close()
			s.endsWith(t, io.EOF)
			return weak.Make(s)
		}()
		if !poll(func() bool { runtime.GC(); return handler.Value() == nil }) {
			t.Error("the handler is still held")
		}
	})
}

// countdown is a worker that has work for some slices.
type countdown struct {
	left  atomic.Int32
	calls atomic.Int32
}

func (c *countdown) Work(slice time.Duration) bool {
	if slice <= 0 {
		panic("a slice of no time")
	}
	c.calls.Add(1)
	return c.left.Load() > 0 && c.left.Add(-1) > 0
}

func TestWorkGoesOnWhileThereIsMore(t *testing.T) {
	for _, driver := range []Driver{DriverAuto, DriverGoroutine} {
		t.Run(string(driver), func(t *testing.T) {
			leavesNothingBehind(t)
			g, err := NewGroup(Options{Loops: 1, Driver: driver})
			if err != nil {
				t.Fatal(err)
			}
			loop, work := g.Loops()[0], &countdown{}
			loop.SetWorker(work)
			g.Start()
			t.Cleanup(g.Close)

			work.left.Store(1000)
			loop.Wake() // once is enough
			if !poll(func() bool { return work.left.Load() == 0 }) {
				t.Errorf("%d slices were never worked", work.left.Load())
			}

			// Connections are served between the slices of work that has no end.
			work.left.Store(1 << 30)
			loop.Wake()
			server, client := socketPair(t)
			echo().adopt(t, g, server, "")
			for range 20 {
				roundTrip(t, client, "between")
			}
			work.left.Store(1)
			if !poll(func() bool { return work.left.Load() == 0 }) {
				t.Error("the work did not end")
			}
		})
	}
}

func TestLoopRestsWithoutWork(t *testing.T) {
	g, err := NewGroup(Options{Loops: 1})
	if err != nil {
		t.Fatal(err)
	}
	loop, work := g.Loops()[0], &countdown{}
	loop.SetWorker(work)
	g.Start()
	t.Cleanup(g.Close)
	onLoop(t, loop, func() {})
	before := work.calls.Load()
	time.Sleep(300 * time.Millisecond)
	if rounds := work.calls.Load() - before; rounds > 3 {
		t.Errorf("the loop made %d rounds with nothing to do", rounds)
	}
}

func TestConnectionsAreSpreadOverTheLoops(t *testing.T) {
	leavesNothingBehind(t)
	g := startGroup(t, Options{Loops: 3})
	for range 9 {
		server, _ := socketPair(t)
		echo().adopt(t, g, server, "")
	}
	for i, l := range g.Loops() {
		if l.Index() != i || l.Conns() != 3 {
			t.Errorf("loop %d has index %d and %d connections, want 3", i, l.Index(), l.Conns())
		}
	}
}

func TestUnknownDriver(t *testing.T) {
	if _, err := NewGroup(Options{Driver: "fast"}); err == nil {
		t.Error("an unknown driver was accepted")
	}
}

// wrapped is a connection that is no plain socket, as those of TLS are. Its ends can be made to wait.
type wrapped struct {
	*net.TCPConn
	ending chan struct{} // gets a value when Close or CloseWrite begins
	wait   chan struct{} // closed to let them end
}

func (w *wrapped) Close() error {
	w.ending <- struct{}{}
	<-w.wait
	return w.TCPConn.Close()
}

func (w *wrapped) CloseWrite() error {
	w.ending <- struct{}{}
	<-w.wait
	return w.TCPConn.CloseWrite()
}

// TLS says goodbye to its peer on Close and CloseWrite, and waits for room to do so. The loop must not.
func TestEndingAWrappedConnectionDoesNotBlockTheLoop(t *testing.T) {
	leavesNothingBehind(t)
	g := startGroup(t, Options{Loops: 1}) // epoll, where there is one: the drivers live beside each other
	server, client := socketPair(t)
	echo().adopt(t, g, server, "")
	for _, end := range []func(c Conn){Conn.Shutdown, Conn.Close} {
		nc, _ := socketPair(t)
		w := &wrapped{TCPConn: nc, ending: make(chan struct{}, 2), wait: make(chan struct{})}
		s := echo().adopt(t, g, w, "")
		s.loop.Post(func() { end(s) })
		receive(t, w.ending, "the end to begin")
		roundTrip(t, client, "meanwhile")
		close(w.wait)
		s.loop.Post(s.Close)
		receive(t, s.closed, "Closed")
	}
}
