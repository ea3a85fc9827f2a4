package session

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/engine"
	"github.com/magpie-bridge/magpie/internal/hub"
	"github.com/magpie-bridge/magpie/internal/hub/keep"
	"github.com/magpie-bridge/magpie/internal/wire"
)

func (r *rig) disconnect(target Target, code wire.CloseCode) int {
	r.t.Helper()
	n, err := awaited(r, func() (int, error) { return Disconnect(r.t.Context(), r.shard.peers, target, code, "maintenance") })
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

func (r *rig) subscribe(target Target, name wire.ChannelName, from wire.Start) (int, error) {
	r.t.Helper()
	return awaited(r, func() (int, error) {
		return Subscribe(r.t.Context(), r.shard.peers, target, &wire.Subscribe{Channel: name, From: from})
	})
}

// text shows what has arrived as one line for each event.
func text(events []event) string {
	lines := make([]string, len(events))
	for i, e := range events {
		lines[i] = e.String()
	}
	return strings.Join(lines, "\n")
}

func TestDisconnect(t *testing.T) {
	for name, test := range map[string]struct {
		target func(*client) Target
		want   int // of alice's two, of which one has a token, and bob's
	}{
		"by session":      {func(c *client) Target { return Target{Session: c.s.ID()} }, 1},
		"by user":         {func(*client) Target { return Target{User: "alice"} }, 2},
		"by token":        {func(*client) Target { return Target{Token: "t1"} }, 1},
		"another session": {func(c *client) Target { return Target{Session: c.s.ID() + "x"} }, 0},
		"no id":           {func(*client) Target { return Target{Session: "x"} }, 0},
		"a far loop":      {func(*client) Target { return Target{Session: "n1-9-0-00"} }, 0},
		"a far slot":      {func(*client) Target { return Target{Session: "n1-0-zz-00"} }, 0},
		"another user":    {func(*client) Target { return Target{User: "eve"} }, 0},
		"no target":       {func(*client) Target { return Target{} }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, rigOptions{})
			first := r.open(withCredential("alice", "", "t1"))
			first.say(`{"type":"connect"}`, subscribeTo("a"))
			first.hear()
			others := []*client{r.joined("alice"), r.joined("bob")}
			if n := r.disconnect(test.target(first), wire.CloseForbidden); n != test.want {
				t.Errorf("%d sessions were ended, want %d", n, test.want)
			}
			const goodbye = `{"type":"goodbye","code":4503,"reason":"maintenance"}` + "\nclose 4503"
			want := goodbye
			if test.want == 0 {
				want = ""
			}
			if got := text(first.hear()); got != want {
				t.Errorf("the first hears %q, want %q", got, want)
			}
			for i, c := range others {
				if got := text(c.hear()); (got == goodbye) != (test.want == 2 && i == 0) {
					t.Errorf("other %d hears %q", i, got)
				}
			}
			if n := r.disconnect(test.target(first), wire.CloseForbidden); n != 0 {
				t.Errorf("%d sessions were ended again", n)
			}
		})
	}
}

// Who is asked to come back goes on with the session, and who is not does not.
func TestDisconnectedSessionsAreResumedOrNot(t *testing.T) {
	for code, want := range map[wire.CloseCode]bool{wire.CloseSentAway: true, wire.CloseForbidden: false} {
		r := keeping(t, keep.Options{})
		c, connected := r.session("alice", "a")
		if n := r.disconnect(Target{Session: connected.SessionID}, code); n != 1 {
			t.Fatalf("%d sessions were ended", n)
		}
		c.hang()
		c, events := r.connect(principal("alice"), withToken(connected.ResumeToken))
		if again := resumed(t, events); again.Resumed != want {
			t.Errorf("after %d it is resumed: %t, want %t", code, again.Resumed, want)
		}
		if !want {
			continue
		}
		// Its id is that of another place by now, and it is found all the same.
		if n := r.disconnect(Target{Session: connected.SessionID}, code); n != 1 {
			t.Errorf("%d sessions were ended after it was resumed", n)
		}
		if got := text(c.hear()); !strings.Contains(got, "close 4010") {
			t.Errorf("it hears %q", got)
		}
	}
}

