package session

import (
	"fmt"
	"strings"
	"testing"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// duo is a caller and a callee with one call between them. The callee keeps to its credit.
type duo struct {
	rig            *rig
	caller, callee *client
	requestID      string // of the gateway's
	credit         int64
	sent           int
	canceled       bool
}

func newDuo(t *testing.T, budget *channel.Budget) *duo {
	t.Helper()
	r := newRig(t, rigOptions{settings: Settings{Budget: budget}})
	d := &duo{rig: r, caller: r.open(peer("caller")), callee: r.server("callee", wire.DefaultConcurrency, "m"), credit: 16}
	d.caller.say(`{"type":"call","requestId":"1","method":"m"}`)
	d.caller.hear()
	for _, e := range d.callee.hear() {
		if e.body().Type() == wire.TypeCall {
			d.requestID = e.frame.RequestID
		}
	}
	return d
}

// send sends parts while there is credit, until there are as many in all as told.
func (d *duo) send(until int) {
	for d.listen(); d.credit > 0 && d.sent < until; d.listen() {
		d.callee.say(fmt.Sprintf(`{"type":"progress","requestId":%q,"text":"%d %s"}`, d.requestID, d.sent, strings.Repeat("x", 30<<10)))
		d.sent++
		d.credit--
	}
}

func (d *duo) listen() {
	for _, e := range d.callee.hear() {
		switch b := e.body().(type) {
		case *wire.Credit:
			d.credit += b.Count
		case *wire.Cancel:
			d.canceled = true
		}
	}
}

// heard returns the numbers of the parts that the caller was sent, and what ended the call.
func (d *duo) heard(t *testing.T, from int) (next int, end string) {
	t.Helper()
	for _, e := range d.caller.hear() {
		switch b := e.body().(type) {
		case *wire.Progress:
			if got, want := strings.Fields(string(b.Payload.Bytes))[0], fmt.Sprint(from); got != want || end != "" {
				t.Fatalf("part %s came where %s is due (%s)", got, want, end)
			}
			from++
		case *wire.Reply:
			end = "reply"
		case *wire.Error:
			end = string(b.Code)
		}
	}
	return from, end
}

// A caller that does not read slows its callee down: no more than a few parts wait for it, and all come in order in the end.
func TestPartsWaitForASlowCaller(t *testing.T) {
	budget := channel.NewBudget(64 << 20)
	d := newDuo(t, budget)
	d.caller.say(`{"type":"credit","requestId":"1","count":1000}`)
	d.caller.stop()
	const parts = 300
	d.send(parts)
	// What fills the session goes on its way to the line; from then on parts are held.
	if d.sent < partsAhead || d.sent > partsAhead+16 {
		t.Fatalf("%d parts were sent to a caller that reads nothing, want about %d", d.sent, partsAhead)
	}
	if used := budget.Used(); used < 1<<20 {
		t.Errorf("%d bytes are charged for what is held", used)
	}
	next := 0
	for range 10_000 {
		d.caller.take(100 << 10)
		d.rig.settle()
		d.send(parts)
		if next, _ = d.heard(t, next); next == parts {
			break
		}
	}
	d.callee.say(fmt.Sprintf(`{"type":"reply","requestId":%q,"data":1}`, d.requestID))
	d.caller.take(endless)
	d.rig.settle()
	next, end := d.heard(t, next)
	if next != parts || end != "reply" {
		t.Errorf("%d of %d parts came, and %q", next, parts, end)
	}
	if used := budget.Used(); used != 0 {
		t.Errorf("%d bytes are still charged", used)
	}
}

// The reply does not overtake parts that are held.
func TestReplyComesAfterPartsThatAreHeld(t *testing.T) {
	d := newDuo(t, channel.NewBudget(64<<20))
	d.caller.stop()
	d.send(16)
	d.callee.say(fmt.Sprintf(`{"type":"reply","requestId":%q,"data":1}`, d.requestID))
	d.caller.take(endless)
	d.rig.settle()
	if next, end := d.heard(t, 0); next != 16 || end != "reply" {
		t.Errorf("%d parts came, and %q", next, end)
	}
}

// When memory is spent, a call is ended whose caller does not read.
func TestPartsAreNotHeldWhenMemoryIsSpent(t *testing.T) {
	budget := channel.NewBudget(100 << 10)
	d := newDuo(t, budget)
	d.caller.stop()
	d.send(16)
	d.listen()
	if !d.canceled {
		t.Fatal("the callee was not told that nobody waits")
	}
	d.caller.take(endless)
	d.rig.settle()
	if _, end := d.heard(t, 0); end != string(wire.CodeResourceExhausted) {
		t.Errorf("the call ended with %q", end)
	}
	if used := budget.Used(); used != 0 {
		t.Errorf("%d bytes are still charged", used)
	}
}

// A server whose client does not read is given no more calls, and is again when it does.
func TestSlowServersAreGivenNothing(t *testing.T) {
	d := newDuo(t, channel.NewBudget(64<<20))
	d.callee.say(`{"type":"serve","requestId":"s","method":"m","concurrency":10000}`)
	d.callee.hear()
	d.callee.stop()
	large := strings.Repeat("x", 60<<10)
	for i := range 20 {
		d.caller.say(fmt.Sprintf(`{"type":"call","requestId":"c%d","method":"m","text":%q}`, i, large))
	}
	waiting := d.rig.hub.Services()[0].Queued
	if waiting < 10 || waiting > 17 {
		t.Errorf("%d of 20 calls wait for a server that reads nothing", waiting)
	}
	d.callee.take(endless)
	d.rig.settle()
	calls := 0
	for _, e := range d.callee.hear() {
		if e.body().Type() == wire.TypeCall {
			calls++
		}
	}
	if calls != 20 || d.rig.hub.Services()[0].Queued != 0 {
		t.Errorf("%d calls came when it read again", calls)
	}
}

// What a caller is owed and does not read is replaced by what says so, once memory is spent: each call ends all the same.
func TestRepliesAreNotHeldWhenMemoryIsSpent(t *testing.T) {
	const calls, size, limit = 60, 60 << 10, 1 << 20
	budget := channel.NewBudget(limit)
	r := newRig(t, rigOptions{settings: Settings{Budget: budget}})
	c, caller := r.server("server", calls, "m"), r.open(peer("caller"))
	caller.say(`{"type":"ping"}`)
	caller.hear()
	caller.stop()
	caller.call("m", calls, 0)
	for _, e := range c.hear() {
		c.say(fmt.Sprintf(`{"type":"reply","requestId":%q,"text":%q}`, e.frame.RequestID, strings.Repeat("x", size)))
	}
	if n := caller.s.waiting(); n < limit/2 || n > limit+2*size {
		t.Errorf("%d bytes wait for a client that reads nothing, and the budget is %d", n, limit)
	}
	caller.take(endless)
	r.settle()
	heard := caller.hear()
	if len(heard) != calls {
		t.Fatalf("%d answers to %d calls", len(heard), calls)
	}
	lost := false
	for i, e := range heard {
		failure, failed := e.body().(*wire.Error)
		if e.frame.RequestID != fmt.Sprint("m", i) || lost && !failed || failed && (failure.Code != wire.CodeResourceExhausted || failure.Retryable) {
			t.Errorf("answer %d is %.200s", i, e)
		}
		lost = failed
	}
	if !lost {
		t.Error("no reply was lost")
	}
	if used := budget.Used(); used != 0 {
		t.Errorf("%d bytes are still charged", used)
	}
}

// A callee that sends parts and does not read what it is given for them has no more waiting than its outbox holds, and is given
// all of it in the end.
func TestCreditDoesNotFillTheLineOfACallee(t *testing.T) {
	const parts, outbox = 5000, 4 << 10
	for name, to := range map[string]string{"one is asked": "", "all are asked": `,"to":"channel:room"`} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, rigOptions{settings: Settings{MaxOutbox: outbox}})
			Introduce([]*Shard{r.shard})
			c, caller := r.server("server", 1, "m"), r.open(peer("caller"))
			c.say(subscribeTo("room"))
			c.hear()
			caller.say(`{"type":"call","requestId":"1","method":"m"` + to + `}`)
			id := c.hear()[0].frame.RequestID
			c.stop()
			for range parts {
				if !c.s.Answer(fmt.Appendf(nil, `{"type":"progress","requestId":%q}`, id)) {
					t.Fatal("a part was not taken")
				}
				caller.say(`{"type":"credit","requestId":"1","count":1}`)
			}
			if n := c.s.waiting(); n > outbox+100 {
				t.Errorf("%d bytes wait for a client that reads nothing, whose outbox holds %d", n, outbox)
			}
			c.take(endless)
			r.settle()
			given := int64(0)
			for _, e := range c.hear() {
				if b, ok := e.body().(*wire.Credit); ok {
					given += b.Count
				}
			}
			if given != parts {
				t.Errorf("it was given credit for %d parts, want %d", given, parts)
			}
			c.say(fmt.Sprintf(`{"type":"reply","requestId":%q}`, id))
			if got := ends(caller.hear()); len(got) != 1 || got[0] != "1" {
				t.Errorf("the call came to %v", got)
			}
		})
	}
}
