package diskengine

import "github.com/magpie-bridge/magpie/internal/wire"

// Flush writes what is in memory into tables.
func (e *Engine) Flush() error { return e.db.Flush() }

// SetLayout changes the version of the layout.
func (e *Engine) SetLayout(version string) error { return e.put(versionKey(), []byte(version)) }

// Records counts the records that the disk has of a channel.
func (e *Engine) Records(name wire.ChannelName) (n int) {
	id, found, err := e.lookUp(name)
	if err != nil || !found {
		return -1
	}
	it, err := e.records(id)
	if err != nil {
		return -1
	}
	for it.First(); it.Valid(); it.Next() {
		n++
	}
	if it.Close() != nil {
		return -1
	}
	return n
}

// Stopped is closed when Close has begun.
func (e *Engine) Stopped() <-chan struct{} { return e.stop }
