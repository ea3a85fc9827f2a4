package session

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/engine"
	"github.com/magpie-bridge/magpie/internal/wire"
)

func subscribeTo(name wire.ChannelName) string {
	return fmt.Sprintf(`{"type":"subscribe","requestId":"s","channel":%q}`, name)
}

func offsets(from, to wire.Offset) (list []wire.Offset) {
	for ; from <= to; from++ {
		list = append(list, from)
	}
	return list
}

// TestALineBlockedAtEveryByte cuts the writes of one dialogue at each byte in turn: whatever the kernel takes, and
// however often it stops, the client gets the same bytes.
func TestALineBlockedAtEveryByte(t *testing.T) {
	play := func(room func(c *client)) []byte {
		r := newRig(t, rigOptions{})
		c := r.joined("alice")
		c.line.got, c.read = nil, 0
		room(c)
		c.say(`{"type":"subscribe","requestId":"1","channel":"a","from":{"offset":0}}`, subscribeTo("b"))
		for i := range 5 {
			r.publish("a", fmt.Sprint("message ", i))
			r.settle()
			r.publish("b", fmt.Sprint("other ", i))
		}
		c.say(`{"type":"call","requestId":"2","method":"magpie.echo","text":"echo"}`)
		c.say(`{"type":"unsubscribe","requestId":"3","channel":"c"}`)
		for range 10_000 {
			if !c.line.owing {
				break
			}
			c.take(1 << 20)
			r.settle()
		}
		r.settle()
		return c.line.got
	}
	whole, _, err := jsonLine.parse(play(func(c *client) { c.line.room = endless }))
	if err != nil || len(whole) != 14 {
		t.Fatalf("the dialogue led to %d frames: %v", len(whole), err)
	}
	total := len(play(func(*client) {}))
	check := func(name string, got []byte) {
		t.Helper()
		events, rest, err := jsonLine.parse(got)
		if err != nil || len(rest) > 0 {
			t.Fatalf("%s: %v, and %d bytes are left", name, err, len(rest))
		}
		if a, b := messages(events, "a"), messages(events, "b"); !slices.Equal(a, offsets(1, 5)) || !slices.Equal(b, offsets(1, 5)) {
			t.Fatalf("%s: messages %v of a, %v of b", name, a, b)
		}
		if len(events) != len(whole) {
			t.Fatalf("%s: %d frames, want %d", name, len(events), len(whole))
		}
	}
	for n := range total {
		check(fmt.Sprintf("blocked after %d bytes", n), play(func(c *client) { c.line.room = n }))
	}
	for n := 1; n < 400; n++ {
		check(fmt.Sprintf("%d bytes a write", n), play(func(c *client) { c.line.room, c.line.most = 0, n }))
	}
}

// TestASlowReaderCostsOnlyItsOutbox blocks a line while much is published: nothing is kept for it but the rest of the
// frame that was cut.
func TestASlowReaderCostsOnlyItsOutbox(t *testing.T) {
	r := newRig(t, rigOptions{})
	slow, quick := r.joined("slow"), r.joined("quick")
	slow.say(subscribeTo("a"))
	quick.say(subscribeTo("a"))
	slow.hear()
	quick.hear()
	slow.line.room = 100
	for range 1000 {
		r.publish("a", strings.Repeat("x", 500))
		r.settle()
	}
	if got := messages(quick.hear(), "a"); !slices.Equal(got, offsets(1, 1000)) {
		t.Errorf("the reader beside a blocked one got %d messages", len(got))
	}
	if n := slow.s.waiting(); n > 1000 {
		t.Errorf("%d bytes are kept for a line that takes nothing", n)
	}
	writes := slow.line.writes
	r.publish("a", "one more")
	r.settle()
	if slow.line.writes != writes {
		t.Error("a line that has no room was written to")
	}
	slow.take(endless)
	r.settle()
	if got := messages(slow.hear(), "a"); !slices.Equal(got, offsets(1, 1001)) {
		t.Errorf("after it was read on a slow line got %d messages", len(got))
	}
	if slow.s.out != nil {
		t.Error("an outbox that was sent is kept")
	}
}

