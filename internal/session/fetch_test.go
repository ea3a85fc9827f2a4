package session

import (
	"testing"

	"github.com/magpie-bridge/magpie/internal/engine"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// fetching is an engine that has to fetch its channels first; the test says when they are there.
type fetching struct {
	engine.Engine
	there map[wire.ChannelName]bool
	ready []func()
}

func (f *fetching) Prepare(name wire.ChannelName, ready func()) bool {
	if !f.there[name] {
		f.ready = append(f.ready, ready)
	}
	return f.there[name]
}

func (f *fetching) fetched(name wire.ChannelName) {
	f.there[name] = true
	for _, ready := range f.ready {
		ready()
	}
	f.ready = nil
}

func fetchingRig(t *testing.T) (*rig, *fetching) {
	t.Helper()
	slow := &fetching{there: map[wire.ChannelName]bool{}}
	r := newRig(t, rigOptions{wrap: func(e engine.Engine) engine.Engine {
		slow.Engine = e
		return slow
	}})
	return r, slow
}

// TestSubscribeWaitsForTheChannel shows that a channel that has to be fetched holds up the session that asked for it, and
// nothing else, and that what the session asked for behind it comes behind it.
func TestSubscribeWaitsForTheChannel(t *testing.T) {
	r, slow := fetchingRig(t)
	slow.there["b"] = true
	c, other := r.joined("alice"), r.joined("bob")
	c.say(`{"type":"subscribe","requestId":"1","channel":"a"}`, `{"type":"publish","requestId":"2","channel":"a","data":1}`,
		`{"type":"unsubscribe","requestId":"3","channel":"a"}`)
	if events := c.hear(); len(events) != 0 {
		t.Fatalf("before the channel is there the session hears %v", events)
	}
	other.say(`{"type":"subscribe","requestId":"1","channel":"b"}`)
	if events := other.hear(); len(events) != 1 || events[0].body().Type() != wire.TypeSubscribed {
		t.Fatalf("another session hears %v", events)
	}
	slow.fetched("a")
	r.settle()
	var types []wire.Type
	for _, event := range c.hear() {
		types = append(types, event.body().Type())
	}
	if len(types) < 3 || types[0] != wire.TypeSubscribed || types[len(types)-1] != wire.TypeUnsubscribed {
		t.Errorf("then it hears %d", types)
	}
	if c.s.inFlight != 0 || !c.line.reading {
		t.Errorf("%d are in flight, and reading is %t", c.s.inFlight, c.line.reading)
	}
}

// TestSessionEndsBeforeTheChannelCame shows that nothing is left of a subscription whose session has gone.
func TestSessionEndsBeforeTheChannelCame(t *testing.T) {
	r, slow := fetchingRig(t)
	c := r.joined("alice")
	c.say(`{"type":"subscribe","requestId":"1","channel":"a"}`)
	c.s.Closed(nil)
	c.gone = true
	slow.fetched("a")
	r.settle()
	if len(r.shard.topics) != 0 || r.shard.Metrics.Subscriptions.Load() != 0 {
		t.Errorf("%d topics are left", len(r.shard.topics))
	}
}

// TestNoRightWaitsForNothing shows that who may not subscribe is told at once, and has nothing fetched.
func TestNoRightWaitsForNothing(t *testing.T) {
	r, slow := fetchingRig(t)
	c := r.joined("alice")
	c.say(`{"type":"subscribe","requestId":"1","channel":"secret.a"}`)
	if events := c.hear(); len(events) != 1 || events[0].body().Type() != wire.TypeError || len(slow.ready) != 0 {
		t.Errorf("it hears %v, and %d channels are fetched", events, len(slow.ready))
	}
}
