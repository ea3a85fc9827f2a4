package main

import (
	"slices"
	"sync"

	"github.com/magpie-bridge/magpie/internal/bench/relay"
)

// router knows who serves what, and which calls are under way. It is safe for concurrent use.
type router struct {
	mu      sync.Mutex           // guards the fields below
	servers map[string][]*client // by method
	calls   map[uint64]call      // by the relay's number
	last    uint64               // number
}

// call is one that is under way.
type call struct {
	caller, server *client
	id             uint64 // the caller's number
}

func newRouter() *router {
	return &router{servers: make(map[string][]*client), calls: make(map[uint64]call)}
}

// serve notes that a client serves a method.
func (r *router) serve(c *client, method string, most int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c.most = most
	if !slices.Contains(r.servers[method], c) {
		r.servers[method] = append(r.servers[method], c)
	}
}

// call chooses the server that has the fewest calls in hand, or says why there is none.
func (r *router) call(caller *client, id uint64, method []byte) (server *client, number uint64, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.servers[string(method)] {
		if server == nil || c.inHand < server.inHand {
			server = c
		}
	}
	switch {
	case server == nil:
		return nil, 0, "nobody serves it"
	case server.inHand >= server.most:
		return nil, 0, "all who serve it are busy"
	}
	server.inHand++
	r.last++
	r.calls[r.last] = call{caller: caller, server: server, id: id}
	return server, r.last, ""
}

// reply ends a call. ok is false when the server has no such call in hand.
func (r *router) reply(server *client, number uint64) (caller *client, id uint64, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c, ok := r.calls[number]
	if !ok || c.server != server {
		return nil, 0, false
	}
	delete(r.calls, number)
	server.inHand--
	return c.caller, c.id, true
}

// leave forgets a client, and tells those who wait for it.
func (r *router) leave(gone *client) {
	for _, c := range r.forget(gone) {
		_ = c.caller.send(&relay.Frame{Kind: relay.Error, ID: c.id, Data: []byte("the server has left")})
	}
}

// forget returns the calls of others that a client had in hand.
func (r *router) forget(gone *client) (left []call) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for method, servers := range r.servers {
		r.servers[method] = slices.DeleteFunc(servers, func(c *client) bool { return c == gone })
	}
	for number, c := range r.calls {
		if c.server != gone && c.caller != gone {
			continue
		}
		delete(r.calls, number)
		c.server.inHand--
		if c.caller != gone {
			left = append(left, c)
		}
	}
	return left
}
