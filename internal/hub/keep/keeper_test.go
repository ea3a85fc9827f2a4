package keep

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// clock is a time that the test moves.
type clock struct{ at time.Time }

func newClock() *clock { return &clock{time.UnixMilli(1_789_000_000_000)} }

func (c *clock) now() time.Time { return c.at }

func newKeeper(t *testing.T, opts Options) *Keeper {
	t.Helper()
	k, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Close(context.Background()) })
	return k
}

func of(user string, id int) Session {
	return Session{ID: wire.SessionID(fmt.Sprintf("n1-0-%d-%s", id, user)), User: user, Channels: []wire.ChannelName{"a", "order.update"}}
}

var here = Place{Loop: 1, Slot: 7}

func TestAKeptSessionIsTakenOnce(t *testing.T) {
	c := newClock()
	budget := channel.NewBudget(0)
	k := newKeeper(t, Options{Now: c.now, Budget: budget})
	s := of("alice", 1)
	k.Keep(s)
	if got := k.Metrics.Kept.Load(); got != 1 || budget.Used() == 0 {
		t.Errorf("%d sessions are kept, and %d bytes charged", got, budget.Used())
	}
	taken, ok := k.Take(s.ID, here)
	if !ok || taken.ID != s.ID || taken.User != s.User || !slices.Equal(taken.Channels, s.Channels) || !taken.Active.Equal(c.at) {
		t.Errorf("took %+v, %v", taken, ok)
	}
	if at, known := k.Where(s.ID); !known || at != here {
		t.Errorf("it lives at %v, %v", at, known)
	}
	if _, again := k.Take(s.ID, here); again {
		t.Error("it was taken twice")
	}
	k.Keep(taken)
	if _, lives := k.Where(s.ID); lives {
		t.Error("it still lives after its line broke again")
	}
	if _, ok := k.Take(s.ID, here); !ok {
		t.Error("it was not kept again")
	}
	k.Forget(s.ID)
	if _, lives := k.Where(s.ID); lives || k.Metrics.Kept.Load() != 0 || budget.Used() != 0 {
		t.Errorf("after its end it lives: %v; %d are kept, %d bytes charged", lives, k.Metrics.Kept.Load(), budget.Used())
	}
}

func TestASessionWithoutSubscriptionsIsKept(t *testing.T) {
	k := newKeeper(t, Options{})
	k.Keep(Session{ID: "x", User: "alice"})
	if s, ok := k.Take("x", here); !ok || len(s.Channels) != 0 {
		t.Errorf("took %+v, %v", s, ok)
	}
}

func TestTheOldestOfAUserGiveWay(t *testing.T) {
	k := newKeeper(t, Options{MostPerUser: 3})
	k.Keep(of("bob", 0))
	for i := range 5 {
		k.Keep(of("alice", i))
	}
	for i := range 5 {
		if _, ok := k.Take(of("alice", i).ID, here); ok != (i >= 2) {
			t.Errorf("session %d is kept: %v", i, ok)
		}
	}
	if _, ok := k.Take(of("bob", 0).ID, here); !ok {
		t.Error("another user's gave way")
	}
}

func TestTheOldestOfAllGiveWay(t *testing.T) {
	k := newKeeper(t, Options{Most: 4})
	for i := range 10 {
		k.Keep(of(fmt.Sprint("user", i), i))
	}
	if got := k.Metrics.Kept.Load(); got != 4 {
		t.Errorf("%d are kept, want 4", got)
	}
	for i := range 10 {
		if _, ok := k.Take(of(fmt.Sprint("user", i), i).ID, here); ok != (i >= 6) {
			t.Errorf("session %d is kept: %v", i, ok)
		}
	}
}

func TestKeptSessionsHaveAShareOfTheBudget(t *testing.T) {
	const limit = 1 << 20
	budget := channel.NewBudget(limit)
	k := newKeeper(t, Options{Budget: budget})
	for i := range 10_000 {
		k.Keep(of(fmt.Sprint("user", i), i))
	}
	if used := budget.Used(); used > limit/budgetShare || used < limit/budgetShare/2 {
		t.Errorf("%d bytes are charged, of a share of %d", used, limit/budgetShare)
	}
	if _, ok := k.Take(of("user9999", 9999).ID, here); !ok {
		t.Error("the newest gave way")
	}
}

