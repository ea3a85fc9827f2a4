package session

import (
	"fmt"
	"slices"
	"testing"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// A configuration that takes the right away ends the serving, and lets the calls in hand go on.
func TestRenewingEndsWhatMayNotBeServed(t *testing.T) {
	r := newRig(t, rigOptions{})
	p := peer("server")
	c, _ := r.connect(p, "")
	c.say(`{"type":"serve","requestId":"s","method":"m"}`, `{"type":"serve","requestId":"s","method":"n"}`)
	caller := r.open(peer("caller"))
	caller.call("m", 1, 0)
	inHand := c.hear()
	fewer, err := auth.NewRights(auth.Grants{Serve: []string{"n"}})
	if err != nil {
		t.Fatal(err)
	}
	p.Rights.Become(fewer)
	renewal := Renewal{MaxSubscriptions: 10, Revoked: func(*auth.Principal) bool { return false }}
	renewed, err := awaited(r, func() (Renewed, error) { return Renew(t.Context(), []*Shard{r.shard}, renewal) })
	if want := (Renewed{Unserved: 1}); renewed != want || err != nil {
		t.Errorf("%+v, %v, want %+v", renewed, err, want)
	}
	told := c.hear()
	if len(told) != 1 {
		t.Fatalf("it was told %s, want one frame", text(told))
	}
	if b, ok := told[0].body().(*wire.Unserved); !ok || b.Method != "m" || b.Code != wire.CodePermissionDenied || b.Reason == "" || told[0].frame.RequestID != "" {
		t.Errorf("it was told %v", told[0])
	}
	c.say(fmt.Sprintf(`{"type":"reply","requestId":%q}`, inHand[len(inHand)-1].frame.RequestID))
	caller.say(`{"type":"call","requestId":"late","method":"m"}`)
	caller.call("n", 1, 0)
	if got := c.answerAll(); !slices.Equal(got, []string{"n0"}) {
		t.Errorf("it was given %v", got)
	}
	if got, want := ends(caller.hear()), []string{"m0", "late not_found", "n0"}; !slices.Equal(got, want) {
		t.Errorf("the caller heard %q, want %q", got, want)
	}
	c.say(`{"type":"serve","requestId":"again","method":"m"}`)
	if got, want := ends(c.hear()), []string{"again permission_denied"}; !slices.Equal(got, want) {
		t.Errorf("it heard %q, want %q", got, want)
	}
}

// What a session has for calls is gone with the last of them, however that ends.
func TestNothingIsLeftOfServing(t *testing.T) {
	const (
		direct  = `{"type":"call","requestId":"d","method":"m","to":"user:server"}`
		serve   = `{"type":"serve","requestId":"s","method":"m"}`
		unserve = `{"type":"unserve","requestId":"u","method":"m"}`
		cancel  = `{"type":"cancel","requestId":"d"}`
	)
	for name, do := range map[string]func(c, caller *client){
		"answered": func(c, caller *client) { caller.say(direct); c.answerNext(t, `{"type":"reply","requestId":%q}`) },
		"refused": func(c, caller *client) {
			caller.say(direct)
			c.answerNext(t, `{"type":"error","requestId":%q,"error":{"code":"unimplemented","message":"no"}}`)
		},
		"canceled": func(_, caller *client) { caller.say(direct, cancel) },
		"unserved": func(c, _ *client) { c.say(serve, unserve) },
		"unserved before it was answered": func(c, caller *client) {
			c.say(serve)
			caller.say(`{"type":"call","requestId":"d","method":"m"}`)
			c.say(unserve)
			c.answerNext(t, `{"type":"reply","requestId":%q}`)
		},
		"never served":        func(c, _ *client) { c.say(`{"type":"serve","requestId":"s","method":"no method"}`) },
		"the callee has gone": func(c, caller *client) { c.say(serve); caller.say(direct); c.hang() },
		"the caller has gone": func(_, caller *client) { caller.say(direct); caller.hang() },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, rigOptions{})
			Introduce([]*Shard{r.shard})
			c, _ := r.connect(peer("server"), "")
			do(c, r.open(peer("caller")))
			r.settle()
			if sh := r.shard; len(sh.serving) != 0 || len(sh.asked) != 0 || len(sh.calls) != 0 {
				t.Errorf("%d sessions have something for calls, %d calls are in hand, and %d under way", len(sh.serving), len(sh.asked), len(sh.calls))
			}
		})
	}
}

// answerNext answers the one call that has come.
func (c *client) answerNext(t *testing.T, answer string) {
	t.Helper()
	calls := slices.DeleteFunc(c.hear(), func(e event) bool { return e.body().Type() != wire.TypeCall })
	if len(calls) != 1 {
		t.Fatalf("%d calls have come, want one", len(calls))
	}
	c.say(fmt.Sprintf(answer, calls[0].frame.RequestID))
}

// A client that comes to another node, or to the same one after it began anew, may still answer what it was asked before: that
// must not be taken for the answer to another call.
func TestNoTwoShardsNameTheirCallsAlike(t *testing.T) {
	names := make(map[string]bool)
	var last *client
	for range 8 {
		r := newRig(t, rigOptions{})
		c, caller := r.server("server", 1, "m"), r.open(peer("caller"))
		caller.call("m", 1, 0)
		name := c.hear()[0].frame.RequestID
		if names[name] {
			t.Fatalf("two calls are named %s", name)
		}
		names[name], last = true, c
		for other := range names {
			if other != name {
				c.say(fmt.Sprintf(`{"type":"reply","requestId":%q}`, other))
			}
		}
		if got := ends(caller.hear()); got != nil {
			t.Errorf("the caller heard %v of what was answered elsewhere", got)
		}
	}
	if n := last.rig.shard.Metrics.Late.Load(); n != 7 {
		t.Errorf("%d answers were to calls that the client does not have in hand, want 7", n)
	}
}
