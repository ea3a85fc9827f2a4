package engine

import (
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// Policy says how long a channel lives, and who makes it. The zero value is that of a channel that is made by use and stays.
type Policy struct {
	// TTL is how long after it was used last, by an append or by the end of a watch, the channel is gone with its log. 0: that
	// never happens.
	TTL time.Duration
	// Given channels are not made by use, but by records that say Create alone; and they stay, if empty.
	Given bool
}

// Plain is the policy of an engine that was given none.
func Plain(wire.ChannelName) Policy { return Policy{} }

// Unmade refuses the use of a channel that nobody has made.
func Unmade(name wire.ChannelName) error {
	return wire.Errorf(wire.CodeNotFound, "there is no channel %q, and its namespace has create: false: it is made by those who may call sys.create", name)
}

// Refresher is an engine that can take up another retention for the channels that it has.
type Refresher interface {
	// Refresh asks for the retention of each channel anew, and drops what exceeds it.
	Refresh()
}