func TestSubscribeFromOutside(t *testing.T) {
	r := newRig(t, rigOptions{})
	r.publish("a", "old")
	phone, laptop, bob := r.joined("alice"), r.joined("alice"), r.joined("bob")
	unconnected := r.open(principal("alice"))
	laptop.say(subscribeTo("a"))
	laptop.hear()
	if n, err := r.subscribe(Target{User: "alice"}, "a", wire.Start{}); n != 2 || err != nil {
		t.Errorf("%d sessions, %v, want 2", n, err)
	}
	epoch := r.epoch("a")
	want := fmt.Sprintf(`{"type":"subscribed","channel":"a","position":{"epoch":%q,"offset":1},"tail":1,"recovered":false}`, epoch)
	if got := text(phone.hear()); got != want {
		t.Errorf("the phone hears %s, want %s", got, want)
	}
	if got := text(laptop.hear()) + text(bob.hear()) + text(unconnected.hear()); got != "" {
		t.Errorf("the others hear %s", got)
	}
	r.publish("a", "new")
	r.settle()
	for _, c := range []*client{phone, laptop} {
		if got := messages(c.hear(), "a"); len(got) != 1 || got[0] != 2 {
			t.Errorf("then %v arrive, want 2", got)
		}
	}
	// With a start the subscription moves, as when the client itself asks.
	if n, err := r.subscribe(Target{Session: phone.s.ID()}, "a", wire.Start{Kind: wire.StartOffset}); n != 1 || err != nil {
		t.Errorf("%d sessions, %v, want 1", n, err)
	}
	if got := messages(phone.hear(), "a"); len(got) != 2 || got[0] != 1 {
		t.Errorf("from the beginning %v arrive", got)
	}
	if subscriptions := r.shard.Metrics.Subscriptions.Load(); subscriptions != 2 {
		t.Errorf("there are %d subscriptions", subscriptions)
	}
}

func TestSubscribeFromOutsideGrantsNoRight(t *testing.T) {
	r := newRig(t, rigOptions{settings: Settings{MaxSubscriptions: 1}})
	c := r.joined("alice")
	if n, err := r.subscribe(Target{User: "alice"}, "secret.a", wire.Start{}); n != 0 || wire.AsError(err).Code != wire.CodePermissionDenied {
		t.Errorf("%d sessions, %v, want permission_denied", n, err)
	}
	c.say(subscribeTo("b"))
	c.hear()
	if n, err := r.subscribe(Target{User: "alice"}, "a", wire.Start{}); n != 0 || wire.AsError(err).Code != wire.CodeResourceExhausted {
		t.Errorf("%d sessions, %v, want resource_exhausted", n, err)
	}
	if got := text(c.hear()); got != "" {
		t.Errorf("it hears %s", got)
	}
	if n, err := r.subscribe(Target{User: "eve"}, "a", wire.Start{}); n != 0 || err != nil {
		t.Errorf("nobody: %d sessions, %v", n, err)
	}
	if len(r.shard.topics) != 1 {
		t.Errorf("%d channels are watched, want 1", len(r.shard.topics))
	}
}

// TestSubscribeFromOutsideAsksTheHook has a program that lets only one of two sessions subscribe, and asks it once for each.
func TestSubscribeFromOutsideAsksTheHook(t *testing.T) {
	var mu sync.Mutex // guards asked
	asked := make(map[wire.SessionID]int)
	var refused wire.SessionID
	r := newRig(t, rigOptions{hooks: hub.Hooks{Subscribe: func(_ context.Context, c hub.Client, name wire.ChannelName) error {
		mu.Lock()
		defer mu.Unlock()
		asked[c.Session]++
		if c.Session == refused {
			return wire.Errorf(wire.CodePermissionDenied, "not %s", name)
		}
		return nil
	}}})
	first, second := r.joined("alice"), r.joined("alice")
	refused = first.s.ID()
	if n, err := r.subscribe(Target{User: "alice"}, "a", wire.Start{}); n != 1 || err != nil {
		t.Errorf("%d sessions, %v, want 1", n, err)
	}
	if got := text(first.hear()); got != "" {
		t.Errorf("the one that may not hears %s", got)
	}
	if events := second.hear(); len(events) != 1 || events[0].body().Type() != wire.TypeSubscribed {
		t.Errorf("the other hears %s", text(events))
	}
	if n, err := r.subscribe(Target{Session: refused}, "a", wire.Start{}); n != 0 || wire.AsError(err).Message != "not a" {
		t.Errorf("%d sessions, %v", n, err)
	}
	if asked[refused] != 2 || asked[second.s.ID()] != 1 {
		t.Errorf("it was asked %v", asked)
	}
}

// TestSubscribeFromOutsideWaitsForTheChannel has three sessions subscribed to a channel that has to be fetched first. One of
// them is gone by then.
func TestSubscribeFromOutsideWaitsForTheChannel(t *testing.T) {
	r, slow := fetchingRig(t)
	clients := []*client{r.joined("alice"), r.joined("alice"), r.joined("alice")}
	type outcome struct {
		n   int
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		n, err := Subscribe(t.Context(), r.shard.peers, Target{User: "alice"}, &wire.Subscribe{Channel: "a"})
		done <- outcome{n, err}
	}()
	r.await("the channel is asked for", func() bool { return len(slow.ready) == 1 })
	clients[0].say(`{"type":"ping"}`)
	if got := text(clients[0].hear()); got != `{"type":"pong"}` {
		t.Errorf("meanwhile it hears %s", got)
	}
	clients[0].hang()
	slow.fetched("a")
	r.await("the answer", func() bool { return len(done) == 1 })
	if o := <-done; o.n != 2 || o.err != nil {
		t.Errorf("%d sessions, %v, want 2", o.n, o.err)
	}
	for _, c := range clients[1:] {
		if events := c.hear(); len(events) != 1 || events[0].body().Type() != wire.TypeSubscribed {
			t.Errorf("it hears %v", events)
		}
	}
}

