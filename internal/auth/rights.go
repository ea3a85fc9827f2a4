package auth

import (
	"fmt"
	"sync/atomic"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// Action is something a principal may need a right for.
type Action uint8

// The actions. A String is the key of the action's list, in tokens and in the configuration.
const (
	Publish Action = iota
	Subscribe
	Call
	Serve
	Reach    // whom calls may be directed at
	Presence // whose members may be seen
	actions  // how many there are
)

// String names the action as a verb.
func (a Action) String() string {
	switch a { //nolint:exhaustive // actions is no action
	case Publish:
		return "publish"
	case Subscribe:
		return "subscribe"
	case Call:
		return "call"
	case Serve:
		return "serve"
	case Reach:
		return "reach"
	case Presence:
		return "presence"
	}
	return fmt.Sprintf("action %d", uint8(a))
}

// MaxPatterns bounds the patterns of one list, since those with wildcards are tried one after the other.
const MaxPatterns = 256

// Grants are rights as they are written in tokens and in the configuration: lists of [Pattern]s. A wildcard in
// the place of the first word does not cover the gateway's own names: these are granted by patterns that begin with
// "sys.".
type Grants struct {
	Publish   []string `json:"publish,omitempty"`
	Subscribe []string `json:"subscribe,omitempty"`
	Call      []string `json:"call,omitempty"`
	Serve     []string `json:"serve,omitempty"`
	// Reach is whom calls may be directed at, beside the principal's own user: user.<id>, session.<id>, or channels,
	// whose subscribers are meant.
	Reach []string `json:"reach,omitempty"`
	// Presence is whose members may be seen: channels, or user.<id> for whether a user is online.
	Presence []string `json:"presence,omitempty"`
}

// Rights are compiled [Grants], safe for use by many goroutines. The zero value grants nothing. Copies share what they stand
// for, since most principals have the rights of many others; [Rights.Become] alone changes it, for all of them.
type Rights struct {
	of *granted
}

// granted is what rights share.
type granted struct {
	lists atomic.Pointer[[actions]patterns]
}

// patterns is one list: names in full are looked up, those with wildcards tried one after the other.
type patterns struct {
	names     map[string]struct{}
	wildcards []Pattern
}

// NewRights compiles grants. Its error names the pattern that is none, and its list.
func NewRights(grants Grants) (Rights, error) {
	compiled := new([actions]patterns)
	for i, list := range grants.lists() {
		if len(list) > MaxPatterns {
			return Rights{}, fmt.Errorf("%s: %d patterns: at most %d are allowed", Action(i), len(list), MaxPatterns)
		}
		for j, text := range list {
			if err := compiled[i].add(text); err != nil {
				return Rights{}, fmt.Errorf("%s[%d]: %w", Action(i), j, err)
			}
		}
	}
	r := Rights{of: new(granted)}
	r.of.lists.Store(compiled)
	return r, nil
}

// Become has r, and whatever shares with it, grant what other does at this moment. Neither may be the zero value.
func (r Rights) Become(other Rights) { r.of.lists.Store(other.of.lists.Load()) }

// DefaultGrants are the rights of a credential that names none: the user's own channel, which needs no grant, and
// calling the gateway's public methods.
func DefaultGrants() Grants { return Grants{Call: []string{"magpie.*"}} }

// AllGrants allow everything that can be granted.
func AllGrants() Grants {
	all := []string{">", "sys.>"}
	return Grants{Publish: []string{">"}, Subscribe: all, Call: all, Serve: []string{">"}, Reach: all, Presence: all}
}

// None reports whether nothing is granted.
func (g *Grants) None() bool {
	for _, list := range g.lists() {
		if len(list) > 0 {
			return false
		}
	}
	return true
}

func (g *Grants) lists() [actions][]string {
	return [actions][]string{
		Publish: g.Publish, Subscribe: g.Subscribe, Call: g.Call, Serve: g.Serve, Reach: g.Reach, Presence: g.Presence,
	}
}

func (p *patterns) add(text string) error {
	pattern, err := ParsePattern(text)
	if err != nil {
		return err
	}
	if pattern.hasWildcard() {
		p.wildcards = append(p.wildcards, pattern)
		return nil
	}
	if p.names == nil {
		p.names = make(map[string]struct{})
	}
	p.names[text] = struct{}{}
	return nil
}

func (r *Rights) allow(action Action, name string) bool {
	if action >= actions || r.of == nil {
		return false
	}
	list := &r.of.lists.Load()[action]
	if _, ok := list.names[name]; ok {
		return true
	}
	for _, pattern := range list.wildcards {
		if pattern.Expands(wire.ChannelName(name)) {
			return true
		}
	}
	return false
}
