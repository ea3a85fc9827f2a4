package swarm

import (
	"crypto/tls"
	"errors"
	"net/netip"
)

// MaxLines bounds the lines of one process: the usual limit of open files is 20,000, and some are needed besides.
const MaxLines = 19_000

// Options are what a swarm is made from. Address is required.
type Options struct {
	Address netip.AddrPort
	Host    string // of the request; empty: the address
	Path    string // of the request; empty: /
	Header  string // further lines of the request, each ended by CRLF
	Halfway bool   // send half of the request only
	// Express is how many lines, the first ones, are looked at again and again between the others: their messages do not
	// wait until those of thousands have been read.
	Express int
	TLS     *tls.Config // nil: without TLS
	// GRPC says that the lines are not of WebSocket but gRPC streams, each on an HTTP/2 connection of its own and without
	// TLS. Path is that of the method, and Header has no meaning.
	GRPC bool
}

// Handler is told what happens to the lines, in the goroutine that calls [Swarm.Turn].
type Handler interface {
	// Upgraded says that the handshake is done.
	Upgraded(*Line)
	// Message is one whole message of the server, valid during the call.
	Message(l *Line, message []byte)
	// Closed says that the line is gone, and why. It is not called after [Line.Drop].
	Closed(l *Line, err error)
}

// ErrUnsupported says that there is no swarm on this system.
var ErrUnsupported = errors.New("the load tool works on Linux alone: it needs epoll")

// addressesPer is how many lines leave from one source address. A loopback address has some 28,000 ports to leave
// from, and the kernel looks for a free one the longer the more are taken.
const addressesPer = 8_000

// sourceOf is the address that a line leaves from: several of 127.0.0.0/8 where the server is on the same machine, or
// none in particular.
func sourceOf(server netip.AddrPort, index int) netip.Addr {
	if !server.Addr().Is4() || !server.Addr().IsLoopback() || index < addressesPer {
		return netip.Addr{}
	}
	return netip.AddrFrom4([4]byte{127, 0, 0, byte(1 + index/addressesPer)})
}
