package session

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// slowRig is a rig all of whose channels have one policy.
func slowRig(t testing.TB, p SlowPolicy, retention channel.Retention) *rig {
	t.Helper()
	retention.Newest = p.Action == SlowLatest
	return newRig(t, rigOptions{
		settings:  Settings{Slow: func(wire.ChannelName) SlowPolicy { return p }},
		retention: retention,
	})
}

// put publishes the values of keys, "" for none, each its key with the offset behind it.
func (r *rig) put(name wire.ChannelName, keys ...string) {
	r.t.Helper()
	for _, key := range keys {
		record := channel.Record{Publication: wire.Publication{
			Key:     key,
			Payload: wire.Payload{Kind: wire.PayloadText, Bytes: []byte("value of " + key)},
		}}
		r.engine.Append(name, []channel.Record{record}, func(_ wire.Epoch, _ []channel.Placed, err error) {
			if err != nil {
				r.t.Errorf("publish to %s: %v", name, err)
			}
		})
	}
}

// course shows what moves a client's position: 5 is a message, 9(5) one with a prev, ->8 a position, gap 1-3.
func course(events []event) string {
	var steps []string
	for _, e := range events {
		switch b := e.body().(type) {
		case *wire.Message:
			step := fmt.Sprint(b.Offset)
			if b.Prev != 0 {
				step += fmt.Sprintf("(%d)", b.Prev)
			}
			steps = append(steps, step)
		case *wire.PositionUpdate:
			steps = append(steps, fmt.Sprintf("->%d", b.Position.Offset))
		case *wire.Gap:
			steps = append(steps, fmt.Sprintf("gap %d-%d", b.FromOffset, b.ToOffset))
		}
	}
	return strings.Join(steps, " ")
}

func latest(maxLag uint64) SlowPolicy { return SlowPolicy{Action: SlowLatest, MaxLag: maxLag} }

func TestASlowReaderGetsTheNewestOfEachKey(t *testing.T) {
	r := slowRig(t, latest(3), channel.DefaultRetention())
	slow, quick := r.joined("alice"), r.joined("bob")
	for _, c := range []*client{slow, quick} {
		c.say(subscribeTo("a"))
		c.hear()
	}
	r.put("a", "x") // 1
	r.settle()
	slow.stop()
	for _, key := range []string{"x", "y", "", "z", "y", "", "x", "y"} { // 2 to 9: the newest are z 5, none 7, x 8, y 9
		r.put("a", key)
		r.settle()
	}
	slow.take(endless)
	r.settle()
	if got, want := course(slow.hear()), "1 5(1) 7(5) 8 9"; got != want {
		t.Errorf("the slow reader is led %s, want %s", got, want)
	}
	if got, want := course(quick.hear()), "1 2 3 4 5 6 7 8 9"; got != want {
		t.Errorf("the quick one is led %s, want %s", got, want)
	}
	if skipped := r.shard.Metrics.Conflated.Load(); skipped != 4 {
		t.Errorf("%d messages were skipped, want 4", skipped)
	}
	if delivered := r.shard.Metrics.Delivered.Load(); delivered != 5+9 {
		t.Errorf("%d messages were delivered, want 14", delivered)
	}

	slow.stop()
	r.put("a", "x", "x", "x")
	r.settle()
	slow.take(endless)
	r.put("a", "x")
	r.settle()
	if got, want := course(slow.hear()), "10 11 12 13"; got != want {
		t.Errorf("within the bound it is led %s, want %s", got, want)
	}
}

// TestSkippedEntriesAreTold shows when a position comes: before a leap of a thousand entries, and where a prev would have to
// be 0; and that a gap stands beside it.
func TestSkippedEntriesAreTold(t *testing.T) {
	leap := func(n int) []string { return strings.Split(strings.Repeat("x,", n)+"x", ",") }
	for _, want := range []struct {
		name   string
		keep   int64
		keys   []string
		course string
	}{
		{"from the beginning", 0, []string{"x", "x", "y", "x"}, "->2 3 4"},
		{"a leap", 0, append([]string{"y"}, leap(1000)...), "1 ->1001 1002"},
		{"less than a leap", 0, append([]string{"y"}, leap(999)...), "1 1001(1)"},
		{"behind a gap", 3, []string{"a", "b", "c", "x", "x", "y"}, "gap 1-3 5(3) 6"},
	} {
		t.Run(want.name, func(t *testing.T) {
			retention := channel.DefaultRetention()
			if want.keep > 0 {
				retention.Messages = want.keep
			}
			r := slowRig(t, latest(1), retention)
			c := r.joined("alice")
			c.say(subscribeTo("a"))
			c.stop()
			c.tell(`{"type":"ping"}`) // blocks the line
			c.hear()
			r.put("a", want.keys...)
			r.settle()
			c.take(endless)
			r.settle()
			if got := course(c.hear()); got != want.course {
				t.Errorf("led %s, want %s", got, want.course)
			}
		})
	}
}

