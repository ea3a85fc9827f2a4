// Package trie finds the patterns that stand for a name.
//
// The words of a pattern lead from the root to a node: what is looked at for a name grows with the name's words, and with
// the patterns that stand for its beginning, but not with all the others.
package trie

import (
	"strings"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// Trie holds values under patterns, each value any number of times. The zero value is empty. It is not safe for concurrent
// use.
type Trie[V comparable] struct {
	root node[V]
}

// node is reached by the words before it. A node without a value below it is not kept.
type node[V comparable] struct {
	words map[string]*node[V] // by the next word
	any   *node[V]            // by "*"
	rest  map[V]int           // values under patterns that end here with ">"
	ends  map[V]int           // values under patterns that end here
}

// Add puts a value under a pattern once more.
func (t *Trie[V]) Add(pattern wire.ChannelName, value V) {
	n := &t.root
	for rest, more := string(pattern), true; more; {
		var word string
		word, rest, more = strings.Cut(rest, ".")
		switch word {
		case wire.AnyRest:
			n.rest = count(n.rest, value)
			return
		case wire.AnyWord:
			if n.any == nil {
				n.any = &node[V]{}
			}
			n = n.any
		default:
			n = n.child(word)
		}
	}
	n.ends = count(n.ends, value)
}

// child returns the node behind a word, which is made when it is needed.
func (n *node[V]) child(word string) *node[V] {
	next := n.words[word]
	if next == nil {
		if n.words == nil {
			n.words = make(map[string]*node[V])
		}
		next = &node[V]{}
		n.words[strings.Clone(word)] = next // the word alone, and not what it was cut from
	}
	return next
}

func count[V comparable](values map[V]int, value V) map[V]int {
	if values == nil {
		values = make(map[V]int)
	}
	values[value]++
	return values
}

// Remove takes a value away once that was added under the pattern.
func (t *Trie[V]) Remove(pattern wire.ChannelName, value V) { t.root.remove(string(pattern), value) }

// remove takes the value away below n.
func (n *node[V]) remove(pattern string, value V) {
	word, after, more := strings.Cut(pattern, ".")
	next := n.words[word]
	switch word {
	case wire.AnyRest:
		n.rest = discount(n.rest, value)
		return
	case wire.AnyWord:
		next = n.any
	}
	if next == nil {
		return // it was never added
	}
	if more {
		next.remove(after, value)
	} else {
		next.ends = discount(next.ends, value)
	}
	if !next.empty() {
		return
	}
	if word == wire.AnyWord {
		n.any = nil
	} else if delete(n.words, word); len(n.words) == 0 {
		n.words = nil
	}
}

func discount[V comparable](values map[V]int, value V) map[V]int {
	if values[value] > 1 {
		values[value]--
	} else {
		delete(values, value)
	}
	if len(values) == 0 {
		return nil
	}
	return values
}

func (n *node[V]) empty() bool {
	return n.words == nil && n.any == nil && n.rest == nil && n.ends == nil
}

// Empty reports whether nothing is held.
func (t *Trie[V]) Empty() bool { return t.root.empty() }

// Match calls found for each value and each pattern that stands for the name and has it: a value under several such
// patterns comes several times. A wildcard in the place of the first word does not stand for the gateway's own names.
func (t *Trie[V]) Match(name wire.ChannelName, found func(V)) {
	if word, _, _ := strings.Cut(string(name), "."); word+"." == wire.SystemPrefix {
		own := node[V]{words: t.root.words}
		own.match(string(name), found)
		return
	}
	t.root.match(string(name), found)
}

func (n *node[V]) match(name string, found func(V)) {
	for value := range n.rest {
		found(value)
	}
	word, after, more := strings.Cut(name, ".")
	for _, next := range [...]*node[V]{n.words[word], n.any} {
		switch {
		case next == nil:
		case more:
			next.match(after, found)
		default:
			for value := range next.ends {
				found(value)
			}
		}
	}
}