func TestAReaderTooSlowForTheRetentionIsToldTheGap(t *testing.T) {
	r := newRig(t, rigOptions{retention: channel.Retention{Messages: 10, Bytes: 1 << 20, Age: time.Hour}})
	c := r.joined("slow")
	c.say(subscribeTo("a"))
	r.publish("a", "first")
	r.settle()
	c.stop()
	for range 100 {
		r.publish("a", "x")
	}
	r.settle()
	c.take(endless)
	r.settle()
	var told []string
	for _, e := range c.hear() {
		switch b := e.body().(type) {
		case *wire.Message:
			told = append(told, fmt.Sprint(b.Offset))
		case *wire.Gap:
			told = append(told, fmt.Sprintf("gap %d-%d %s", b.FromOffset, b.ToOffset, b.Reason))
		}
	}
	want := "1,gap 2-91 retention,92,93,94,95,96,97,98,99,100,101"
	if got := strings.Join(told, ","); got != want {
		t.Errorf("told %s\nwant %s", got, want)
	}
	if n := r.shard.Metrics.Gaps.Load(); n != 1 {
		t.Errorf("%d gaps counted", n)
	}
}

func TestRecoveryFromAPositionIsExact(t *testing.T) {
	r := newRig(t, rigOptions{})
	for i := range 50 {
		r.publish("a", fmt.Sprint(i))
	}
	for at := range wire.Offset(51) {
		c := r.joined("alice")
		c.say(fmt.Sprintf(`{"type":"subscribe","requestId":"1","channel":"a","from":{"offset":%d}}`, at))
		events := c.hear()
		subscribed, ok := events[0].body().(*wire.Subscribed)
		if !ok || !subscribed.Recovered || subscribed.Position.Offset != at || subscribed.Tail != 50 {
			t.Fatalf("from %d: %v", at, events[0])
		}
		if got := messages(events, "a"); !slices.Equal(got, offsets(at+1, 50)) {
			t.Fatalf("from %d: messages %v", at, got)
		}
		c.hang()
	}
	if n := r.shard.Metrics.Subscriptions.Load(); n != 0 || len(r.shard.topics) != 0 || r.shard.Len() != 0 {
		t.Errorf("after all hung up: %d subscriptions, %d topics, %d sessions", n, len(r.shard.topics), r.shard.Len())
	}
}

func TestNothingFollowsUnsubscribed(t *testing.T) {
	r := newRig(t, rigOptions{})
	c := r.joined("alice")
	c.say(subscribeTo("a"))
	c.line.room = 10 // the message below is cut
	r.publish("a", "cut")
	r.settle()
	r.publish("a", "behind it")
	c.say(`{"type":"unsubscribe","requestId":"u","channel":"a"}`)
	c.take(endless)
	r.publish("a", "too late")
	r.settle()
	events := c.hear()
	if got := messages(events, "a"); !slices.Equal(got, offsets(1, 1)) {
		t.Errorf("messages %v, want the one that was on its way", got)
	}
	if last := events[len(events)-1]; last.body().Type() != wire.TypeUnsubscribed {
		t.Errorf("the last frame is %v", last)
	}
}

// TestNoChannelStarvesAnother has a line that takes a little at a time and a channel that always has more for it.
func TestNoChannelStarvesAnother(t *testing.T) {
	r := newRig(t, rigOptions{})
	for range 530 {
		r.publish("a", strings.Repeat("x", 1000)) // until its chunks are so large that no batch ends before the line is full
	}
	c := r.joined("alice")
	c.say(subscribeTo("a"), subscribeTo("b"), subscribeTo("c"))
	c.hear()
	c.stop()
	for range 1000 {
		r.publish("a", strings.Repeat("x", 1000))
	}
	r.publish("b", "beside it")
	r.publish("c", "beside it")
	r.settle()
	for range 20 {
		c.take(10_000)
		r.settle()
	}
	events := c.hear()
	if len(messages(events, "b")) != 1 || len(messages(events, "c")) != 1 {
		t.Errorf("of 200 kB that the line took, a had %d messages, b %d and c %d",
			len(messages(events, "a")), len(messages(events, "b")), len(messages(events, "c")))
	}
	c.take(endless)
	r.settle()
	if got := messages(append(events, c.hear()...), "a"); !slices.Equal(got, offsets(531, 1530)) {
		t.Errorf("%d messages of a", len(got))
	}
}

