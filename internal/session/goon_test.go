package session

import (
	"fmt"
	"testing"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// TestAnotherFilterTellsWhatWasLost has a client change its filter while it is behind what is kept.
func TestAnotherFilterTellsWhatWasLost(t *testing.T) {
	retention := channel.DefaultRetention()
	retention.Messages = 4
	r := newRig(t, rigOptions{settings: Settings{Filter: compileHas}, retention: retention})
	c := r.joined("alice")
	c.say(subscribeTo("a"))
	c.hear()
	c.stop()
	for i := range 10 {
		r.publish("a", fmt.Sprint("red ", i))
	}
	c.say(`{"type":"subscribe","requestId":"2","channel":"a","filter":"red"}`)
	c.take(endless)
	r.await("the gap is told", func() bool {
		for _, e := range c.hear() {
			if g, ok := e.body().(*wire.Gap); ok {
				return g.FromOffset == 1 && g.ToOffset == 6 && g.Reason == wire.GapRetention
			}
		}
		return false
	})
}

// TestAChannelThatJoinsWithNothingForTheClientIsToldOf has a pattern bring a channel of which the filter lets nothing through.
func TestAChannelThatJoinsWithNothingForTheClientIsToldOf(t *testing.T) {
	r := newRig(t, rigOptions{settings: Settings{Filter: compileHas}})
	r.publish("order.1", "red")
	c := r.joined("alice")
	c.say(wild("1", "order.*", `,"filter":"purple","from":{"last":3}`))
	r.await("the channel has joined", func() bool {
		for _, e := range c.hear() {
			if b, ok := e.body().(*wire.Subscribed); ok && b.Channel == "order.1" {
				return true
			}
		}
		return false
	})
}
