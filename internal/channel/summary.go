package channel

import "github.com/magpie-bridge/magpie/internal/wire"

// Summary is how a log stood at one moment.
type Summary struct {
	Epoch      wire.Epoch
	Head, Tail wire.Offset // as of Log.Head and Log.Tail
	Bytes      int64       // of the entries in memory, in their compact form
	Created    int64       // when the channel was made, in milliseconds since 1970; 0: not known
}

// Summary tells how the log stands.
func (l *Log) Summary() Summary {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Summary{Epoch: l.epoch, Head: l.Head(), Tail: l.Tail(), Bytes: l.bytes, Created: l.created}
}
