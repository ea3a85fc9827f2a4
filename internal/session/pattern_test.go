package session

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/magpie-bridge/magpie/internal/engine"
	"github.com/magpie-bridge/magpie/internal/hub"
	"github.com/magpie-bridge/magpie/internal/hub/keep"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// tellAll sends frames and waits until nothing is looked up for the session any more.
func (c *client) tellAll(frames ...string) {
	c.rig.t.Helper()
	for _, frame := range frames {
		c.tell(frame)
		c.rest()
	}
}

// rest waits until no channel waits to be joined.
func (c *client) rest() {
	c.rig.t.Helper()
	c.rig.await("channels to be joined", func() bool {
		c.rig.settle()
		x := c.rig.shard.expansions[c.s.slot]
		return c.s.inFlight == 0 && (x == nil || len(x.listings) == 0 && len(x.queue) == 0)
	})
}

// told is what a client heard, in words: an answer with its requestId in brackets.
func told(events []event) []string {
	var words []string
	for _, e := range events {
		text := ""
		switch b := e.body().(type) {
		case *wire.Subscribed:
			text = "+" + string(b.Channel)
			if b.Pattern != "" {
				text += fmt.Sprintf(" by %s after %d", b.Pattern, b.Position.Offset)
			}
		case *wire.Unsubscribed:
			text = "-" + string(b.Channel)
			if b.Code != "" {
				text += " " + string(b.Code)
			}
		case *wire.Message:
			text = fmt.Sprint(b.Channel, " ", b.Offset)
		case *wire.Gap:
			text = fmt.Sprintf("gap %s %s", b.Channel, b.Reason)
		case *wire.Error:
			text = "!" + string(b.Code)
		}
		if id := e.frame.RequestID; id != "" {
			text += " [" + id + "]"
		}
		words = append(words, text)
	}
	return words
}

