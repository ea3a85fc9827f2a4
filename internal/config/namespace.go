package config

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// Audience is to whom a namespace gives a right, besides those who have it by their credential. The zero value is nobody.
type Audience struct {
	// Everybody is everybody who was authenticated.
	Everybody bool
	// Users lists ids of users; a last "*" stands for any ending, an empty one included.
	Users []string
}

// The words for an audience in a file; otherwise it is a list of users.
const (
	audienceNone      = "none"
	audienceEverybody = "everybody"
)

// anyEnding ends the user ids that stand for all that begin so.
const anyEnding = "*"

// None reports whether it is nobody.
func (a *Audience) None() bool { return !a.Everybody && len(a.Users) == 0 }

// Has reports whether user belongs to it. It allocates nothing.
func (a *Audience) Has(user string) bool {
	if a.Everybody {
		return true
	}
	for _, want := range a.Users {
		if begin, open := strings.CutSuffix(want, anyEnding); open && strings.HasPrefix(user, begin) || want == user {
			return true
		}
	}
	return false
}

// String shows the audience on one line.
func (a *Audience) String() string {
	switch {
	case a.Everybody:
		return audienceEverybody
	case a.None():
		return audienceNone
	}
	return "[" + strings.Join(a.Users, ", ") + "]"
}

// MarshalYAML writes the audience as a file has it.
func (a Audience) MarshalYAML() (any, error) {
	if a.Everybody || a.None() {
		return a.String(), nil
	}
	return a.Users, nil
}

// audience reads none, everybody, or a list of users.
func (s *section) audience(key string, into *Audience) {
	for _, f := range s.value.fields {
		if f.key != key || f.value.kind == kindList {
			continue
		}
		var word string
		s.choice(key, &word, audienceNone, audienceEverybody)
		if word != "" {
			*into = Audience{Everybody: word == audienceEverybody}
		}
		return
	}
	users := into.Users
	s.texts(key, &users, checkUser)
	if s.has(key) {
		*into = Audience{Users: users}
	}
}

func checkUser(text string) error {
	switch at := strings.Index(text, anyEnding); {
	case text == anyEnding:
		return fmt.Errorf("expected %s in place of the list where all users are meant", audienceEverybody)
	case at >= 0 && at < len(text)-1:
		return errors.New("expected the id of a user, with '*' at its end where any ending is meant")
	}
	return checkName(text)
}

// addChat adds, behind all others, what the console's chat is at its best with: rooms that tell who is in them, and what
// people are typing, of which nobody wants to know later.
func (c *Config) addChat() {
	typing, rooms := *c.General(), *c.General()
	typing.Name, typing.Pattern = "typing", "chat.*.typing"
	typing.Retention.Age, typing.SlowConsumer = 10*time.Second, SlowLatest
	rooms.Name, rooms.Pattern, rooms.Presence = "chat", "chat.*", true
	for _, n := range []Namespace{typing, rooms} {
		if !isNamed(c.Namespaces, n.Name) {
			c.Namespaces = append(c.Namespaces, n)
		}
	}
}

// checkNamespaces finds namespaces that contradict themselves, and those that an earlier one leaves nothing of.
func (c *Config) checkNamespaces(ps *problems) {
	for i := range c.Namespaces {
		n := &c.Namespaces[i]
		prefix := fmt.Sprintf("namespaces[%d].", i)
		at := func(key string, value any) setting { return setting{prefix + key, value} }
		switch {
		case n.MaxMessage > c.Limits.FrameBytes:
			c.contradiction(ps, at("max_message", n.MaxMessage), setting{"limits.frame_bytes", c.Limits.FrameBytes},
				"a message must fit into a frame; lower max_message or raise limits.frame_bytes")
		case n.MaxMessage > n.Retention.Bytes:
			c.contradiction(ps, at("max_message", n.MaxMessage), at("retention.bytes", n.Retention.Bytes),
				"a message would be gone as soon as it is there; lower max_message or keep more")
		}
		for _, right := range []struct {
			key string
			of  *Audience
		}{{"publish", &n.Publish}, {"subscribe", &n.Subscribe}, {"see_members", &n.SeeMembers}} {
			if isSystem(n.Pattern) && !right.of.None() {
				c.contradiction(ps, at(right.key, right.of), at("pattern", n.Pattern),
					"the gateway's own channels are granted by rights that begin with sys. alone; leave "+right.key+" out")
			}
		}
		if !n.SeeMembers.None() && !n.Presence {
			c.contradiction(ps, at("see_members", &n.SeeMembers), at("presence", n.Presence),
				"without presence there are no members to see; turn it on or leave see_members out")
		}
		if isSystem(n.Pattern) && !n.Create {
			c.contradiction(ps, at("create", n.Create), at("pattern", n.Pattern), "the gateway makes its own channels itself; leave create out")
		}
		c.checkShadow(ps, i)
	}
}

// checkShadow finds a namespace that never counts, because an earlier one covers whatever it does. A built-in one may.
func (c *Config) checkShadow(ps *problems, i int) {
	key := func(i int) string { return fmt.Sprintf("namespaces[%d].pattern", i) }
	if _, set := c.places[key(i)]; !set {
		return
	}
	for j := range i {
		earlier, later := c.Namespaces[j].Pattern, c.Namespaces[i].Pattern
		if !Covers(earlier, wire.ChannelName(later)) {
			continue
		}
		c.contradiction(ps, setting{key(i), later}, setting{key(j), earlier},
			"the first that covers a channel counts, so this one never does; put it before that one, or remove it")
		return
	}
}

// Covers reports whether the pattern of a namespace stands for a channel, or for all that a later pattern does. A wildcard
// in the place of the first word does not stand for the gateway's own names.
func Covers(pattern string, name wire.ChannelName) bool {
	if isSystem(string(name)) && !isSystem(pattern) {
		return false
	}
	rest := string(name)
	for {
		want, wants, more := strings.Cut(pattern, ".")
		if want == ">" {
			return true
		}
		word, after, further := strings.Cut(rest, ".")
		switch {
		case word != want && (want != "*" || word == ">"):
			return false
		case !more || !further:
			return more == further
		}
		pattern, rest = wants, after
	}
}

// isSystem reports whether a name or a pattern is of the gateway's own channels.
func isSystem(text string) bool {
	return strings.HasPrefix(text, wire.SystemPrefix) || text == strings.TrimSuffix(wire.SystemPrefix, ".")
}
