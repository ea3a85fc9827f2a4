package auth

import (
	"fmt"
	"strings"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// Action is something a principal may need a right for.
type Action uint8

// The actions. A String is the key of the action's list, in tokens and in the configuration.
const (
	Publish Action = iota
	Subscribe
	Call
	actions // how many there are
)

// String names the action as a verb.
func (a Action) String() string {
	switch a {
	case Publish:
		return "publish"
	case Subscribe:
		return "subscribe"
	case Call:
		return "call"
	}
	return fmt.Sprintf("action %d", uint8(a))
}

// MaxPatterns bounds the patterns of one list, since those with wildcards are tried one after the other.
const MaxPatterns = 256

// Grants are rights as they are written in tokens and in the configuration. A pattern is made of dot-separated words;
// "*" stands for one word and a last ">" for one or more. A wildcard in the place of the first word does not cover the
// gateway's own names: these are granted by patterns that begin with "sys.".
type Grants struct {
	Publish   []string `json:"publish,omitempty"`
	Subscribe []string `json:"subscribe,omitempty"`
	Call      []string `json:"call,omitempty"`
}

// Rights are compiled [Grants]: immutable, and safe for use by many goroutines. The zero value grants nothing.
type Rights struct {
	of [actions]patterns
}

// patterns is one list: the names in full, and the patterns with wildcards split into words.
type patterns struct {
	names     map[string]struct{}
	wildcards [][]string
}

// NewRights compiles grants. Its error names the pattern that is none, and its list.
func NewRights(grants Grants) (Rights, error) {
	var r Rights
	for action, list := range map[Action][]string{Publish: grants.Publish, Subscribe: grants.Subscribe, Call: grants.Call} {
		if len(list) > MaxPatterns {
			return Rights{}, fmt.Errorf("%s: %d patterns: at most %d are allowed", action, len(list), MaxPatterns)
		}
		for i, text := range list {
			if err := r.of[action].add(text); err != nil {
				return Rights{}, fmt.Errorf("%s[%d]: %w", action, i, err)
			}
		}
	}
	return r, nil
}

// DefaultGrants are the rights of a credential that names none: the user's own channel, which needs no grant, and
// calling the gateway's public methods.
func DefaultGrants() Grants { return Grants{Call: []string{"magpie.*"}} }

// AllGrants allow everything that can be granted.
func AllGrants() Grants {
	all := []string{">", "sys.>"}
	return Grants{Publish: []string{">"}, Subscribe: all, Call: all}
}

// CheckPattern reports what keeps text from being a pattern.
func CheckPattern(text string) error {
	if len(text) > wire.MaxChannelBytes {
		return fmt.Errorf("a pattern of %d bytes: at most %d are allowed", len(text), wire.MaxChannelBytes)
	}
	for i, word := range strings.Split(text, ".") {
		switch {
		case word == "*":
		case word == ">":
			if at := strings.IndexByte(text, '>'); at != len(text)-1 {
				return fmt.Errorf("pattern %q: '>' stands for the rest, so nothing can follow it", text)
			}
		case wire.ChannelName(word).Check() != nil:
			return fmt.Errorf("pattern %q: word %d is %q: expected letters, digits, '_' and '-', or '*' for one word, or a last '>' for the rest", text, i+1, word)
		}
	}
	return nil
}

func (p *patterns) add(text string) error {
	if err := CheckPattern(text); err != nil {
		return err
	}
	if strings.ContainsAny(text, "*>") {
		p.wildcards = append(p.wildcards, strings.Split(text, "."))
		return nil
	}
	if p.names == nil {
		p.names = make(map[string]struct{})
	}
	p.names[text] = struct{}{}
	return nil
}

func (r *Rights) allow(action Action, name string) bool {
	if action >= actions {
		return false
	}
	list := &r.of[action]
	if _, ok := list.names[name]; ok {
		return true
	}
	system := isSystem(name)
	for _, words := range list.wildcards {
		if system && (words[0] == "*" || words[0] == ">") {
			continue
		}
		if covers(words, name) {
			return true
		}
	}
	return false
}

// covers reports whether the pattern covers name. Where name has wildcards itself, it must cover all they stand for:
// "*" covers "*" but not ">", and ">" covers both.
func covers(pattern []string, name string) bool {
	for i, want := range pattern {
		if want == ">" {
			return name != ""
		}
		word, rest, more := strings.Cut(name, ".")
		if word == "" || word != want && (want != "*" || word == ">") {
			return false
		}
		if last := i == len(pattern)-1; last || !more {
			return last && !more
		}
		name = rest
	}
	return false
}
