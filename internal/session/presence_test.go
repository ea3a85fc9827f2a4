package session

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/hub"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// chats have presence, and no other channel has.
func chats(name wire.ChannelName) bool { return strings.HasPrefix(string(name), "chat.") }

// members asks who is in a channel, until as many are as wanted.
func (c *client) members(name string, want ...string) {
	c.rig.t.Helper()
	var users []string
	c.rig.await("the members of "+name, func() bool {
		c.say(`{"type":"presence","requestId":"m","channel":"` + name + `"}`)
		for _, e := range c.hear() {
			if page, ok := e.body().(*wire.Members); ok {
				users = nil
				for _, m := range page.Members {
					users = append(users, m.UserID)
				}
			}
		}
		slices.Sort(users)
		return slices.Equal(users, want)
	})
}

// Whichever way a subscription begins and ends, the session is a member that long.
func TestSubscribersAreMembers(t *testing.T) {
	r := newRig(t, rigOptions{presence: chats})
	alice, bob := r.joined("alice"), r.joined("bob")
	alice.members("chat.a")
	for _, c := range []*client{alice, bob} {
		c.say(subscribeTo("chat.a"), subscribeTo("b"))
	}
	alice.members("chat.a", "alice", "bob")
	bob.say(`{"type":"unsubscribe","requestId":"u","channel":"chat.a"}`)
	alice.members("chat.a", "alice")
	told := &wire.Subscribe{Channel: "chat.a"}
	for _, step := range []func() (int, error){
		func() (int, error) { return Subscribe(t.Context(), []*Shard{r.shard}, Target{User: "bob"}, told) },
		func() (int, error) {
			return Unsubscribe(t.Context(), []*Shard{r.shard}, Target{User: "alice"}, "chat.a", "")
		},
	} {
		if n, err := awaited(r, step); n != 1 || err != nil {
			t.Fatalf("steered: %d, %v", n, err)
		}
	}
	alice.members("chat.a", "bob")
	bob.hang()
	alice.members("chat.a")
	alice.say(`{"type":"presence","requestId":"1","channel":"b"}`)
	if heard := alice.hear(); len(heard) != 1 || !strings.Contains(heard[0].String(), "failed_precondition") {
		t.Errorf("of a channel without presence: %v", heard)
	}
}

// The embedding program is asked as for the channel that tells of the members.
func TestHookOfPresence(t *testing.T) {
	var mu sync.Mutex // guards asked
	var asked []wire.ChannelName
	r := newRig(t, rigOptions{presence: chats, hooks: hub.Hooks{Subscribe: func(_ context.Context, c hub.Client, name wire.ChannelName) error {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, name)
		if c.Principal.UserID == "eve" {
			return wire.Errorf(wire.CodePermissionDenied, "not you")
		}
		return nil
	}}})
	alice, eve := r.joined("alice"), r.joined("eve")
	alice.members("chat.a")
	eve.say(`{"type":"presence","requestId":"1","channel":"chat.a"}`)
	var heard []event
	r.await("the answer", func() bool {
		heard = append(heard, eve.hear()...)
		return len(heard) > 0
	})
	if !strings.Contains(heard[0].String(), `"requestId":"1","error":{"code":"permission_denied"`) {
		t.Errorf("eve hears %v", heard)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(asked) < 2 || asked[0] != "sys.members.chat.a" {
		t.Errorf("asked was about %v", asked)
	}
}

// Another configuration makes members of those who have subscribed, or ends that, without their doing.
func TestPresenceIsSwitchedOnAndOff(t *testing.T) {
	var on atomic.Bool
	r := newRig(t, rigOptions{presence: func(name wire.ChannelName) bool { return name != "b" || on.Load() }})
	alice := r.joined("alice")
	alice.say(subscribeTo("b"))
	renew := func(present bool) {
		on.Store(present)
		renewal := Renewal{MaxSubscriptions: 10, Revoked: func(*auth.Principal) bool { return false }}
		if _, err := awaited(r, func() (Renewed, error) { return Renew(t.Context(), []*Shard{r.shard}, renewal) }); err != nil {
			t.Fatal(err)
		}
	}
	renew(true)
	alice.members("b", "alice")
	renew(false)
	r.await("the member has left", func() bool { return r.hub.WhoIsHere().Members == 0 })
	renew(true)
	alice.members("b", "alice")
	on.Store(false)
	r.shard.renewAllPresence()
	alice.say(`{"type":"unsubscribe","requestId":"u","channel":"b"}`) // before the session was looked at
	r.await("the member has left", func() bool { return r.hub.WhoIsHere().Members == 0 })
}
