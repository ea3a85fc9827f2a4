package session

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/hub"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// peer is a principal that may call, serve and reach whatever there is.
func peer(user string) *auth.Principal {
	all := []string{">"}
	rights, err := auth.NewRights(auth.Grants{Call: all, Serve: all, Reach: all, Subscribe: all})
	if err != nil {
		panic(err)
	}
	return &auth.Principal{UserID: user, Method: auth.MethodDevelopment, Rights: rights}
}

// server is a client that serves methods. What it heard of that is behind.
func (r *rig) server(user string, concurrency int, methods ...string) *client {
	r.t.Helper()
	c, _ := r.connect(peer(user), "")
	for _, m := range methods {
		c.say(fmt.Sprintf(`{"type":"serve","requestId":"s","method":%q,"concurrency":%d}`, m, concurrency))
	}
	if heard := c.hear(); len(heard) != len(methods) {
		r.t.Fatalf("%d methods are served, and it was told %s", len(methods), text(heard))
	}
	return c
}

// jam fills the outbox of a client, which reads nothing from now on, with answers to its own calls.
func (c *client) jam(bytes int) {
	c.stop()
	for ; bytes > 0; bytes -= 60 << 10 {
		c.say(fmt.Sprintf(`{"type":"call","requestId":"e","method":"magpie.echo","text":%q}`, strings.Repeat("x", min(bytes, 60<<10))))
	}
}

// call makes calls of a method, which are numbered, with so many bytes each.
func (c *client) call(method string, count, size int) {
	for i := range count {
		c.say(fmt.Sprintf(`{"type":"call","requestId":"%s%d","method":%q,"text":"%d %s"}`, method, i, method, i, strings.Repeat("x", size)))
	}
}

// numbered are the calls that call makes of a method.
func numbered(method string, count int) (all []string) {
	for i := range count {
		all = append(all, fmt.Sprint(method, i))
	}
	return all
}

// answerAll answers every call that has come, as often as more come, and returns which these were, in order.
func (c *client) answerAll() (all []string) {
	for more := true; more; {
		more = false
		for _, e := range c.hear() {
			if b, ok := e.body().(*wire.Call); ok {
				number, _, _ := strings.Cut(string(b.Payload.Bytes), " ")
				all = append(all, b.Method+number)
				c.say(fmt.Sprintf(`{"type":"reply","requestId":%q}`, e.frame.RequestID))
				more = true
			}
		}
	}
	return all
}

// ends are what became of calls: their names, with the code of the error where it was one.
func ends(events []event) (all []string) {
	for _, e := range events {
		switch b := e.body().(type) {
		case *wire.Reply:
			all = append(all, e.frame.RequestID)
		case *wire.Error:
			all = append(all, e.frame.RequestID+" "+string(b.Code))
		}
	}
	return all
}

// outsider is a caller that is on no loop, and notes what becomes of its call (hub.Back).
type outsider struct{ end string }

func (*outsider) Part(hub.Home, *hub.Exchange, wire.Payload) {}

func (o *outsider) Answer(_ hub.Home, _ *hub.Exchange, _ *wire.Reply, err error) {
	if o.end += "reply"; err != nil {
		o.end = string(wire.AsError(err).Code)
	}
}