func TestAFullOutboxStopsReadingUntilHalfIsFree(t *testing.T) {
	r := newRig(t, rigOptions{settings: Settings{MaxOutbox: 10_000}})
	c := r.joined("alice")
	c.stop()
	call := fmt.Sprintf(`{"type":"call","requestId":"e","method":"magpie.echo","text":%q}`, strings.Repeat("x", 900))
	frames := slices.Repeat([]string{call}, 100)
	c.say(frames...)
	if c.line.reading || len(c.pending) == 0 {
		t.Fatalf("reading goes on: %t, and %d frames wait", c.line.reading, len(c.pending))
	}
	if n := c.s.waiting(); n < 10_000 || n > 11_500 {
		t.Errorf("%d bytes in an outbox that is full at 10,000", n)
	}
	waiting := len(c.pending)
	c.take(3000)
	r.settle()
	if c.line.reading || len(c.pending) != waiting {
		t.Errorf("reading was resumed with %d of 10,000 bytes in the outbox", c.s.waiting())
	}
	for i := 0; len(c.pending) > 0; i++ {
		if i > 1000 {
			t.Fatalf("%d frames are never read", len(c.pending))
		}
		if n := c.s.waiting(); n > 11_500 {
			t.Fatalf("%d bytes in the outbox", n)
		}
		c.take(4000)
		r.settle()
	}
	c.take(endless)
	r.settle()
	if got := len(c.hear()); got != 100 || !c.line.reading {
		t.Errorf("%d replies, reading %t: want all 100, and reading", got, c.line.reading)
	}
}

// TestAStrangerHasASmallOutbox floods a session that has not connected. Once it reads, it may still connect.
func TestAStrangerHasASmallOutbox(t *testing.T) {
	r := newRig(t, rigOptions{})
	c := r.open(nil)
	c.stop()
	c.say(slices.Repeat([]string{`{"type":"ping","requestId":"1"}`}, 1000)...)
	if n := c.s.waiting(); n > strangerOutbox+1000 || c.line.reading {
		t.Fatalf("%d bytes wait for a stranger, reading %t", n, c.line.reading)
	}
	c.take(endless)
	r.settle()
	if got := len(c.hear()); got != 1000 || !c.line.reading {
		t.Errorf("%d refusals, reading %t: want all 1000, and reading", got, c.line.reading)
	}
	c.say(`{"type":"connect","token":"token-alice"}`)
	r.await("connected", func() bool { return c.s.state == stateOpen })
	if n := c.s.maxOutbox(); n != r.shard.settings.MaxOutbox {
		t.Errorf("an outbox of %d bytes after connecting", n)
	}
}

// TestFramesThatMetAFullOutboxAreReadAgain has a line that takes everything: the session is full only between a
// read and its flush, and what was left unread in between must not be forgotten.
func TestFramesThatMetAFullOutboxAreReadAgain(t *testing.T) {
	r := newRig(t, rigOptions{settings: Settings{MaxOutbox: 10_000}})
	c := r.joined("alice")
	call := fmt.Sprintf(`{"type":"call","requestId":"e","method":"magpie.echo","text":%q}`, strings.Repeat("x", 900))
	c.say(slices.Repeat([]string{call}, 100)...)
	if got := len(c.hear()); got != 100 || len(c.pending) != 0 || !c.line.reading {
		t.Errorf("%d replies of 100, %d frames wait, reading %t", got, len(c.pending), c.line.reading)
	}
}

func TestAPongOfTheTransportKeepsItsPlace(t *testing.T) {
	r := newRig(t, rigOptions{})
	c := r.joined("alice")
	c.tell(`{"type":"ping","requestId":"1"}`)
	c.s.Send(jsonLine.AppendPing(nil))
	c.s.Flush()
	c.say(`{"type":"ping","requestId":"2"}`)
	events := c.hear()
	if len(events) != 3 || events[0].frame.RequestID != "1" || events[1].kind != kindPing || events[2].frame.RequestID != "2" {
		t.Errorf("heard %v", events)
	}
}

// TestTheScratchIsLentToOneSessionAtATime interleaves the frames of two sessions before either is flushed.
func TestTheScratchIsLentToOneSessionAtATime(t *testing.T) {
	r := newRig(t, rigOptions{})
	a, b := r.joined("alice"), r.joined("bob")
	for i := range 5 {
		a.s.Frame(fmt.Appendf(nil, `{"type":"ping","requestId":"a%d"}`, i))
		b.s.Frame(fmt.Appendf(nil, `{"type":"ping","requestId":"b%d"}`, i))
	}
	b.line.room = 30
	b.s.Flush()
	a.s.Flush()
	a.say(`{"type":"ping","requestId":"a5"}`)
	b.take(endless)
	b.say(`{"type":"ping","requestId":"b5"}`)
	for name, c := range map[string]*client{"a": a, "b": b} {
		events := c.hear()
		if len(events) != 6 {
			t.Fatalf("%s heard %v", name, events)
		}
		for i, e := range events {
			if want := fmt.Sprint(name, i); e.frame.RequestID != want {
				t.Errorf("%s heard %v in place of %s", name, e, want)
			}
		}
	}
	if r.shard.lent {
		t.Error("the scratch was not given back")
	}
	// A session that dies with the scratch in its hands gives it back too.
	a.s.Frame([]byte(`{"type":"ping"}`))
	a.hang()
	if r.shard.lent {
		t.Error("the scratch went with its session")
	}
}

