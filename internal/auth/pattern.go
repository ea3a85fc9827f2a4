package auth

import (
	"fmt"
	"strings"

	"github.com/magpie-bridge/magpie/internal/wire"
)

const (
	anyWord = "*" // one word
	anyRest = ">" // one word or more, at the end
)

// Pattern stands for names of channels or methods: dot-separated words, of which "*" stands for any one word and a last
// ">" for one or more. It is immutable; the zero value covers nothing.
type Pattern struct {
	words []string
}

// ParsePattern reads a pattern. Its error says what is wrong with text.
func ParsePattern(text string) (Pattern, error) {
	if len(text) > wire.MaxChannelBytes {
		return Pattern{}, fmt.Errorf("a pattern of %d bytes: at most %d are allowed", len(text), wire.MaxChannelBytes)
	}
	words := strings.Split(text, ".")
	for i, word := range words {
		switch {
		case word == anyWord:
		case word == anyRest && i == len(words)-1:
		case word == anyRest:
			return Pattern{}, fmt.Errorf("pattern %q: '>' stands for the rest, so nothing can follow it", text)
		case wire.ChannelName(word).Check() != nil:
			return Pattern{}, fmt.Errorf("pattern %q: word %d is %q: expected letters, digits, '_' and '-', or '*' for one word, or a last '>' for the rest", text, i+1, word)
		}
	}
	return Pattern{words: words}, nil
}

// Covers reports whether the pattern stands for name. Where name has wildcards itself, the pattern must stand for all
// that they do: "*" covers "*" but not ">", and ">" covers both. It allocates nothing.
func (p Pattern) Covers(name wire.ChannelName) bool {
	rest := string(name)
	for i, want := range p.words {
		if want == anyRest {
			return rest != ""
		}
		word, after, more := strings.Cut(rest, ".")
		if word == "" || word != want && (want != anyWord || word == anyRest) {
			return false
		}
		if last := i == len(p.words)-1; last || !more {
			return last && !more
		}
		rest = after
	}
	return false
}

// Expands reports whether a channel belongs to those that the pattern stands for in a subscription, or in a grant: as with
// [Pattern.Covers], but a wildcard in the place of the first word does not stand for the gateway's own names.
func (p Pattern) Expands(name wire.ChannelName) bool {
	return p.Covers(name) && (!p.beginsWild() || !isSystem(string(name)))
}

// String shows the pattern as it was written.
func (p Pattern) String() string { return strings.Join(p.words, ".") }

func (p Pattern) hasWildcard() bool {
	for _, word := range p.words {
		if word == anyWord || word == anyRest {
			return true
		}
	}
	return false
}

// beginsWild reports whether the first word may be any.
func (p Pattern) beginsWild() bool {
	return len(p.words) > 0 && (p.words[0] == anyWord || p.words[0] == anyRest)
}
