package session

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/engine"
	"github.com/magpie-bridge/magpie/internal/hub/keep"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// keeping is a rig whose sessions outlive their lines.
func keeping(t *testing.T, opts keep.Options) *rig {
	t.Helper()
	return newRig(t, rigOptions{keep: &opts})
}

// resumed is what a line heard of its beginning.
func resumed(t testing.TB, events []event) *wire.Connected {
	t.Helper()
	if len(events) == 0 {
		t.Fatal("nothing was heard")
	}
	connected, ok := events[0].body().(*wire.Connected)
	if !ok {
		t.Fatalf("heard %v first", events[0])
	}
	return connected
}

// connect begins a line as p with what is to be in the connect frame besides, and returns what is heard of it.
func (r *rig) connect(p *auth.Principal, resume string) (*client, []event) {
	r.t.Helper()
	c := r.open(p)
	c.say(`{"type":"connect","requestId":"c"` + resume + `}`)
	return c, c.hear()
}

// withToken is the part of a connect frame that resumes a session.
func withToken(token string, positions ...string) string {
	return `,"resume":{"token":"` + token + `","positions":{` + strings.Join(positions, ",") + `}}`
}

// session begins one with subscriptions, and returns what was told of it.
func (r *rig) session(user string, channels ...string) (*client, *wire.Connected) {
	r.t.Helper()
	c, events := r.connect(principal(user), "")
	for _, name := range channels {
		c.say(subscribeTo(wire.ChannelName(name)))
	}
	c.hear()
	return c, resumed(r.t, events)
}

func TestAResumedSessionHasItsSubscriptions(t *testing.T) {
	r := keeping(t, keep.Options{})
	c, first := r.session("alice", "a", "b", "c")
	r.publish("a", "1")
	r.publish("b", "1")
	r.settle()
	epoch := string(r.epoch("a"))
	c.hang()
	r.publish("a", "2")
	r.publish("b", "2")
	r.settle()

	c, events := r.connect(principal("alice"), withToken(first.ResumeToken, `"a":{"epoch":"`+epoch+`","offset":1}`))
	again := resumed(t, events)
	if !again.Resumed || again.SessionID != first.SessionID || again.ResumeToken != first.ResumeToken || events[0].frame.RequestID != "c" {
		t.Errorf("heard %v, want session %s resumed", events[0], first.SessionID)
	}
	opened := map[wire.ChannelName]*wire.Subscribed{}
	for _, e := range events[1:4] {
		if s, ok := e.body().(*wire.Subscribed); ok && e.frame.RequestID == "" {
			opened[s.Channel] = s
		}
	}
	if len(opened) != 3 {
		t.Fatalf("heard %v, want three subscriptions", events)
	}
	if s := opened["a"]; !s.Recovered || s.Position.Offset != 1 || s.Tail != 2 {
		t.Errorf("a begins with %+v, want the client's own position", s)
	}
	if s := opened["b"]; s.Recovered || s.Position.Offset != 2 {
		t.Errorf("b begins with %+v, want now", s)
	}
	r.publish("b", "3")
	r.settle()
	events = append(events, c.hear()...)
	if a, b := messages(events, "a"), messages(events, "b"); !slices.Equal(a, []wire.Offset{2}) || !slices.Equal(b, []wire.Offset{3}) {
		t.Errorf("messages %v of a and %v of b, want 2 and 3", a, b)
	}
	if c.s.inFlight != 0 || len(r.shard.reopening) != 0 {
		t.Errorf("%d are in flight, and %d sessions are being opened", c.s.inFlight, len(r.shard.reopening))
	}
	c.hang()
	if c, events = r.connect(principal("alice"), withToken(again.ResumeToken)); !resumed(t, events).Resumed || len(c.s.subs) != 3 {
		t.Errorf("a second time: %v", events)
	}
	if got := r.keeper().Metrics.Resumed.Load(); got != 2 {
		t.Errorf("%d resumed, want 2", got)
	}
}

func (r *rig) epoch(name wire.ChannelName) wire.Epoch { return r.shard.topics[name].log.Epoch() }

func (r *rig) keeper() *keep.Keeper { return r.shard.settings.Keeper }