func TestAWriteThatFailsIsNotRepeated(t *testing.T) {
	r := newRig(t, rigOptions{})
	c := r.joined("alice")
	c.say(subscribeTo("a"))
	c.line.fail = errors.New("broken")
	writes := c.line.writes
	for range 5 {
		r.publish("a", "x")
		r.settle()
	}
	if n := c.line.writes - writes; n != 1 {
		t.Errorf("%d writes to a line that is broken, want one", n)
	}
	c.hang()
	r.publish("a", "x")
	r.settle()
	if len(r.shard.topics) != 0 {
		t.Error("a topic outlived its last subscriber")
	}
}

func TestSubscriptionsAreLimited(t *testing.T) {
	r := newRig(t, rigOptions{settings: Settings{MaxSubscriptions: 2}})
	c := r.joined("alice")
	c.say(subscribeTo("a"), subscribeTo("b"), subscribeTo("c"), subscribeTo("a"))
	var types []wire.Type
	events := c.hear()
	for _, e := range events {
		types = append(types, e.body().Type())
	}
	if want := []wire.Type{wire.TypeSubscribed, wire.TypeSubscribed, wire.TypeError, wire.TypeSubscribed}; !slices.Equal(types, want) {
		t.Errorf("heard %v", events)
	}
	if e, ok := events[2].body().(*wire.Error); !ok || e.Code != wire.CodeResourceExhausted {
		t.Errorf("the third is refused with %v", events[2])
	}
	c.say(`{"type":"unsubscribe","requestId":"u","channel":"b"}`, subscribeTo("c"))
	if events := c.hear(); len(events) != 2 || events[1].body().Type() != wire.TypeSubscribed {
		t.Errorf("after one was given up: %v", events)
	}
}

// lateEngine answers appends when the test says so, on a goroutine of its own.
type lateEngine struct {
	engine.Engine
	mu   sync.Mutex // guards late
	late []func()
}

func (e *lateEngine) Append(name wire.ChannelName, records []channel.Record, done func(wire.Epoch, []channel.Placed, error)) {
	e.Engine.Append(name, records, func(epoch wire.Epoch, placed []channel.Placed, err error) {
		placed = slices.Clone(placed)
		e.mu.Lock()
		defer e.mu.Unlock()
		e.late = append(e.late, func() { done(epoch, placed, err) })
	})
}

func (e *lateEngine) answer(n int) {
	e.mu.Lock()
	batch := e.late[:n]
	e.late = e.late[n:]
	e.mu.Unlock()
	var wg sync.WaitGroup
	for _, f := range batch {
		wg.Go(f)
	}
	wg.Wait()
}

// TestAnEngineThatAnswersLate bounds what one session may have under way, and answers a session that is gone without
// harm.
func TestAnEngineThatAnswersLate(t *testing.T) {
	late := &lateEngine{}
	r := newRig(t, rigOptions{wrap: func(e engine.Engine) engine.Engine {
		late.Engine = e
		return late
	}})
	c := r.joined("alice")
	var frames []string
	for i := range maxInFlight + 50 {
		frames = append(frames, fmt.Sprintf(`{"type":"publish","requestId":"p%d","channel":"a","text":"x"}`, i))
	}
	c.say(frames...)
	if len(c.pending) != 50 || c.line.reading || len(c.hear()) != 0 {
		t.Fatalf("%d publishes wait, reading %t", len(c.pending), c.line.reading)
	}
	late.answer(100)
	r.settle()
	if len(c.pending) != 0 || !c.line.reading || len(c.hear()) != 100 {
		t.Errorf("after 100 answers %d publishes wait, reading %t", len(c.pending), c.line.reading)
	}
	late.answer(maxInFlight - 60)
	r.settle()
	if n := len(c.hear()); n != maxInFlight-60 || c.s.inFlight != 10 {
		t.Errorf("%d answers, %d in flight", n, c.s.inFlight)
	}
	c.hang()
	late.answer(10)
	r.settle()
	if events := c.hear(); len(events) != 0 {
		t.Error("a session that is gone was written to")
	}
}
