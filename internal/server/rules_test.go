package server

import (
	"fmt"
	"testing"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// bookOf is the rules of a configuration in development mode.
func bookOf(t testing.TB, namespaces string) *rulebook {
	t.Helper()
	b, err := newRulebook(parse(t, development+namespaces))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTheFirstNamespaceThatCoversCounts(t *testing.T) {
	b := bookOf(t, `namespaces:
- {name: a, pattern: order.new, max_message: 1}
- {name: b, pattern: "*.new", max_message: 2}
- {name: c, pattern: order.*, max_message: 3}
- {name: d, pattern: price.>, max_message: 4}
- {name: e, pattern: ">", max_message: 5}
- {name: f, pattern: sys.>, max_message: 6}
`)
	for name, want := range map[wire.ChannelName]int{
		"order.new": 1, "price.new": 2, "order.old": 3, "order.a.b": 5, "price.a.b": 4, "price": 5, "logs.local": 5,
		"sys.nodes": 6, "sys": 0,
	} {
		if got := b.of(name).hub.MaxMessage; got != want {
			t.Errorf("%s: namespace %d counts, want %d", name, got, want)
		}
	}
}

func TestAWildcardGivesNoRightToUsersChannels(t *testing.T) {
	b := bookOf(t, "namespaces:\n- {name: u, pattern: user.shared, subscribe: everybody}\n- {name: a, pattern: '>', publish: [ann], subscribe: everybody}\n")
	for name, want := range map[wire.ChannelName]bool{"order.new": true, "user.bob": false, "user.shared": true, "users.bob": true, "sys.nodes": false} {
		subscribe := b.of(name).hub.Subscribe
		if got := subscribe != nil && subscribe("eve"); got != want {
			t.Errorf("%s: eve may subscribe: %t", name, got)
		}
	}
	publish := b.of("order.new").hub.Publish
	if !publish("ann") || publish("eve") || b.of("user.bob").hub.Publish != nil {
		t.Error("publishing is not given to ann alone, outside users' channels")
	}
}

func BenchmarkRulesOfAChannel(b *testing.B) {
	text := "namespaces:\n"
	for i := range 100 {
		text += fmt.Sprintf("- {name: n%d, pattern: word%d.*}\n", i, i)
	}
	book := bookOf(b, text)
	b.ReportAllocs()
	for b.Loop() {
		book.of("word99.some-channel")
	}
}
