package main

import (
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
)

// proxy forwards connections, and resets each after a random number of bytes, wherever in a frame that is.
type proxy struct {
	listener net.Listener
	target   string
	calm     atomic.Bool // cut no more
	cuts     atomic.Int64

	mu     sync.Mutex // guards the fields below
	random *rand.Rand
	open   map[net.Conn]bool
}

// Bytes that a line may live for.
const (
	leastBytes = 300
	mostBytes  = 60_000
)

func newProxy(target string, seed uint64) (*proxy, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{listener: ln, target: target, random: rand.New(rand.NewPCG(seed, 1)), open: map[net.Conn]bool{}}
	go p.accept()
	return p, nil
}

func (p *proxy) address() string { return p.listener.Addr().String() }

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.mu.Lock()
		p.open[client], p.open[server] = true, true
		life := atomic.Int64{}
		life.Store(int64(leastBytes + p.random.IntN(mostBytes)))
		p.mu.Unlock()
		go p.forward(client, server, &life)
		go p.forward(server, client, &life)
	}
}

// forward copies until the life of the line is spent, and then resets both of its ends.
func (p *proxy) forward(from, to net.Conn, life *atomic.Int64) {
	defer p.reset(from, to)
	buf := make([]byte, 4096)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		if left := life.Add(-int64(n)); left < 0 && !p.calm.Load() {
			_, _ = to.Write(buf[:max(0, n+int(left))]) // up to the very byte
			p.cuts.Add(1)
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

func (p *proxy) reset(conns ...net.Conn) {
	for _, c := range conns {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = c.Close()
		p.mu.Lock()
		delete(p.open, c)
		p.mu.Unlock()
	}
}

func (p *proxy) close() {
	_ = p.listener.Close()
	p.mu.Lock()
	var left []net.Conn
	for c := range p.open {
		left = append(left, c)
	}
	p.mu.Unlock()
	p.reset(left...)
}