// TestASubscriptionFromTheBeginningIsASnapshot shows that a channel of newest values begins with these, and goes on live.
func TestASubscriptionFromTheBeginningIsASnapshot(t *testing.T) {
	r := slowRig(t, latest(2), channel.DefaultRetention())
	r.put("a", "x", "y", "x", "y", "x")
	c := r.joined("alice")
	c.say(`{"type":"subscribe","requestId":"1","channel":"a","from":{"offset":0}}`)
	r.put("a", "x", "x")
	r.settle()
	if got, want := course(c.hear()), "->3 4 5 6 7"; got != want {
		t.Errorf("led %s, want %s", got, want)
	}
}

func TestDisconnectWaitsForMoreThanABurst(t *testing.T) {
	r := slowRig(t, SlowPolicy{Action: SlowDisconnect, MaxLag: 3}, channel.DefaultRetention())
	healthy, slow := r.joined("alice"), r.joined("bob")
	for _, c := range []*client{healthy, slow} {
		c.say(subscribeTo("a"))
		c.hear()
		c.stop()
	}
	burst := func() {
		r.put("a", "", "", "", "", "", "")
		r.settle()
	}
	burst() // this blocks the lines
	burst()
	r.advance(slowGrace / 2)
	healthy.take(endless)
	r.settle()
	healthy.stop()
	r.advance(slowGrace / 2)
	burst() // the healthy one had caught up, so that its time begins anew
	burst()
	if healthy.s.Closing() {
		t.Error("a client that had caught up is disconnected by the next burst")
	}
	if !slow.s.Closing() {
		t.Fatal("a client that has read nothing for a second stays")
	}
	slow.take(endless)
	events := slow.hear()
	last := events[len(events)-1]
	bye, ok := events[len(events)-2].body().(*wire.Goodbye)
	if !ok || bye.Code != wire.CloseSlow || last.code != wire.CloseSlow || !bye.Code.Reconnect() {
		t.Fatalf("it ends with %v", events)
	}
	if !strings.Contains(bye.Reason, "channel a: ") || !strings.Contains(bye.Reason, " messages behind") {
		t.Errorf("the reason is %q", bye.Reason)
	}
	if n := r.shard.Metrics.SlowDisconnects.Load(); n != 1 {
		t.Errorf("%d were disconnected", n)
	}
	healthy.hang()
	slow.hang()
	r.settle()
	if len(r.shard.topics) != 0 {
		t.Error("a topic is left")
	}
}

// TestDisconnectNeedsNoMoreMessages shows that the session's own timer sees a client that is behind on a channel gone quiet.
func TestDisconnectNeedsNoMoreMessages(t *testing.T) {
	r := slowRig(t, SlowPolicy{Action: SlowDisconnect, MaxLag: 3}, channel.DefaultRetention())
	c := r.joined("alice")
	c.say(subscribeTo("a"))
	c.stop()
	r.put("a", "")
	r.settle()
	r.put("a", "", "", "", "")
	r.settle()
	if r.advance(slowGrace); c.s.Closing() {
		t.Fatal("it is over before anything looked")
	}
	if r.advance(c.s.Settings().PingInterval); !c.s.Closing() {
		t.Error("the client stays until it is idle")
	}
}

// TestWhoBeginsBehindMayCatchUp shows that a reader of history is not taken for a slow one.
func TestWhoBeginsBehindMayCatchUp(t *testing.T) {
	r := slowRig(t, SlowPolicy{Action: SlowDisconnect, MaxLag: 3}, channel.DefaultRetention())
	keys := make([]string, 100)
	r.put("a", keys...)
	c := r.joined("alice")
	c.stop()
	c.say(`{"type":"subscribe","requestId":"1","channel":"a","from":{"offset":0}}`)
	r.advance(2 * slowGrace)
	r.put("a", "", "", "")
	r.settle()
	if c.s.Closing() {
		t.Fatal("it is ended for what it began with")
	}
	r.put("a", "")
	r.settle()
	if !c.s.Closing() {
		t.Error("it has fallen back since it began, and stays")
	}
}

func TestLatenessIsForgottenWithItsCursor(t *testing.T) {
	p := newSlowness(SlowPolicy{Action: SlowDisconnect, MaxLag: 2})
	now := moment(0)
	for _, step := range []struct {
		next, tail wire.Offset
		after      time.Duration
		exhausted  bool
		known      int
	}{
		{1, 2, 0, false, 0}, // at the bound
		{1, 3, 0, false, 1}, // beyond it, since now
		{1, 4, slowGrace - 1, false, 1},
		{1, 5, 1, true, 1},
		{6, 9, 0, false, 1}, // it has passed 5: since now
		{6, 9, slowGrace, true, 1},
		{9, 9, 0, false, 0}, // caught up
	} {
		now = now.add(step.after)
		if got := p.exhausted(7, step.next, step.tail, now); got != step.exhausted || len(p.late) != step.known {
			t.Errorf("%+v: exhausted %t, %d known", step, got, len(p.late))
		}
	}
	p.begin(7, 1, 10, now)
	if p.forget(7); len(p.late) != 0 {
		t.Error("what began is remembered")
	}
}
