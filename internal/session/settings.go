package session

import (
	"time"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/hub"
	"github.com/magpie-bridge/magpie/internal/hub/keep"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// Settings are what all sessions of a node have in common. Hub is required; zero values of the others are replaced by
// the defaults that are given with them.
type Settings struct {
	Hub *hub.Hub
	// Budget is charged for what waits for clients, and for input that waits. When it is spent, whoever has more than a
	// little waiting is not read any more. It is not that of the logs: slow clients must not cost channels what they
	// keep. nil: nothing counts it.
	Budget *channel.Budget
	// Keeper keeps sessions whose lines broke, so that they can be resumed. nil: they end with their lines.
	Keeper *keep.Keeper

	MaxFrameBytes    int           // of one frame from a client; 64 KiB
	MaxSubscriptions int           // of one session; 1,000
	MaxOutbox        int           // bytes meant for one session alone before it is no longer read; 256 KiB
	ConnectTimeout   time.Duration // from the start to connected; 10 s
	PingInterval     time.Duration // 30 s
	IdleTimeout      time.Duration // without a byte from the client; 90 s
	WriteTimeout     time.Duration // without a byte taken by the client; 90 s

	// Slow says what becomes of a channel's subscriptions that fall behind. nil: they lag.
	Slow func(wire.ChannelName) SlowPolicy

	// Filter compiles the text of a subscription's filter. nil: there are no filters.
	Filter func(text string) (channel.Filter, error)

	// Now is the time as a loop has it: it need be no finer than the loop's rounds. time.Now
	Now func() time.Time
}

// WithDefaults returns the settings with the defaults in place of zero values.
func (s Settings) WithDefaults() Settings {
	orInt := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	orTime := func(v *time.Duration, d time.Duration) {
		if *v == 0 {
			*v = d
		}
	}
	orInt(&s.MaxFrameBytes, 64<<10)
	orInt(&s.MaxSubscriptions, 1000)
	orInt(&s.MaxOutbox, 256<<10)
	orTime(&s.ConnectTimeout, 10*time.Second)
	orTime(&s.PingInterval, 30*time.Second)
	orTime(&s.IdleTimeout, 90*time.Second)
	orTime(&s.WriteTimeout, 90*time.Second)
	if s.Slow == nil {
		s.Slow = func(wire.ChannelName) SlowPolicy { return SlowPolicy{} }
	}
	if s.Now == nil {
		s.Now = time.Now
	}
	return s
}

// The bounds of a session that are no settings, because nobody gains by changing them.
const (
	// maxMalformed is how many frames a client may send that cannot be understood: one at work on his first client
	// gets his errors explained, a flood is ended.
	maxMalformed = 16
	// scarceOutbox is how much may wait for any client while the budget is spent.
	scarceOutbox = 4 << 10
	// strangerOutbox is how much may wait for a client that has not connected yet: some refusals that explain
	// themselves. Outboxes take memory from the channels, which must not be for anybody without a credential to spend.
	strangerOutbox = 4 << 10
	// maxInFlight is how many publishes of one session the engine may have in hand before the session is no longer
	// read.
	maxInFlight = 256
	// maxCalls is how many calls of one session may be open: more than a busy service has, and few enough to be looked
	// through for each frame that belongs to one of them.
	maxCalls = 1024
	// closeTimeout is how long a client may take to read its goodbye.
	closeTimeout = 5 * time.Second
	// cursorBudget is how much of one channel is written before it is the next one's turn.
	cursorBudget = 64 << 10
)
