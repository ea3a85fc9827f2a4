package session

import (
	"fmt"
	"slices"
	"testing"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// The members of a channel are asked up to a bound, in which the caller does not count: it is not asked.
func TestAsManyMembersAreAskedAsThereMayBeAnswers(t *testing.T) {
	r := newRig(t, rigOptions{})
	Introduce([]*Shard{r.shard})
	caller := r.open(peer("caller"))
	caller.say(subscribeTo("room"))
	caller.hear()
	var others []*client
	join := func() {
		c := r.open(peer("member"))
		c.say(subscribeTo("room"))
		c.hear()
		others = append(others, c)
	}
	ask := func(id string) {
		caller.say(fmt.Sprintf(`{"type":"call","requestId":%q,"method":"m","to":"channel:room"}`, id))
	}
	for range wire.MaxAnswers {
		join()
	}
	ask("1")
	for i, c := range others {
		if got := c.answerAll(); len(got) != 1 {
			t.Fatalf("member %d was asked %d times", i, len(got))
		}
	}
	heard := caller.hear()
	if len(heard) != 1 {
		t.Fatalf("the caller heard %.200s", text(heard))
	}
	if b, ok := heard[0].body().(*wire.Reply); !ok || b.Asked != wire.MaxAnswers || len(b.Answers) != wire.MaxAnswers {
		t.Errorf("the caller heard %.200s", text(heard))
	}
	join()
	ask("2")
	caller.say(`{"type":"unsubscribe","requestId":"u","channel":"room"}`)
	ask("3")
	if got, want := ends(caller.hear()), []string{"2 resource_exhausted", "3 resource_exhausted"}; !slices.Equal(got, want) {
		t.Errorf("with one more the caller heard %q, want %q", got, want)
	}
	for i, c := range others {
		if got := c.hear(); len(got) != 0 {
			t.Fatalf("member %d of too many heard %s", i, text(got))
		}
	}
}
