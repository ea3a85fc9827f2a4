package main

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
)

// A connection through a flaky line breaks when it has carried this many bytes to the client, somewhere in a frame.
const (
	leastFlakyBytes = 10_000
	mostFlakyBytes  = 40_000
)

// flakyLine is a way to a gateway on which every connection breaks before long.
type flakyLine struct {
	listener net.Listener
	target   string
	liar     *liar // falsifies what the gateway sends; nil for an honest line
	running  sync.WaitGroup

	mu     sync.Mutex // guards the fields below
	random *rand.Rand
	closed bool
	open   map[net.Conn]bool
}

func newFlakyLine(ctx context.Context, target string, l *liar) (*flakyLine, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f := &flakyLine{
		listener: listener,
		target:   target,
		liar:     l,
		random:   rand.New(rand.NewPCG(1, 2)), //nolint:gosec // the same breaks in every run
		open:     map[net.Conn]bool{},
	}
	f.running.Go(func() { f.accept(ctx) })
	return f, nil
}

func (f *flakyLine) url() string { return "ws://" + f.listener.Addr().String() + "/ws" }

func (f *flakyLine) accept(ctx context.Context) {
	for {
		client, err := f.listener.Accept()
		if err != nil {
			return
		}
		server, err := new(net.Dialer).DialContext(ctx, "tcp", f.target)
		if err != nil {
			client.Close()
			continue
		}
		length, reset := f.enter(client, server)
		f.running.Go(func() {
			io.Copy(server, client) //nolint:errcheck // this direction ends with the other one
			f.leave(server, client)
		})
		f.running.Go(func() {
			f.carry(client, server, length)
			if tcp, ok := client.(*net.TCPConn); ok && reset {
				tcp.SetLinger(0) //nolint:errcheck // or it breaks more politely
			}
			f.leave(server, client)
		})
	}
}

// carry passes on that many bytes of what the gateway sends, or of what the liar makes of it.
func (f *flakyLine) carry(client io.Writer, server io.Reader, length int64) {
	source := server
	if f.liar != nil {
		lies, told := io.Pipe()
		defer lies.Close() //nolint:errcheck // it has no error to tell
		go func() { told.CloseWithError(f.liar.tell(told, server)) }()
		source = lies
	}
	io.CopyN(client, source, length) //nolint:errcheck // it is to break
}

// enter notes a pair of connections, and decides when and how it breaks.
func (f *flakyLine) enter(pair ...net.Conn) (length int64, reset bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range pair {
		f.open[c] = true
		if f.closed {
			c.Close()
		}
	}
	return leastFlakyBytes + f.random.Int64N(mostFlakyBytes-leastFlakyBytes), f.random.IntN(2) == 0
}

func (f *flakyLine) leave(pair ...net.Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range pair {
		delete(f.open, c)
		c.Close()
	}
}

func (f *flakyLine) close() error {
	err := f.listener.Close()
	f.mu.Lock()
	f.closed = true
	for c := range f.open {
		err = errors.Join(err, c.Close())
	}
	f.mu.Unlock()
	f.running.Wait()
	return err
}
