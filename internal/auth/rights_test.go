package auth_test

import (
	"strings"
	"testing"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/wire"
)

func TestPatternCovers(t *testing.T) {
	tests := []struct {
		pattern  string
		covers   string
		excludes string
	}{
		{"order.update", "order.update", "order order.updat order.updates order.update.x x.order.update ORDER.update order.*"},
		{"order", "order", "orders order.x * >"},
		{"order.*", "order.a order.*", "order order.a.b orders.a order.> order. order..a"},
		{"*.update", "order.update *.update", "update order.x.update order.updates >.update .update"},
		{"a.*.c", "a.b.c a.*.c", "a.c a.b.b.c a.b a.b.d a.b.>"},
		{"*", "a *", "a.b >"},
		{"*.*", "a.b a.*", "a a.b.c a.>"},
		{"order.>", "order.a order.a.b order.* order.> order.*.b", "order orders.a order. x.order.a"},
		{"a.*.>", "a.b.c a.b.c.d a.*.>", "a a.b a.>"},
		{">", "a a.b * >", ""},
	}
	for _, test := range tests {
		p, err := auth.ParsePattern(test.pattern)
		if err != nil {
			t.Fatal(err)
		}
		if p.String() != test.pattern {
			t.Errorf("%q is shown as %q", test.pattern, p)
		}
		for name := range strings.FieldsSeq(test.covers) {
			if !p.Covers(wire.ChannelName(name)) {
				t.Errorf("%q does not cover %q", test.pattern, name)
			}
		}
		for name := range strings.FieldsSeq(test.excludes) {
			if p.Covers(wire.ChannelName(name)) {
				t.Errorf("%q covers %q", test.pattern, name)
			}
		}
		if p.Covers("") {
			t.Errorf("%q covers the empty name", test.pattern)
		}
	}
	if (auth.Pattern{}).Covers("a") {
		t.Error("the zero pattern covers a name")
	}
}

func TestParsePatternRefuses(t *testing.T) {
	for _, text := range []string{
		"", ".", "a.", ".a", "a..b", "a b", "a.>.b", ">.a", ">>", "a*", "*a", "a.b>", "**", "a\x00", "a\r\n", "ä",
		"{a}", "a:b", "order．update", strings.Repeat("a", 256), strings.Repeat("a.", 127) + "bb",
	} {
		if p, err := auth.ParsePattern(text); err == nil {
			t.Errorf("%q was taken as %v", text, p)
		}
	}
}

func TestMay(t *testing.T) {
	alice := &auth.Principal{UserID: "alice", Method: auth.MethodJWT, Rights: rights(t, auth.Grants{
		Publish:   []string{"order.*", "chat.lobby", ">"},
		Subscribe: []string{"order.>", "sys.stats"},
		Call:      []string{"magpie.*", "*.>"},
	})}
	bob := &auth.Principal{UserID: "bob", Method: auth.MethodAPIKey, Rights: rights(t, auth.Grants{Publish: []string{"order.*"}, Call: []string{"sys.*"}})}
	nobody := &auth.Principal{UserID: "nobody"}
	star := &auth.Principal{UserID: "*"}
	rest := &auth.Principal{UserID: ">"}
	dotted := &auth.Principal{UserID: "a.b"}
	tests := []struct {
		who    *auth.Principal
		action auth.Action
		name   wire.ChannelName
		want   bool
	}{
		{alice, auth.Publish, "order.update", true},
		{alice, auth.Publish, "anything.at.all", true},
		{alice, auth.Publish, "sys.x", false},
		{alice, auth.Publish, "sys", false},
		{alice, auth.Publish, "system.x", true},
		{alice, auth.Subscribe, "order.a.b", true},
		{alice, auth.Subscribe, "order.>", true},
		{alice, auth.Subscribe, ">", false},
		{alice, auth.Subscribe, "order", false},
		{alice, auth.Subscribe, "sys.stats", true},
		{alice, auth.Subscribe, "sys.other", false},
		{alice, auth.Subscribe, "user.alice", true},
		{alice, auth.Subscribe, "user.alice.x", false},
		{alice, auth.Subscribe, "user.bob", false},
		{alice, auth.Subscribe, "user.*", false},
		{alice, auth.Subscribe, "user", false},
		{alice, auth.Call, "magpie.time", true},
		{alice, auth.Call, "pricing.quote", true},
		{alice, auth.Call, "sys.kill", false},
		{alice, auth.Action(9), "order.update", false},
		{bob, auth.Publish, "order.x", true},
		{bob, auth.Publish, "user.bob", false},
		{bob, auth.Subscribe, "order.x", false},
		{bob, auth.Subscribe, "user.bob", true},
		{bob, auth.Call, "sys.kill", true},
		{bob, auth.Call, "magpie.time", false},
		{nobody, auth.Publish, "a", false},
		{nobody, auth.Subscribe, "a", false},
		{nobody, auth.Subscribe, "user.nobody", true},
		{nobody, auth.Call, "magpie.time", false},
		{star, auth.Subscribe, "user.*", false},
		{star, auth.Subscribe, "user.alice", false},
		{rest, auth.Subscribe, "user.>", false},
		{dotted, auth.Subscribe, "user.a.b", true},
		{dotted, auth.Subscribe, "user.a", false},
	}
	for _, test := range tests {
		err := test.who.May(test.action, test.name)
		if (err == nil) != test.want {
			t.Errorf("%s: %s %s: got %v, want allowed: %v", test.who.UserID, test.action, test.name, err, test.want)
		}
	}
}