// callFromOutside makes a call that is brought to a session when the loop turns next.
func (r *rig) callFromOutside(to, method, payload string) *outsider {
	r.t.Helper()
	x, err := r.hub.NewExchange(peer("outside"), &wire.Call{
		Method: method, To: to, Payload: wire.Payload{Kind: wire.PayloadText, Bytes: []byte(payload)},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	o := &outsider{}
	x.Back = o
	r.hub.Dispatch(x)
	return o
}

// Calls that are brought to a session in one turn of its loop may be more than its outbox holds: a client that reads is given
// all of them.
func TestABurstDoesNotMakeAClientSlow(t *testing.T) {
	const burst, size = 16, 60 << 10
	for _, to := range []string{"", "user:server"} {
		t.Run("to "+to, func(t *testing.T) {
			r := newRig(t, rigOptions{})
			Introduce([]*Shard{r.shard})
			if burst*size < 3*r.shard.settings.MaxOutbox {
				t.Fatal("this is no burst")
			}
			c := r.server("server", burst, "m")
			var callers []*outsider
			for i := range burst {
				callers = append(callers, r.callFromOutside(to, "m", fmt.Sprint(i, strings.Repeat(" x", size/2))))
			}
			r.settle()
			if got, want := c.answerAll(), numbered("m", burst); !slices.Equal(got, want) {
				t.Errorf("it was given %v, want %v", got, want)
			}
			for i, o := range callers {
				if o.end != "reply" {
					t.Errorf("call %d came to %q", i, o.end)
				}
			}
		})
	}
}

// A server whose line is full is passed over, also when it is the idle one of two, and whatever has filled its line.
func TestASlowServerLeavesCallsToOthers(t *testing.T) {
	for name, test := range map[string]struct{ jam, charged int }{
		"full":            {jam: 360 << 10},
		"memory is spent": {jam: 5 << 10, charged: 2 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			budget := channel.NewBudget(1 << 20)
			r := newRig(t, rigOptions{settings: Settings{Budget: budget}})
			slow, fast := r.server("slow", 100, "m"), r.server("fast", 100, "m")
			caller := r.open(peer("caller"))
			slow.jam(test.jam)
			budget.Charge(test.charged)
			caller.call("m", 20, 0)
			budget.Charge(-test.charged)
			if got := ends(caller.hear()); got != nil {
				t.Errorf("failed: %v", got)
			}
			if got, want := fast.answerAll(), numbered("m", 20); !slices.Equal(got, want) {
				t.Errorf("the fast one was given %v, want %v", got, want)
			}
			if got, want := ends(caller.hear()), numbered("m", 20); !slices.Equal(got, want) {
				t.Errorf("the caller heard %v, want %v", got, want)
			}
		})
	}
}

// A server that answers while its line is full makes room for another call, which waits all the same.
func TestWhatWaitsIsNotTriedOnAFullServer(t *testing.T) {
	r := newRig(t, rigOptions{})
	c, caller := r.server("server", 1, "m"), r.open(peer("caller"))
	caller.call("m", 20, 0)
	first := c.hear()
	if len(first) != 1 {
		t.Fatalf("it was given %s, want one call", text(first))
	}
	c.jam(360 << 10)
	if !c.s.Answer(fmt.Appendf(nil, `{"type":"reply","requestId":%q}`, first[0].frame.RequestID)) {
		t.Fatal("the answer was not taken")
	}
	c.s.Flush()
	r.settle()
	if got := ends(caller.hear()); !slices.Equal(got, []string{"m0"}) {
		t.Errorf("after one answer the caller heard %v", got)
	}
	c.take(endless)
	r.settle()
	if got, want := c.answerAll(), numbered("m", 20)[1:]; !slices.Equal(got, want) {
		t.Errorf("when it read again it was given %v, want %v", got, want)
	}
	if got, want := ends(caller.hear()), numbered("m", 20)[1:]; !slices.Equal(got, want) {
		t.Errorf("the caller heard %v, want %v", got, want)
	}
}

// The calls of one method that wait may fill the line again before it is the turn of the other's.
func TestCallsOfTwoMethodsWaitForOneServer(t *testing.T) {
	r := newRig(t, rigOptions{})
	c, caller := r.server("server", 100, "m", "n"), r.open(peer("caller"))
	c.stop()
	caller.call("m", 15, 60<<10)
	caller.call("n", 15, 60<<10)
	var got []string
	for range 100 { // it reads again, slowly
		c.take(50 << 10)
		r.settle()
		got = append(got, c.answerAll()...)
	}
	slices.SortStableFunc(got, func(a, b string) int { return strings.Compare(a[:1], b[:1]) })
	want := append(numbered("m", 15), numbered("n", 15)...)
	if !slices.Equal(got, want) {
		t.Errorf("it was given %v, want %v", got, want)
	}
	heard := ends(caller.hear())
	slices.SortStableFunc(heard, func(a, b string) int { return strings.Compare(a[:1], b[:1]) })
	if !slices.Equal(heard, want) {
		t.Errorf("the caller heard %v, want %v", heard, want)
	}
}

// That memory was spent for a moment, when a client had a call on its way, does not keep calls from it for ever.
func TestAServerIsGivenCallsWhenMemoryIsFreeAgain(t *testing.T) {
	budget := channel.NewBudget(1 << 20)
	r := newRig(t, rigOptions{settings: Settings{Budget: budget}})
	c, caller := r.server("server", 100, "m"), r.open(peer("caller"))
	budget.Charge(2 << 20)
	caller.tell(fmt.Sprintf(`{"type":"call","requestId":"m0","method":"m","text":"0 %s"}`, strings.Repeat("x", 8<<10)))
	budget.Charge(-2 << 20)
	r.settle()
	if got := c.answerAll(); !slices.Equal(got, []string{"m0"}) {
		t.Fatalf("it was given %v", got)
	}
	caller.call("m", 10, 0)
	if got, want := c.answerAll(), numbered("m", 10); !slices.Equal(got, want) {
		t.Errorf("it was given %v, want %v", got, want)
	}
}

// A server that has a call of its own in hand goes: what waits for its method is not given to it once more.
func TestAServerThatCallsItselfGoes(t *testing.T) {
	r := newRig(t, rigOptions{})
	own, other, caller := r.server("own", 1, "m"), r.open(peer("other")), r.open(peer("caller"))
	own.say(`{"type":"call","requestId":"own","method":"m"}`)
	other.say(`{"type":"serve","requestId":"s","method":"m","concurrency":1}`)
	caller.call("m", 10, 0)
	own.hang()
	r.settle()
	if got := ends(caller.hear()); got != nil {
		t.Errorf("failed: %v", got)
	}
	if got, want := other.answerAll(), numbered("m", 10); !slices.Equal(got, want) {
		t.Errorf("the one that stayed was given %v, want %v", got, want)
	}
	if got, want := ends(caller.hear()), numbered("m", 10); !slices.Equal(got, want) {
		t.Errorf("the caller heard %v, want %v", got, want)
	}
}

// A call that was on its way to a server which has ended its serving goes to another one, or fails.
func TestNoCallComesAfterUnserved(t *testing.T) {
	for name, test := range map[string]struct {
		others []string
		given  []string
		end    string
	}{
		"another serves": {others: []string{"m"}, given: []string{"m0"}, end: "reply"},
		"nobody does":    {end: "unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, rigOptions{})
			c, other := r.server("server", 1, "m"), r.server("other", 1, test.others...)
			o := r.callFromOutside("", "m", "0")
			c.say(`{"type":"unserve","requestId":"u","method":"m"}`)
			if got := text(c.hear()); got != `{"type":"unserved","requestId":"u","method":"m"}` {
				t.Errorf("it heard %s", got)
			}
			if got := other.answerAll(); !slices.Equal(got, test.given) {
				t.Errorf("the other was given %v, want %v", got, test.given)
			}
			if o.end != test.end {
				t.Errorf("the call came to %q, want %q", o.end, test.end)
			}
		})
	}
}
