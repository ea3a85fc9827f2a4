package config

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

func TestNamespaceSettings(t *testing.T) {
	c := parsed(t, withAuth(`namespaces:
- name: room
  pattern: room.*
  max_message: 4KiB
  publish: everybody
  subscribe: [ann, "device-*"]
  ttl: 90s
  create: false
- {name: rest, pattern: rest.>, publish: none, subscribe: []}`))
	room, rest := c.Namespaces[0], c.Namespaces[1]
	if room.MaxMessage != 4*KiB || room.TTL != 90*time.Second || room.Create {
		t.Errorf("got %+v", room)
	}
	if !reflect.DeepEqual(room.Publish, Audience{Everybody: true}) || !reflect.DeepEqual(room.Subscribe, Audience{Users: []string{"ann", "device-*"}}) {
		t.Errorf("got %+v and %+v", room.Publish, room.Subscribe)
	}
	if !rest.Publish.None() || !rest.Subscribe.None() || !rest.Create || rest.TTL != 0 || rest.MaxMessage != 0 {
		t.Errorf("got %+v", rest)
	}
	equal(t, parsed(t, strings.Replace(c.String(), redacted, testSecret, 1)), c)
}

func TestAudiences(t *testing.T) {
	listed := Audience{Users: []string{"ann", "device-*"}}
	tests := []struct {
		of   Audience
		user string
		want bool
	}{
		{Audience{}, "ann", false},
		{Audience{Everybody: true}, "ann", true},
		{listed, "ann", true},
		{listed, "anna", false},
		{listed, "device-", true},
		{listed, "device-7", true},
		{listed, "device", false},
		{listed, "*", false},
	}
	for _, test := range tests {
		if got := test.of.Has(test.user); got != test.want {
			t.Errorf("%s has %q: %t", &test.of, test.user, got)
		}
	}
}

func TestNamespacesThatContradictThemselves(t *testing.T) {
	const never = ": the first that covers a channel counts, so this one never does; put it before that one, or remove it"
	tests := map[string]struct{ text, want string }{
		"larger than a frame": {
			"limits:\n  frame_bytes: 8KiB\nnamespaces:\n- name: n\n  pattern: a\n  max_message: 9KiB",
			"f.yaml:7:3: namespaces[0].max_message: found 9KiB, and limits.frame_bytes is 8KiB (line 3): a message must fit into a frame; lower max_message or raise limits.frame_bytes",
		},
		"larger than what is kept": {
			"limits: {frame_bytes: 128KiB}\nnamespaces:\n- name: n\n  pattern: a\n  max_message: 100KiB\n  retention: {bytes: 64KiB}",
			"f.yaml:6:3: namespaces[0].max_message: found 100KiB, and namespaces[0].retention.bytes is 64KiB (line 7): a message would be gone as soon as it is there; lower max_message or keep more",
		},
		"the gateway's own": {
			"namespaces:\n- name: n\n  pattern: sys.>\n  publish: everybody",
			"f.yaml:5:3: namespaces[0].publish: found everybody, and namespaces[0].pattern is sys.> (line 4): the gateway's own channels are granted by rights that begin with sys. alone; leave publish out",
		},
		"the gateway's own, not made": {
			"namespaces:\n- name: n\n  pattern: sys.nodes\n  create: false",
			"f.yaml:5:3: namespaces[0].create: found false, and namespaces[0].pattern is sys.nodes (line 4): the gateway makes its own channels itself; leave create out",
		},
		"members that nobody is": {
			"namespaces:\n- name: n\n  pattern: room.*\n  presence: false\n  see_members: everybody",
			"f.yaml:6:3: namespaces[0].see_members: found everybody, and namespaces[0].presence is false (line 5): without presence there are no members to see; turn it on or leave see_members out",
		},
		"shadowed": {
			"namespaces:\n- {name: a, pattern: order.>}\n- {name: b, pattern: order.eu.*}",
			"f.yaml:4:13: namespaces[1].pattern: found order.eu.*, and namespaces[0].pattern is order.> (line 3)" + never,
		},
		"the same": {
			"namespaces:\n- {name: a, pattern: x.*}\n- {name: b, pattern: y}\n- {name: c, pattern: x.*}",
			"f.yaml:5:13: namespaces[2].pattern: found x.*, and namespaces[0].pattern is x.* (line 3)" + never,
		},
		"all users": {
			"namespaces:\n- {name: a, pattern: x, publish: ['*']}",
			`f.yaml:3:35: namespaces[0].publish[0]: found "*": expected everybody in place of the list where all users are meant`,
		},
		"a wildcard in the middle": {
			"namespaces:\n- {name: a, pattern: x, publish: ['a*b']}",
			`f.yaml:3:35: namespaces[0].publish[0]: found "a*b": expected the id of a user, with '*' at its end where any ending is meant`,
		},
		"another word": {
			"namespaces:\n- {name: a, pattern: x, subscribe: everybdy}",
			`f.yaml:3:36: namespaces[0].subscribe: found "everybdy": expected none or everybody; did you mean everybody?`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { wantError(t, withAuth(test.text), test.want) })
	}
	for _, text := range []string{
		"namespaces:\n- {name: a, pattern: '>'}", // the built-in one comes after it
		"namespaces:\n- {name: a, pattern: '>'}\n- {name: b, pattern: sys.>}",
		"namespaces:\n- {name: a, pattern: order.*}\n- {name: b, pattern: order.>}",
	} {
		parsed(t, withAuth(text))
	}
}

func TestCovers(t *testing.T) {
	tests := []struct {
		pattern string
		name    wire.ChannelName
		want    bool
	}{
		{"a", "a", true},
		{"a", "b", false},
		{"a", "a.b", false},
		{"a.b", "a", false},
		{"*", "a", true},
		{"*", "a.b", false},
		{"a.*", "a.b", true},
		{"a.*", "a.>", false},
		{"a.*", "a.*", true},
		{">", "a.b", true},
		{"a.>", "a.b.c", true},
		{"a.>", "a", false},
		{"a.>", "a.*", true},
		{"a.>", "a.>", true},
		{">", "sys.nodes", false},
		{"*.nodes", "sys.nodes", false},
		{"sys.*", "sys.nodes", true},
		{">", "sys", false},
		{"a.b", "a.*", false},
		{"*.b", "a.b", true},
		{"*.b", "a.c", false},
	}
	for _, test := range tests {
		if got := Covers(test.pattern, test.name); got != test.want {
			t.Errorf("%s covers %s: %t", test.pattern, test.name, got)
		}
	}
	if testing.AllocsPerRun(100, func() { Covers("order.*.x", "order.eu.x") }) > 0 {
		t.Error("asking allocates")
	}
}

func TestDevelopmentHasRooms(t *testing.T) {
	c := parsed(t, "development: true\nnamespaces: [{name: typing, pattern: typing.*}]")
	c.Complete()
	var names []string
	for _, n := range c.Namespaces {
		names = append(names, n.Name+" "+n.Pattern)
	}
	if got := strings.Join(names, ", "); got != "typing typing.*, logs logs.>, chat chat.*" {
		t.Errorf("the namespaces are %s", got)
	}
	c = parsed(t, withAuth(""))
	c.Complete()
	if len(c.Namespaces) != 1 {
		t.Errorf("the namespaces are %+v", c.Namespaces)
	}
}
