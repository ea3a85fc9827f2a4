package netloop

import (
	"errors"
	"time"
)

// Handler is the owner of a connection. All its methods are called on the connection's loop, one at a time.
type Handler interface {
	// Read takes bytes that arrived; they are the loop's and valid only during the call.
	Read(b []byte)
	// Writable tells that there is room again after a short Write.
	Writable()
	// Timer tells that the time given to SetTimer has come.
	Timer(now time.Time)
	// Closed is the last call: the connection is gone, because of err, or of Close when err is nil.
	Closed(err error)
}

// Conn is a connection on a loop. Its methods are for the loop alone, and are harmless after Close.
type Conn interface {
	// Write passes bytes on and keeps none of them. It never blocks: n < len(b) with a nil error means that the kernel
	// has no room, and Handler.Writable will follow. An error is also reported by Handler.Closed.
	Write(b []byte) (n int, err error)
	// SetTimer sets the one timer of the connection; it replaces the one before. The zero time stops it.
	SetTimer(at time.Time)
	// SetReading stops and resumes the reading of the connection: how a peer is slowed down.
	SetReading(on bool)
	// Shutdown ends the sending side after what was written; reading goes on.
	Shutdown()
	// Close ends the connection at once. Handler.Closed follows, not within this call.
	Close()
}

// gatherer is a [Conn] that writes several slices at once.
type gatherer interface {
	writev(parts [][]byte) (n int, err error)
}

// Writev passes the parts on as one write, in one system call where the connection can do that. Otherwise it is as Write
// of [Conn].
func Writev(c Conn, parts [][]byte) (n int, err error) {
	if g, ok := c.(gatherer); ok {
		return g.writev(parts)
	}
	for _, part := range parts {
		took, err := c.Write(part)
		n += took
		if err != nil || took < len(part) {
			return n, err
		}
	}
	return n, nil
}

// ErrLoopClosed is why the connections of a loop end that is closed itself.
var ErrLoopClosed = errors.New("netloop: loop is closed")

// readBytes is the size of a read: a loop's one buffer, and at most what one connection is given a turn.
const readBytes = 64 << 10
