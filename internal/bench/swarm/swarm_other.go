//go:build !linux

package swarm

import "time"

// Swarm holds lines; on this system there is none.
type Swarm struct{}

// New returns [ErrUnsupported].
func New(Options, Handler) (*Swarm, error) { return nil, ErrUnsupported }

// Dial opens a line.
func (*Swarm) Dial(int) error { return ErrUnsupported }

// Turn waits for the sockets.
func (*Swarm) Turn(time.Duration) error { return ErrUnsupported }

// Flush writes what was queued.
func (*Swarm) Flush() {}

// Now is the time since the swarm was made.
func (*Swarm) Now() time.Duration { return 0 }

// Heard is when the messages that the handler is being told about were read.
func (*Swarm) Heard() time.Duration { return 0 }

// Halfway is how many lines wait in the middle of their handshake.
func (*Swarm) Halfway() int { return 0 }

// Reads is how often something was read.
func (*Swarm) Reads() uint64 { return 0 }

// Line returns the line of an index.
func (*Swarm) Line(int) *Line { return nil }

// Close drops every line.
func (*Swarm) Close() {}

// Line is one WebSocket line.
type Line struct{}

// Index is what the line was dialled as.
func (*Line) Index() int { return 0 }

// Send queues a message.
func (*Line) Send([]byte, bool) {}

// Drop ends the line.
func (*Line) Drop() {}