// hears checks what a client has heard since it was asked last.
func (c *client) hears(want ...string) {
	c.rig.t.Helper()
	if got := told(c.hear()); !slices.Equal(got, want) {
		c.rig.t.Errorf("heard\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func wild(id, text, more string) string {
	return fmt.Sprintf(`{"type":"subscribe","requestId":%q,"channel":%q%s}`, id, text, more)
}

func unwild(id, text string) string {
	return fmt.Sprintf(`{"type":"unsubscribe","requestId":%q,"channel":%q}`, id, text)
}

func TestAPatternHasTheChannelsThatThereAreAndThoseThatAppear(t *testing.T) {
	r := newRig(t, rigOptions{})
	r.publish("order.a", "before")
	r.publish("price.a", "before")
	c := r.joined("alice")
	c.tellAll(wild("1", "order.*", ""))
	c.hears("+order.* [1]", "+order.a by order.* after 1")
	r.publish("order.b", "first")
	r.publish("order.a", "second")
	r.publish("order.b.c", "of two words")
	r.publish("price.b", "of another")
	c.rest()
	c.hears("order.a 2", "+order.b by order.* after 0", "order.b 1")
	c.tellAll(unwild("2", "order.*"))
	r.publish("order.a", "after")
	r.publish("order.d", "after")
	c.rest()
	c.hears("-order.* [2]")
	if len(c.s.subs) != 0 || len(r.shard.expansions) != 0 || !r.shard.patterns.Empty() || len(r.shard.topics) != 0 {
		t.Errorf("%d subscriptions, %d expansions and %d topics are left", len(c.s.subs), len(r.shard.expansions), len(r.shard.topics))
	}
}

func TestAPatternBeginsWhereTheClientSays(t *testing.T) {
	r := newRig(t, rigOptions{})
	for _, name := range []wire.ChannelName{"order.a", "order.b", "order.c"} {
		for range 3 {
			r.publish(name, "x")
		}
	}
	c := r.joined("alice")
	c.say(subscribeTo("order.c"))
	epoch := string(r.epoch("order.c"))
	c.say(unwild("0", "order.c"))
	c.hear()
	c.tellAll(wild("1", "order.*", `,"from":{"last":1},"positions":{"order.c":{"epoch":"`+epoch+`","offset":1},"order.gone":{"epoch":"old","offset":7},"price.a":{"epoch":"x","offset":1}}`))
	c.hears("+order.* [1]", "+order.c by order.* after 1", "+order.gone by order.* after 0", "gap order.gone epoch",
		"+order.a by order.* after 2", "+order.b by order.* after 2", "order.c 2", "order.c 3", "order.a 3", "order.b 3")
	c.tellAll(wild("2", "order.*", `,"positions":{"order.a":{"epoch":"`+string(r.epoch("order.a"))+`","offset":0}}`))
	c.hears("+order.* [2]", "+order.a by order.* after 0", "order.a 1", "order.a 2", "order.a 3")
}

func TestAChannelHasOneCursorWhoeverHoldsIt(t *testing.T) {
	r := newRig(t, rigOptions{})
	r.publish("order.a", "x")
	c := r.joined("alice")
	c.say(subscribeTo("order.a"))
	c.hear()
	c.tellAll(wild("1", "order.*", ""), wild("2", "order.>", ""))
	c.hears("+order.* [1]", "+order.a by order.* after 1", "+order.> [2]", "+order.a by order.> after 1")
	r.publish("order.a", "y")
	r.publish("order.b", "y")
	c.rest()
	got := told(c.hear())
	slices.Sort(got[1:3]) // by which of them first is open
	if want := []string{"order.a 2", "+order.b by order.* after 0", "+order.b by order.> after 0", "order.b 1"}; !slices.Equal(got, want) {
		t.Errorf("heard %q, want %q", got, want)
	}
	if len(c.s.subs) != 2 {
		t.Fatalf("%d cursors, want one of each channel", len(c.s.subs))
	}
	c.say(unwild("3", "order.a"), unwild("4", "order.b"))
	c.hears("-order.a [3]", "!not_found [4]")
	c.tellAll(unwild("5", "order.*"))
	r.publish("order.a", "z")
	r.settle()
	c.hears("-order.* [5]", "order.a 3")
	c.say(subscribeTo("order.b"))
	c.hear()
	c.tellAll(unwild("6", "order.>"))
	r.publish("order.a", "z")
	r.publish("order.b", "z")
	r.settle()
	c.hears("-order.> [6]", "order.b 2")
	c.say(unwild("7", "order.b"))
	if len(c.s.subs) != 0 || len(r.shard.expansions) != 0 {
		t.Errorf("%d cursors and %d expansions are left", len(c.s.subs), len(r.shard.expansions))
	}
}

func TestAPatternHasOnlyWhatMayBeSubscribed(t *testing.T) {
	r := newRig(t, rigOptions{})
	r.publish("secret.a", "x")
	r.publish("t.a", "x")
	r.publish("sys.probe", "x")
	c := r.joined("alice")
	c.tellAll(wild("1", "*.a", ""), wild("2", ">", ""))
	c.hears("+*.a [1]", "+t.a by *.a after 1", "+> [2]", "+t.a by > after 1")
	r.publish("secret.b", "x")
	r.publish("t.b", "x")
	c.rest()
	c.hears("+t.b by > after 0", "t.b 1")
}

func TestAPatternAsksTheHookAboutEachChannel(t *testing.T) {
	hooks := hub.Hooks{Subscribe: func(_ context.Context, _ hub.Client, name wire.ChannelName) error {
		if strings.HasSuffix(string(name), "x") {
			return wire.Errorf(wire.CodePermissionDenied, "not that one")
		}
		return nil
	}}
	r := newRig(t, rigOptions{hooks: hooks})
	for i := range 100 {
		r.publish(wire.ChannelName(fmt.Sprint("order.", i)), "1")
		r.publish(wire.ChannelName(fmt.Sprint("order.", i, "x")), "1")
	}
	c := r.joined("alice")
	c.tellAll(wild("1", "order.*", ""))
	r.publish("order.y", "1")
	r.publish("order.x", "1")
	c.rest()
	events := c.hear()
	if len(c.s.subs) != 101 || len(events) != 1+101+1 || len(messages(events, "order.y")) != 1 {
		t.Errorf("%d subscriptions, and %d frames, want 101 and 103", len(c.s.subs), len(events))
	}
}

func TestAPatternFindsNoRoomForMoreThanASessionMayHave(t *testing.T) {
	r := newRig(t, rigOptions{settings: Settings{MaxSubscriptions: 3}})
	for _, name := range []wire.ChannelName{"order.a", "order.b", "order.c", "order.d"} {
		r.publish(name, "x")
	}
	c := r.joined("alice")
	c.say(subscribeTo("chat.a"))
	c.hear()
	c.tellAll(wild("1", "order.*", ""))
	c.hears("+order.* [1]", "+order.a by order.* after 1", "+order.b by order.* after 1",
		"-order.c resource_exhausted", "-order.d resource_exhausted")
	r.publish("order.e", "x")
	c.rest()
	c.hears("-order.e resource_exhausted")
	c.say(unwild("2", "chat.a"))
	c.hear()
	r.publish("order.f", "x")
	c.rest()
	c.hears("+order.f by order.* after 0", "order.f 1")
	c.tellAll(wild("2", "chat.*", ""), wild("3", "a", ""), wild("4", "t.*", ""), wild("5", "b.*", ""))
	if got := told(c.hear()); got[len(got)-1] != "!resource_exhausted [5]" {
		t.Errorf("the fourth pattern: %q", got)
	}
}

func TestWhatIsNoPatternIsRefused(t *testing.T) {
	r := newRig(t, rigOptions{})
	c := r.joined("alice")
	c.tellAll(wild("1", "order.>.x", ""), wild("2", "or*", ""), wild("3", ">>", ""), wild("4", "*..a", ""), unwild("5", "order.*"),
		wild("6", strings.Repeat("a", wire.MaxChannelBytes-1)+".*", ""))
	c.hears("!invalid_argument [1]", "!invalid_argument [2]", "!invalid_argument [3]", "!invalid_argument [4]", "!not_found [5]", "!invalid_argument [6]")
	if len(r.shard.expansions) != 0 {
		t.Error("something is kept of what was refused")
	}
	plain := newRig(t, rigOptions{wrap: func(e engine.Engine) engine.Engine { return struct{ engine.Engine }{e} }})
	c = plain.joined("alice")
	c.tellAll(wild("1", "order.*", ""))
	c.hears("!unimplemented [1]")
}

func TestAResumedSessionHasItsPatterns(t *testing.T) {
	r := keeping(t, keep.Options{})
	r.publish("order.a", "1")
	r.publish("order.b", "1")
	c, first := r.session("alice", "chat.own", "order.b")
	c.tellAll(wild("1", "order.*", ""))
	epoch := r.epoch("order.a")
	c.hang()
	for _, name := range []wire.ChannelName{"order.a", "order.b", "order.new", "chat.other"} {
		r.publish(name, "2")
	}
	c, _ = r.connect(principal("alice"), withToken(first.ResumeToken, fmt.Sprintf(`"order.a":{"epoch":"%s","offset":1}`, epoch)))
	c.read = 0
	c.rest()
	got := told(c.hear())[1:]
	slices.Sort(got)
	want := []string{
		"+chat.own", "+order.*", "+order.a by order.* after 1", "+order.b", "+order.b by order.* after 2",
		"+order.new by order.* after 0", "order.a 2", "order.new 1",
	}
	if !slices.Equal(got, want) {
		t.Errorf("heard\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
	c.tellAll(unwild("2", "order.*"))
	if len(c.s.subs) != 2 {
		t.Errorf("%d subscriptions are left of the session's own, want 2", len(c.s.subs))
	}
}

// When a configuration is taken up just as a session is resumed, its patterns look for channels twice: what has appeared comes
// from its first message on all the same.
func TestASessionIsResumedWhileAConfigurationIsTakenUp(t *testing.T) {
	slow := &onceSlow{}
	r := newRig(t, rigOptions{keep: &keep.Options{}, wrap: func(e engine.Engine) engine.Engine {
		slow.Memory = e.(*engine.Memory)
		return slow
	}})
	var own []string // so many that they are not opened in one go
	for i := range 4 * reopenAtOnce {
		own = append(own, fmt.Sprint("chat.", i))
	}
	for turns := range 8 { // of the loop, before the configuration is taken up
		c, first := r.session("alice", own...)
		pattern := fmt.Sprintf("order.%d.*", turns)
		c.tellAll(wild("1", pattern, ""))
		c.hang()
		name := fmt.Sprintf("order.%d.new", turns)
		r.publish(wire.ChannelName(name), "1")
		slow.next.Store(true)
		c = r.open(principal("alice"))
		c.tell(`{"type":"connect","requestId":"c"` + withToken(first.ResumeToken) + `}`)
		for range turns {
			r.loop.turn(r.shard, 0)
		}
		r.shard.lookAgain(t.Context())
		c.rest()
		want := fmt.Sprintf("+%s by %s after 0, %s 1", name, pattern, name)
		got := slices.DeleteFunc(told(c.hear()), func(text string) bool { return !strings.Contains(text, name) })
		if heard := strings.Join(got, ", "); heard != want {
			t.Errorf("%d turns before: heard %q, want %q", turns, heard, want)
		}
		c.hang()
	}
}

// onceSlow is an engine that takes its time for one list of channels.
type onceSlow struct {
	*engine.Memory
	next atomic.Bool
}

func (e *onceSlow) List(ctx context.Context, q engine.ListQuery) (engine.Listing, error) {
	page, err := e.Memory.List(ctx, q)
	if e.next.CompareAndSwap(true, false) {
		time.Sleep(20 * time.Millisecond)
	}
	return page, err
}

// TestAClientThatDoesNotRead checks that joining waits for the line, and goes on when it has room.
func TestJoiningWaitsForAClientThatDoesNotRead(t *testing.T) {
	r := newRig(t, rigOptions{settings: Settings{MaxOutbox: 4 << 10, MaxSubscriptions: 500}})
	for i := range 400 {
		r.publish(wire.ChannelName(fmt.Sprint("order.", i)), "x")
	}
	c := r.joined("alice")
	c.stop()
	c.tell(wild("1", "order.*", ""))
	r.await("the outbox to be full", func() bool {
		x := r.shard.expansions[c.s.slot]
		return x != nil && x.paused
	})
	if n := c.s.waiting(); n > 16<<10 {
		t.Errorf("%d bytes wait for a client that does not read", n)
	}
	for i := range 50 {
		r.publish(wire.ChannelName(fmt.Sprint("order.new", i)), "x")
	}
	c.take(endless)
	c.rest()
	if n := len(c.s.subs); n != 450 {
		t.Errorf("%d channels, want 450", n)
	}
	c.stop()
	for i := range 4 * 500 {
		r.publish(wire.ChannelName(fmt.Sprint("order.more", i)), "x")
	}
	r.settle()
	for i := range 1000 {
		r.publish(wire.ChannelName(fmt.Sprint("order.most", i)), "x")
	}
	r.settle()
	if c.s.Open() {
		t.Errorf("a client that does not read has %d channels waiting for it", len(r.shard.expansions[c.s.slot].queue))
	}
}

// TestASessionWithoutPatternsCostsNothing checks that nothing is kept for sessions that have none.
func TestASessionWithoutPatternsCostsNothing(t *testing.T) {
	r := newRig(t, rigOptions{})
	for range 10 {
		r.joined("alice").say(subscribeTo("a"))
	}
	if len(r.shard.expansions) != 0 {
		t.Errorf("%d sessions have something of patterns", len(r.shard.expansions))
	}
	c := r.joined("bob")
	c.tellAll(wild("1", "order.*", ""))
	c.hang()
	if len(r.shard.expansions) != 0 || !r.shard.patterns.Empty() {
		t.Error("something is kept of a session that has gone")
	}
}
