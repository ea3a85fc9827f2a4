package session

import (
	"fmt"
	"testing"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/wire"
)

func TestWhatWaitsForAClientIsCharged(t *testing.T) {
	budget := channel.NewBudget(1 << 20)
	s := &Session{shard: &Shard{settings: Settings{Budget: budget}}}
	s.out, s.blocked = &outbox{bytes: make([]byte, 3000)}, true
	s.settle(1000)
	if used := budget.Used(); used < 2000 {
		t.Errorf("%d bytes are charged for an outbox of 2000", used)
	}
	s.settle(2000)
	if used := budget.Used(); used != 0 {
		t.Errorf("%d bytes are still charged for an empty outbox", used)
	}
}

func TestLittleMayWaitWhileMemoryIsScarce(t *testing.T) {
	budget := channel.NewBudget(10_000)
	s := &Session{state: stateOpen, shard: &Shard{settings: Settings{Budget: budget, MaxOutbox: 256 << 10}}}
	s.out = &outbox{bytes: make([]byte, scarceOutbox+1)}
	if s.Full() {
		t.Error("a client with little waiting is not read, though there is room")
	}
	budget.Charge(10_001)
	if !s.Full() {
		t.Error("a client with more than a little waiting is still read, though memory is spent")
	}
	s.out.bytes = s.out.bytes[:scarceOutbox]
	if s.Full() {
		t.Error("a client with little waiting is not read: nobody would be served any more")
	}
}

func TestOnePumpIsBounded(t *testing.T) {
	r := newRig(t, rigOptions{})
	c := r.joined("alice")
	const channels = 3 * writesPerPump * maxParts
	name := func(i int) wire.ChannelName { return wire.ChannelName(fmt.Sprintf("t.%d", i)) }
	for i := range channels {
		c.say(subscribeTo(name(i)))
	}
	r.settle()
	c.s.blocked = true
	for i := range channels {
		r.publish(name(i), "x")
	}
	r.settle()
	before := r.shard.written
	c.s.Writable()
	if n := r.shard.written - before; n != writesPerPump {
		t.Errorf("%d writes in one go, want %d", n, writesPerPump)
	}
	r.settle()
	if n := r.shard.written - before; n != channels/maxParts {
		t.Errorf("%d writes in the end, want one for each %d of %d channels", n, maxParts, channels)
	}
}