func TestAResumeFencesTheOldLineOff(t *testing.T) {
	r := keeping(t, keep.Options{})
	old, first := r.session("alice", "a", "b")
	c, events := r.connect(principal("alice"), withToken(first.ResumeToken))
	if s := resumed(t, events); !s.Resumed || s.SessionID != first.SessionID {
		t.Fatalf("heard %v", events)
	}
	fenced := old.hear()
	if len(fenced) != 2 || fenced[1].code != wire.CloseTakenOver {
		t.Fatalf("the old line heard %v", fenced)
	}
	r.publish("a", "1")
	old.say(`{"type":"publish","requestId":"p","channel":"b","data":1}`)
	r.settle()
	if late := old.hear(); len(late) != 0 {
		t.Errorf("the old line heard %v after its end", late)
	}
	heard := c.hear()
	if a, b := messages(heard, "a"), messages(heard, "b"); !slices.Equal(a, []wire.Offset{1}) || len(b) != 0 {
		t.Errorf("the new line heard %v of a and %v of b", a, b)
	}
	old.hang()

	// And that one again, which lives elsewhere than its id says.
	third, events := r.connect(principal("alice"), withToken(first.ResumeToken))
	if fenced := c.hear(); !resumed(t, events).Resumed || len(fenced) != 2 || fenced[1].code != wire.CloseTakenOver {
		t.Errorf("the third heard %v, and the second %v", events, fenced)
	}
	c.hang()
	third.hang()
	if _, events = r.connect(principal("alice"), withToken(first.ResumeToken)); !resumed(t, events).Resumed {
		t.Errorf("the fourth heard %v", events)
	}
	if got := r.keeper().Metrics.Fenced.Load(); got != 2 {
		t.Errorf("%d fenced, want 2", got)
	}
}

// TestOfTwoAtOnceTheLaterHasTheSession has two lines ask for a session that lives on a third, before the loop has turned.
func TestOfTwoAtOnceTheLaterHasTheSession(t *testing.T) {
	r := keeping(t, keep.Options{})
	old, first := r.session("alice", "a")
	one, two := r.open(principal("alice")), r.open(principal("alice"))
	connect := `{"type":"connect","requestId":"c"` + withToken(first.ResumeToken) + `}`
	one.tell(connect)
	two.tell(connect)
	r.settle()
	if events := old.hear(); len(events) != 2 || events[1].code != wire.CloseTakenOver {
		t.Errorf("the old line heard %v", events)
	}
	if events := one.hear(); !resumed(t, events).Resumed || events[len(events)-1].code != wire.CloseTakenOver {
		t.Errorf("the first heard %v", events)
	}
	if events := two.hear(); !resumed(t, events).Resumed || !two.s.Open() || len(two.s.subs) != 1 {
		t.Errorf("the second heard %v", events)
	}
}

func TestWhoseSessionIsNotKeptHasANewOne(t *testing.T) {
	r := keeping(t, keep.Options{Within: time.Minute})
	c, first := r.session("alice", "a")
	c.hang()
	for name, resume := range map[string]string{
		"a forged token": withToken(first.ResumeToken[:len(first.ResumeToken)-2] + "AA"),
		"no token":       withToken(""),
		"nonsense":       withToken("n1-0-0-00"),
	} {
		if _, events := r.connect(principal("alice"), resume); resumed(t, events).Resumed || resumed(t, events).SessionID == first.SessionID || len(events) != 1 {
			t.Errorf("%s: heard %v", name, events)
		}
	}
	if _, events := r.connect(principal("bob"), withToken(first.ResumeToken)); resumed(t, events).Resumed {
		t.Errorf("another user heard %v", events)
	}
	if got := r.keeper().Metrics.Refused.Load(); got != 4 {
		t.Errorf("%d tokens were refused, want 4", got)
	}
	r.advance(time.Minute)
	if _, events := r.connect(principal("alice"), withToken(first.ResumeToken)); resumed(t, events).Resumed || len(events) != 1 {
		t.Errorf("after its time: %v", events)
	}
	if got := r.keeper().Metrics.Gone.Load(); got != 1 {
		t.Errorf("%d were gone, want 1", got)
	}
}