func TestMaySaysWhatIsMissing(t *testing.T) {
	tests := []struct {
		method auth.Method
		action auth.Action
		name   wire.ChannelName
		want   string
	}{
		{auth.MethodJWT, auth.Publish, "order.x", `user "al\nice" has no right to publish channel "order.x": issue a token whose claim magpie.publish covers it, or widen auth.default_rights.publish`},
		{auth.MethodAPIKey, auth.Subscribe, "order.x", `user "al\nice" has no right to subscribe channel "order.x": add a pattern that covers it to subscribe of this key in auth.api_keys`},
		{auth.MethodJWT, auth.Call, "pricing.quote", `user "al\nice" has no right to call method "pricing.quote": issue a token whose claim magpie.call covers it, or widen auth.default_rights.call`},
		{auth.MethodAPIKey, auth.Call, "sys.kill", `user "al\nice" has no right to call method "sys.kill": add a pattern that covers it to call of this key in auth.api_keys (names that begin with "sys." must be granted by a pattern that begins so)`},
		{auth.MethodDevelopment, auth.Publish, "sys.x", `channel "sys.x" is the gateway's own: clients cannot publish to names that begin with "sys."; choose another name`},
	}
	for _, test := range tests {
		p := &auth.Principal{UserID: "al\nice", Method: test.method}
		wantRefusal(t, p.May(test.action, test.name), wire.CodePermissionDenied, test.want)
	}
}

func TestMayAllocatesNothingWhereItAllows(t *testing.T) {
	p := &auth.Principal{UserID: "alice", Rights: rights(t, auth.Grants{
		Publish: []string{"chat.*.x", "order.>", "chat.lobby"}, Subscribe: []string{"*.*"}, Call: []string{"magpie.*"},
	})}
	allowed := func() {
		for _, err := range []error{
			p.May(auth.Publish, "order.update.eu"), p.May(auth.Publish, "chat.lobby"), p.May(auth.Subscribe, "a.b"),
			p.May(auth.Subscribe, "user.alice"), p.May(auth.Call, "magpie.time"),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := testing.AllocsPerRun(100, allowed); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestNewRightsRefuses(t *testing.T) {
	for want, grants := range map[string]auth.Grants{
		`subscribe[1]: pattern "a.>.b": '>' stands for the rest, so nothing can follow it`: {Subscribe: []string{"a", "a.>.b"}},
		`publish: 257 patterns: at most 256 are allowed`:                                   {Publish: make([]string, 257)},
	} {
		if _, err := auth.NewRights(grants); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestDefaultGrants(t *testing.T) {
	p := &auth.Principal{UserID: "alice", Rights: rights(t, auth.DefaultGrants())}
	for name, action := range map[wire.ChannelName]auth.Action{"chat.lobby": auth.Publish, "chat.lobby.x": auth.Subscribe, "pricing.quote": auth.Call} {
		if p.May(action, name) == nil {
			t.Errorf("the default rights allow to %s %s", action, name)
		}
	}
	if err := p.May(auth.Call, "magpie.time"); err != nil {
		t.Error(err)
	}
}

func BenchmarkMay(b *testing.B) {
	p := &auth.Principal{UserID: "alice", Rights: rights(b, auth.Grants{Publish: []string{"chat.*", "order.>"}})}
	b.ReportAllocs()
	for b.Loop() {
		if err := p.May(auth.Publish, "order.update"); err != nil {
			b.Fatal(err)
		}
	}
}
