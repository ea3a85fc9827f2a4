package trie_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/hub/trie"
	"github.com/magpie-bridge/magpie/internal/wire"
)

func matches(t *trie.Trie[string], name wire.ChannelName) []string {
	var found []string
	t.Match(name, func(v string) { found = append(found, v) })
	slices.Sort(found)
	return found
}

func TestMatch(t *testing.T) {
	var tr trie.Trie[string]
	for _, pattern := range []string{"order.*", "order.>", "*.update", ">", "*", "order.*.eu", "order.update"} {
		tr.Add(wire.ChannelName(pattern), pattern)
	}
	for name, want := range map[wire.ChannelName]string{
		"order":           "* >",
		"order.update":    "*.update > order.* order.> order.update",
		"price.update":    "*.update >",
		"order.update.eu": "> order.*.eu order.>",
		"order.update.us": "> order.>",
		"a.b.c.d":         ">",
		"sys.update":      "",
	} {
		if got := strings.Join(matches(&tr, name), " "); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestAValueIsCounted(t *testing.T) {
	var tr trie.Trie[string]
	tr.Add("a.*", "x")
	tr.Add("a.*", "x")
	tr.Remove("a.*", "x")
	if got := matches(&tr, "a.b"); len(got) != 1 {
		t.Errorf("added twice and removed once: %v", got)
	}
	tr.Remove("a.*", "x")
	tr.Remove("a.*", "x") // more often than it was there
	tr.Remove("b.c.>", "x")
	if got := matches(&tr, "a.b"); len(got) != 0 || !tr.Empty() {
		t.Errorf("removed as often as added: %v, empty %t", got, tr.Empty())
	}
}

// TestAgainstOneByOne compares the trie with looking at each pattern, in any order of additions and removals.
func TestAgainstOneByOne(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	words := []string{"a", "b", "sys"}
	text := func(wild bool) string {
		var name []string
		for range 1 + random.IntN(4) {
			word := words[random.IntN(len(words))]
			if wild && random.IntN(3) == 0 {
				word = "*"
			}
			name = append(name, word)
		}
		if wild && random.IntN(4) == 0 {
			name[len(name)-1] = ">"
		}
		return strings.Join(name, ".")
	}
	var tr trie.Trie[string]
	var held []string
	for range 20_000 {
		switch {
		case random.IntN(2) == 0 && len(held) < 200:
			held = append(held, text(true))
			tr.Add(wire.ChannelName(held[len(held)-1]), held[len(held)-1])
		case len(held) > 0:
			i := random.IntN(len(held))
			tr.Remove(wire.ChannelName(held[i]), held[i])
			held = slices.Delete(held, i, i+1)
		}
		name := wire.ChannelName(text(false))
		var want []string
		for _, pattern := range held {
			if p, err := auth.ParsePattern(pattern); err != nil {
				t.Fatal(err)
			} else if p.Expands(name) {
				want = append(want, pattern)
			}
		}
		slices.Sort(want)
		if got := matches(&tr, name); !slices.Equal(got, slices.Compact(want)) {
			t.Fatalf("%s: %v, want %v of %v", name, got, want, held)
		}
	}
	for _, pattern := range held {
		tr.Remove(wire.ChannelName(pattern), pattern)
	}
	if !tr.Empty() {
		t.Error("nothing is held, and the trie is not empty")
	}
}

// BenchmarkMatch is what a new channel costs, beside patterns that do not stand for it.
func BenchmarkMatch(b *testing.B) {
	for _, patterns := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprint(patterns, "patterns"), func(b *testing.B) {
			var tr trie.Trie[int]
			for i := range patterns {
				tr.Add(wire.ChannelName(fmt.Sprintf("tenant-%d.order.*", i)), i)
			}
			b.ReportAllocs()
			for b.Loop() {
				tr.Match("other.order.update", func(int) { b.Fatal("none of them stands for it") })
			}
		})
	}
}
