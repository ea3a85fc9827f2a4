package filter

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// seeds are filters that have a bit of everything.
var seeds = []string{
	`level>=warn service=order-* "timed out" -logger=foo`, `a or b and not (c -d)`, `a:`, `a.b!="x\"y\\" tags.c^=d meta.e*=f`,
	`a~"(?i)^(x|y)+\d{2,3}$"`, `amount>1.5e3 at<=2026-11-20T10:00:00Z key=*x*y*`, `"`, `((a)`, `a==b`, `-`, `--a`, `a=`, "\xff", `é="É"`, `12:30`,
	`İ K ſ`, `a="\\\\\"\x"`,
}

// FuzzParse checks that every text is read or refused with a sentence for a log line, and that the canonical text is read
// again as itself.
func FuzzParse(f *testing.F) {
	for _, seed := range seeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		program, err := Parse(text)
		if err != nil {
			wrong, ok := errors.AsType[*wire.Error](err)
			if !ok || wrong.Code != wire.CodeInvalidArgument || !strings.HasPrefix(wrong.Message, "filter, column ") {
				t.Fatalf("%q is refused with %T %v", text, err, err)
			}
			if strings.ContainsFunc(wrong.Message, func(r rune) bool { return r < ' ' || r > '~' }) {
				t.Errorf("the sentence %q is not fit for a log line", wrong.Message)
			}
			return
		}
		if !utf8.ValidString(text) || len(text) > MaxBytes {
			t.Fatalf("%q was read", text)
		}
		canonical := program.String()
		if len(canonical) > MaxBytes {
			return // quotes that a text can do without were added
		}
		again, err := Parse(canonical)
		if err != nil {
			t.Fatalf("%q is %q, which is refused: %v", text, canonical, err)
		}
		if again.String() != canonical {
			t.Errorf("%q is %q, which is %q", text, canonical, again)
		}
	})
}

// FuzzMatch checks that no payload, valid or not, makes a match panic, and that the canonical text and the slow evaluator
// are of the same opinion about it.
func FuzzMatch(f *testing.F) {
	for _, seed := range seeds {
		f.Add(seed, []byte(`{"a":{"b":"x\"y"},"level":"error","fields":{"logger":"foo","a.b":[1,2.5e3]},"message":"Timed out"}`), "c", "warn")
		f.Add(seed, []byte(`{"a":`), "", "")
	}
	f.Fuzz(func(t *testing.T, text string, payload []byte, key, level string) {
		program, err := Parse(text)
		if err != nil {
			return
		}
		for _, kind := range []wire.PayloadKind{wire.PayloadJSON, wire.PayloadText, wire.PayloadBytes} {
			m := &wire.Message{Key: key, Tags: wire.Pairs{{Key: "level", Value: level}}, Payload: wire.Payload{Kind: kind, Bytes: payload}}
			got := program.Match(m)
			if again, err := Parse(program.String()); err == nil && again.Match(m) != got {
				t.Errorf("%q: %v; %q: %v", text, got, program, !got)
			}
			if kind == wire.PayloadJSON && !fitForSlow(payload) || !utf8.Valid(payload) || hugeExponent.MatchString(text) || len(payload) > MaxRegexpText {
				continue
			}
			if want := newSlow(m).match(&program.root); got != want && !asksForWhole(&program.root, newSlow(m)) {
				t.Errorf("%q on %q: %v, want %v", text, payload, got, want)
			}
		}
	})
}

// asksForWhole reports whether a term looks at an object or an array, which the slow evaluator knows only as
// encoding/json would write it.
func asksForWhole(n *node, s *slow) bool {
	if n.join == joinNone {
		switch s.find(n.term.name).(type) {
		case map[string]any, []any:
			return true
		}
		return false
	}
	for i := range n.nodes {
		if asksForWhole(&n.nodes[i], s) {
			return true
		}
	}
	return false
}
