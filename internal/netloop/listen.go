package netloop

import (
	"errors"
	"net"
	"net/netip"
)

// Taken is a connection that a loop accepted itself. Beside what every connection can do, it can be given back.
type Taken interface {
	Conn
	// SetHandler gives the connection another handler, from the next event on. Loop only.
	SetHandler(h Handler)
	// Detach takes the connection from its loop, for whoever reads it with goroutines; its handler hears nothing more.
	// What was read before is the caller's to hand over. Loop only.
	Detach() (net.Conn, error)
}

// acceptor is a poller that accepts connections itself.
type acceptor interface {
	listen(ln net.Listener, accepted func(fd int, remote netip.AddrPort)) (stop func(), err error)
	take(fd int, newHandler func(*Loop, Taken) Handler)
}

// Listen accepts the connections of ln on the group's first loop and spreads them over all. newHandler is called on
// the connection's loop. The socket is the group's from now on, until stop ends it; ln is closed. Where the loops have no epoll, or ln is no plain socket, the error
// is errors.ErrUnsupported.
func (g *Group) Listen(ln net.Listener, newHandler func(l *Loop, c Taken, remote netip.AddrPort) Handler) (stop func(), err error) {
	first, ok := g.loops[0].poller.(acceptor)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return first.listen(ln, func(fd int, remote netip.AddrPort) {
		l := g.pick()
		take := func() {
			l.poller.(acceptor).take(fd, func(l *Loop, c Taken) Handler { return newHandler(l, c, remote) })
		}
		l.count.Add(1)
		if l == g.loops[0] {
			take() // already there
		} else {
			l.Post(take) // the loops of a group end in their order, so the first would not be here any more
		}
	})
}

// underlay is a poller that can take connections from beneath TLS.
type underlay interface {
	beneathTLS(ln net.Listener) net.Listener
}

// BeneathTLS returns ln with connections that [Group.Adopt] can take from beneath TLS, which is made of them with
// [crypto/tls.Server]: their lines need no goroutines then. Where the loops have no epoll, that is ln itself.
func (g *Group) BeneathTLS(ln net.Listener) net.Listener {
	if p, ok := g.loops[0].poller.(underlay); ok {
		return p.beneathTLS(ln)
	}
	return ln
}