func TestWhichSessionsAreKept(t *testing.T) {
	for _, test := range []struct {
		name string
		end  func(c *client)
		want bool
	}{
		{"the line breaks", func(*client) {}, true},
		{"the client closes", func(c *client) { c.s.Refuse(wire.CloseNormal, "") }, false},
		{"the client goes away", func(c *client) { c.s.Refuse(wire.CloseGoingAway, "") }, false},
		{"the client says it comes back", func(c *client) { c.s.Refuse(4000, "") }, true},
		{"the client says it does not", func(c *client) { c.s.Refuse(4500, "") }, false},
		{"the framing is broken", func(c *client) { c.s.Refuse(wire.CloseProtocolError, "") }, false},
		{"it is idle", func(c *client) { c.s.Goodbye(wire.CloseIdle, "", 0) }, true},
		{"the node drains", func(c *client) { c.s.Goodbye(wire.CloseDraining, "", 0) }, true},
		{"its credential expires", func(c *client) { c.s.Goodbye(wire.CloseExpired, "", 0) }, true},
		{"it is not understood", func(c *client) { c.s.Goodbye(wire.CloseMalformed, "", 0) }, false},
	} {
		for _, again := range []bool{false, true} { // of a session that was resumed before, the same is true
			r := keeping(t, keep.Options{})
			c, first := r.session("alice", "a")
			if again {
				c.hang()
				c, _ = r.connect(principal("alice"), withToken(first.ResumeToken))
			}
			test.end(c)
			c.hang()
			c, events := r.connect(principal("alice"), withToken(first.ResumeToken))
			if got := resumed(t, events).Resumed; got != test.want || len(c.s.subs) > 0 != test.want {
				t.Errorf("%s (again: %v): resumed %v, with %d subscriptions", test.name, again, got, len(c.s.subs))
			}
			if !test.want && len(r.shard.given) != 0 {
				t.Errorf("%s: %d slots have a given id", test.name, len(r.shard.given))
			}
		}
	}
}

func TestRightsAreCheckedAgain(t *testing.T) {
	r := keeping(t, keep.Options{})
	c, first := r.session("alice", "a", "b")
	c.hang()
	rights, err := auth.NewRights(auth.Grants{Subscribe: []string{"b"}})
	if err != nil {
		t.Fatal(err)
	}
	c, events := r.connect(&auth.Principal{UserID: "alice", Rights: rights}, withToken(first.ResumeToken))
	if len(events) != 3 || !resumed(t, events).Resumed {
		t.Fatalf("heard %v", events)
	}
	for _, e := range events[1:] {
		switch b := e.body().(type) {
		case *wire.Unsubscribed:
			if b.Channel != "a" || b.Code != wire.CodePermissionDenied || b.Reason == "" || e.frame.RequestID != "" {
				t.Errorf("heard %v", e)
			}
		case *wire.Subscribed:
			if b.Channel != "b" {
				t.Errorf("heard %v", e)
			}
		default:
			t.Errorf("heard %v", e)
		}
	}
	if len(c.s.subs) != 1 {
		t.Errorf("it has %d subscriptions", len(c.s.subs))
	}
}

func TestChannelsThatTheClientNamesAreSubscribed(t *testing.T) {
	r := keeping(t, keep.Options{})
	c, first := r.session("alice", "a")
	c.hang()
	position := `:{"epoch":"elsewhere","offset":4}`
	c, events := r.connect(principal("alice"), withToken(first.ResumeToken, `"b"`+position, `"secret.x"`+position))
	if len(c.s.subs) != 2 || c.s.find("b") < 0 || len(events) != 5 {
		t.Fatalf("heard %v", events)
	}
	if gap, ok := events[3].body().(*wire.Gap); !ok || gap.Reason != wire.GapEpoch {
		t.Errorf("heard %v, want a gap", events[3])
	}
	if u, ok := events[4].body().(*wire.Unsubscribed); !ok || u.Code != wire.CodePermissionDenied {
		t.Errorf("heard %v, want that there is no right", events[4])
	}
}

func TestAGapIsTold(t *testing.T) {
	retention := channel.DefaultRetention()
	retention.Messages = 2
	r := newRig(t, rigOptions{retention: retention, keep: &keep.Options{}})
	c, first := r.session("alice", "a")
	c.hang()
	keepOpen, _ := r.session("bob", "a")
	for i := range 5000 {
		r.publish("a", fmt.Sprint(i))
	}
	r.settle()
	_, events := r.connect(principal("alice"), withToken(first.ResumeToken, `"a":{"epoch":"`+string(r.epoch("a"))+`","offset":0}`))
	if s, ok := events[1].body().(*wire.Subscribed); !ok || s.Recovered {
		t.Errorf("heard %v", events[1])
	}
	if gap, ok := events[2].body().(*wire.Gap); !ok || gap.FromOffset != 1 || gap.Reason != wire.GapRetention {
		t.Errorf("heard %v", events[2])
	}
	keepOpen.hang()
}