// seeking is an engine whose channel a has all that is old on a disk, where a time is looked up when the test says so.
type seeking struct {
	engine.Engine
	log     *channel.Log
	waiting []func()
}

func (e *seeking) Watch(_ wire.ChannelName, w *channel.Watch) (*channel.Log, error) {
	e.log.Watch(w)
	return e.log, nil
}

func (e *seeking) Fetch(*channel.Log, wire.Offset, func()) {}

func (e *seeking) Since(_ *channel.Log, _ int64, found func(wire.Offset)) {
	e.waiting = append(e.waiting, func() { found(3) })
}

func seekingRig(t *testing.T) (*rig, *seeking) {
	t.Helper()
	slow := &seeking{}
	space := channel.NewSpace(channel.NewBudget(0), nil, jsonLine, protobufLine)
	slow.log = space.RestoreLog("a", slow, channel.Numbering{Epoch: "k", Head: 1, Before: 5}, channel.DefaultRetention())
	return newRig(t, rigOptions{wrap: func(e engine.Engine) engine.Engine {
		slow.Engine = e
		return slow
	}}), slow
}

func TestSubscribeFromOutsideAtATime(t *testing.T) {
	for name, test := range map[string]struct {
		meanwhile func(c *client)
		want      int
	}{
		"it is looked up":         {func(*client) {}, 1},
		"the session has gone":    {func(c *client) { c.hang() }, 0},
		"it has come and gone":    {func(c *client) { c.say(subscribeTo("a"), `{"type":"unsubscribe","requestId":"u","channel":"a"}`) }, 1},
		"it has subscribed since": {func(c *client) { c.say(subscribeTo("a")) }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			r, slow := seekingRig(t)
			c := r.joined("alice")
			done := make(chan int, 1)
			go func() {
				from := wire.Start{Kind: wire.StartTime, Time: 1}
				n, err := Subscribe(t.Context(), r.shard.peers, Target{User: "alice"}, &wire.Subscribe{Channel: "a", From: from})
				if err != nil {
					t.Error(err)
				}
				done <- n
			}()
			r.await("the time is looked up", func() bool { return len(slow.waiting) == 1 })
			test.meanwhile(c)
			c.hear()
			r.await("the answer", func() bool {
				for _, found := range slow.waiting {
					found()
				}
				slow.waiting = nil
				return len(done) == 1
			})
			if n := <-done; n != test.want {
				t.Errorf("%d sessions, want %d", n, test.want)
			}
			if test.want == 0 {
				if len(r.shard.topics) != 0 {
					t.Errorf("%d channels are still watched", len(r.shard.topics))
				}
				return
			}
			const want = `{"type":"subscribed","channel":"a","position":{"epoch":"k","offset":2},"tail":5,"recovered":false}`
			if got := text(c.hear()); got != want {
				t.Errorf("it hears %s, want %s", got, want)
			}
		})
	}
}

func TestUnsubscribeFromOutside(t *testing.T) {
	r := newRig(t, rigOptions{})
	phone, laptop, bob := r.joined("alice"), r.joined("alice"), r.joined("bob")
	for _, c := range []*client{phone, bob} {
		c.say(subscribeTo("a"), subscribeTo("b"))
		c.hear()
	}
	laptop.say(subscribeTo("b"))
	laptop.hear()
	n, err := awaited(r, func() (int, error) {
		return Unsubscribe(t.Context(), r.shard.peers, Target{User: "alice"}, "a", "the room is closed")
	})
	if n != 1 || err != nil {
		t.Errorf("%d sessions, %v, want 1", n, err)
	}
	r.publish("a", "x")
	r.publish("b", "x")
	r.settle()
	events := phone.hear()
	const want = `{"type":"unsubscribed","channel":"a","code":"canceled","reason":"the room is closed"}`
	if len(events) == 0 || events[0].String() != want || len(messages(events, "a")) != 0 || len(messages(events, "b")) != 1 {
		t.Errorf("the phone hears %s, want %s first", text(events), want)
	}
	if got := laptop.hear(); len(got) != 1 || len(messages(got, "b")) != 1 {
		t.Errorf("the laptop hears %s", text(got))
	}
	if got := bob.hear(); len(messages(got, "a")) != 1 {
		t.Errorf("bob hears %s", text(got))
	}
}