func TestSessionsExpire(t *testing.T) {
	c := newClock()
	budget := channel.NewBudget(0)
	k := newKeeper(t, Options{Within: time.Minute, Now: c.now, Budget: budget})
	for i := range 3 {
		k.Keep(of("alice", i))
		c.at = c.at.Add(20 * time.Second)
	}
	if _, ok := k.Take(of("alice", 0).ID, here); ok { // after exactly a minute
		t.Error("a session was resumed after its time")
	}
	if _, ok := k.Take(of("alice", 1).ID, here); !ok {
		t.Error("a session was not resumed within its time")
	}
	k.Keep(of("alice", 1)) // its time begins anew
	c.at = c.at.Add(59 * time.Second)
	k.Sweep()
	if got := k.Metrics.Kept.Load(); got != 1 {
		t.Errorf("%d are kept after the sweep, want 1", got)
	}
	c.at = c.at.Add(time.Second)
	k.Sweep()
	if k.Metrics.Kept.Load() != 0 || budget.Used() != 0 || len(k.users) != 0 {
		t.Errorf("%d are kept, %d bytes charged, %d users known", k.Metrics.Kept.Load(), budget.Used(), len(k.users))
	}
}

func TestOnlyOneAdoptsALoadedSession(t *testing.T) {
	k := newKeeper(t, Options{})
	if !k.Adopt("x", here) {
		t.Error("nobody could adopt it")
	}
	if k.Adopt("x", Place{}) {
		t.Error("two adopted it")
	}
	k.Keep(of("alice", 1))
	if k.Adopt(of("alice", 1).ID, here) {
		t.Error("one that is kept was adopted")
	}
}

func TestTokens(t *testing.T) {
	k, other := newKeeper(t, Options{}), newKeeper(t, Options{})
	seal := k.NewSeal()
	const id = "node-1-0-5-0123456789abcdef"
	token := seal.Token(id, "alice")
	if got, ok := k.NewSeal().Open(token, "alice"); !ok || got != id {
		t.Errorf("opened as %q, %v", got, ok)
	}
	for name, check := range map[string]func() (wire.SessionID, bool){
		"another user":     func() (wire.SessionID, bool) { return seal.Open(token, "bob") },
		"another node":     func() (wire.SessionID, bool) { return other.NewSeal().Open(token, "alice") },
		"nothing":          func() (wire.SessionID, bool) { return seal.Open("", "alice") },
		"the id alone":     func() (wire.SessionID, bool) { return seal.Open(id, "alice") },
		"no base64":        func() (wire.SessionID, bool) { return seal.Open("§$%", "alice") },
		"a long one":       func() (wire.SessionID, bool) { return seal.Open(token+string(make([]byte, 1<<16)), "alice") },
		"a border moved":   func() (wire.SessionID, bool) { return seal.Open(seal.Token(id+"a", "lice"), "alice") },
		"of no user":       func() (wire.SessionID, bool) { return seal.Open(seal.Token(id, ""), "alice") },
		"cut off":          func() (wire.SessionID, bool) { return seal.Open(token[:len(token)-4], "alice") },
		"with a longer id": func() (wire.SessionID, bool) { return seal.Open("AAAA"+token, "alice") },
	} {
		if got, ok := check(); ok {
			t.Errorf("%s opens session %q", name, got)
		}
	}
	for i := range token[:len(token)-1] { // of the last letter not all bits count
		forged := []byte(token)
		if forged[i]++; forged[i] > 'z' {
			forged[i] = 'A'
		}
		if _, ok := seal.Open(string(forged), "alice"); ok {
			t.Errorf("a token with another letter at %d opens", i)
		}
	}
}

func TestATokenCostsOneAllocation(t *testing.T) {
	seal := newKeeper(t, Options{}).NewSeal()
	const id = "node-1-0-5-0123456789abcdef"
	if n := testing.AllocsPerRun(100, func() { seal.Token(id, "alice") }); n > 1 {
		t.Errorf("a token allocates %v times, want once", n)
	}
}