// TestManySubscriptionsComeBack opens as many as a session may have, for a client that does not read at first.
func TestManySubscriptionsComeBack(t *testing.T) {
	const channels = 1000
	r := newRig(t, rigOptions{keep: &keep.Options{}, settings: Settings{MaxOutbox: 8 << 10}})
	var names []string
	for i := range channels {
		names = append(names, fmt.Sprint("t.", strings.Repeat("x", 200), i))
	}
	c, first := r.session("alice", names...)
	c.hang()
	c = r.open(principal("alice"))
	c.stop()
	c.say(`{"type":"connect","requestId":"c"`+withToken(first.ResumeToken)+`}`, `{"type":"ping","requestId":"p"}`)
	if len(c.s.subs) >= channels || c.s.waiting() > 32<<10 {
		t.Errorf("%d subscriptions are open for a client that does not read, and %d bytes wait", len(c.s.subs), c.s.waiting())
	}
	c.hang() // in the middle of it
	c = r.open(principal("alice"))
	c.line.most = 4 << 10
	c.say(`{"type":"connect","requestId":"c"`+withToken(first.ResumeToken)+`}`, `{"type":"ping","requestId":"p"}`)
	for range 1000 {
		c.take(endless)
		r.settle()
	}
	events := c.hear()
	if len(c.s.subs) != channels || len(events) != channels+2 || c.s.inFlight != 0 || !c.line.reading {
		t.Errorf("%d subscriptions are open, %d frames heard, %d in flight, reading %v", len(c.s.subs), len(events), c.s.inFlight, c.line.reading)
	}
	if last := events[len(events)-1]; last.body().Type() != wire.TypePong {
		t.Errorf("heard %v last: what the client asks comes after its subscriptions", last)
	}
}

// TestAResumeWaitsForItsChannels has an engine that has to fetch them.
func TestAResumeWaitsForItsChannels(t *testing.T) {
	slow := &fetching{there: map[wire.ChannelName]bool{"a": true, "b": true, "c": true}}
	r := newRig(t, rigOptions{keep: &keep.Options{}, wrap: func(e engine.Engine) engine.Engine {
		slow.Engine = e
		return slow
	}})
	c, first := r.session("alice", "a", "b", "c")
	c.hang()
	clear(slow.there)
	c, events := r.connect(principal("alice"), withToken(first.ResumeToken))
	if len(events) != 1 || !resumed(t, events).Resumed || c.s.Full() != true {
		t.Fatalf("before the channels are there it hears %v", events)
	}
	for i, name := range []wire.ChannelName{"a", "b"} {
		slow.fetched(name)
		r.settle()
		if events := c.hear(); len(events) != 1 || events[0].body().Type() != wire.TypeSubscribed {
			t.Errorf("with channel %d it hears %v", i, events)
		}
	}
	c.hang() // c is still to come, and not forgotten
	clear(slow.there)
	c, _ = r.connect(principal("alice"), withToken(first.ResumeToken))
	for name := range map[wire.ChannelName]bool{"a": true, "b": true, "c": true} {
		slow.fetched(name)
	}
	r.settle()
	if len(c.s.subs) != 3 || c.s.inFlight != 0 {
		t.Errorf("it has %d subscriptions", len(c.s.subs))
	}
}

// TestTheCredentialExpiresOnTheWay resumes with one that has expired when the session is found.
func TestTheCredentialExpiresOnTheWay(t *testing.T) {
	r := keeping(t, keep.Options{})
	c, first := r.session("alice", "a", "b")
	c.hang()
	expired := *principal("alice")
	expired.Expires = r.clock.now().Add(-time.Second).UnixMilli()
	c, _ = r.connect(&expired, withToken(first.ResumeToken))
	c.hang()
	if c, events := r.connect(principal("alice"), withToken(first.ResumeToken)); !resumed(t, events).Resumed || len(c.s.subs) != 2 {
		t.Errorf("then it heard %v", events)
	}
}

func TestTheNewLineBreaksBeforeTheSessionComes(t *testing.T) {
	r := keeping(t, keep.Options{})
	_, first := r.session("alice", "a")
	c := r.open(principal("alice"))
	c.tell(`{"type":"connect","requestId":"c"` + withToken(first.ResumeToken) + `}`)
	c.hang()
	r.settle()
	if got := r.keeper().Metrics.Kept.Load(); got != 1 {
		t.Errorf("%d sessions are kept, want the one that nobody has", got)
	}
	if c, events := r.connect(principal("alice"), withToken(first.ResumeToken)); !resumed(t, events).Resumed || len(c.s.subs) != 1 {
		t.Errorf("then it heard %v", events)
	}
}

func TestResumeWithATokenInTheFrame(t *testing.T) {
	r := keeping(t, keep.Options{})
	c, first := r.session("alice", "a")
	c.hang()
	c = r.open(nil)
	c.say(`{"type":"connect","requestId":"c","token":"token-alice"` + withToken(first.ResumeToken) + `}`)
	r.await("a worker looks at the token", func() bool { return c.s.state != stateAuthenticating })
	if events := c.hear(); !resumed(t, events).Resumed || len(c.s.subs) != 1 {
		t.Errorf("heard %v", events)
	}
}
