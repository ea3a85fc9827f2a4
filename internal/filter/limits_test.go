package filter_test

import (
	"strings"
	"testing"
	"time"

	"github.com/magpie-bridge/magpie/internal/filter"
	"github.com/magpie-bridge/magpie/internal/wire"
)

func TestLimits(t *testing.T) {
	for _, test := range []struct{ name, good, bad, want string }{
		{
			"bytes", strings.Repeat("a", filter.MaxBytes), strings.Repeat("a", filter.MaxBytes+1),
			"column 1: found a text of 4097 bytes, expected at most 4096",
		},
		{
			"parentheses", nested(filter.MaxDepth, "("), nested(filter.MaxDepth+1, "("),
			`column 65: found "(", expected at most 64 parentheses and negations inside each other`,
		},
		{
			"negations", strings.Repeat("not ", filter.MaxDepth) + "a", strings.Repeat("not ", filter.MaxDepth+1) + "a",
			`column 257: found "not", expected at most 64`,
		},
		{
			"negated parentheses", nested(filter.MaxDepth, "-("), nested(filter.MaxDepth+1, "-("),
			`column 130: found "(", expected at most 64`,
		},
		{
			"terms", strings.Repeat("a ", filter.MaxTerms), strings.Repeat("a ", filter.MaxTerms+1),
			`column 513: found "a", expected the end: at most 256 conditions are allowed`,
		},
		{
			"name", strings.Repeat("n", filter.MaxNameBytes) + "=1", strings.Repeat("n", filter.MaxNameBytes+1) + "=1",
			"column 1: found a field name of 256 bytes, expected at most 255",
		},
		{
			"expression", `a~"[ab]{200}"`, `a~"[ab]{300}"`,
			"column 3: found a regular expression of 300 instructions, 300 with those before it, expected at most 256 in the whole filter",
		},
		{
			"expressions", `a~abc`, strings.Repeat(`a~abcdefghij `, 26),
			"column 328: found a regular expression of 10 instructions, 260 with those before it",
		},
		{
			"bytes of an expression", `a~"[` + strings.Repeat("a", filter.MaxRegexpBytes-2) + `]"`, `a~"[` + strings.Repeat("a", filter.MaxRegexpBytes-1) + `]"`,
			"column 3: found a regular expression of 1025 bytes, expected at most 1024",
		},
		{"classes", `a~"\pL"`, `a~"\pL\pL\pL\pL\pL\pL\pL\pL\pL\pL"`, "column 3: found a regular expression of "},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := filter.Parse(test.good); err != nil {
				t.Errorf("at the limit: %v", err)
			}
			_, err := filter.Parse(test.bad)
			if err == nil || !strings.HasPrefix(wire.AsError(err).Message, "filter, "+test.want) {
				t.Errorf("beyond the limit: %v, want %s", err, test.want)
			}
		})
	}
}

// nested is a term inside so many parentheses.
func nested(depth int, opening string) string {
	return strings.Repeat(opening, depth) + "a" + strings.Repeat(")", depth)
}

// TestAttacksAreRefusedAtOnce holds the price of texts that are meant to be expensive against a bound that a slow machine
// meets a hundred times over.
func TestAttacksAreRefusedAtOnce(t *testing.T) {
	const bound = time.Second
	for name, text := range map[string]string{
		"a megabyte":            strings.Repeat("level>=warn ", 1<<20/12),
		"a megabyte of quotes":  strings.Repeat(`"`, 1<<20),
		"10,000 parentheses":    nested(10_000, "("),
		"4,000 parentheses":     strings.Repeat("(", 4000),
		"2,000 minuses":         strings.Repeat("-(", 2000),
		"1,000 nots":            strings.Repeat("not ", 1000),
		"repeated repetitions":  `a~"((((a{1,100}){1,100}){1,100}){1,100})"`,
		"a large repetition":    `a~"(x{1000}){1000}"`,
		"many repetitions":      `a~"` + strings.Repeat("(x{30}){30}", 90) + `"`,
		"many large classes":    `a~"` + strings.Repeat(`\pL`, 340) + `"`,
		"many folded classes":   `a~"(?i)` + strings.Repeat(`\PL`, 339) + `"`,
		"nested groups":         `a~"` + nested(500, "(") + `"`,
		"alternatives":          `a~"` + strings.Repeat("ab|cd|", 170) + `"`,
		"a long expression":     `a~"` + strings.Repeat("x", 4000) + `"`,
		"a stack of stars":      `a~"` + nested(300, "(") + strings.Repeat(")*", 300) + `"`,
		"optional, again, more": `a~"` + strings.Repeat("a?", 340) + strings.Repeat("a", 340) + `"`,
	} {
		began := time.Now()
		program, err := filter.Parse(text)
		if took := time.Since(began); took > bound {
			t.Errorf("%s: took %v", name, took)
		}
		if err == nil {
			t.Errorf("%s: was read as %q", name, program)
		}
	}
}

// TestMatchIsBounded lets the worst filters meet the worst messages. The bound is generous; a match that backtracked, or
// that cost terms times payload squared, would take minutes.
func TestMatchIsBounded(t *testing.T) {
	const size, bound = 62 << 10, 2 * time.Second
	runs := strings.Repeat("a", size)
	objects := `{"m":` + strings.Repeat(`{"a":`, 60) + `"` + runs[:size/2] + `"` + strings.Repeat("}", 61)
	names := `{"` + strings.Repeat(`b":1,"`, size/6) + `a":1}`
	for name, test := range map[string]struct{ text, payload string }{
		"catastrophic elsewhere": {`message~"^(a*)*(a|aa)+$" or message~"(x+x+)+y|(a+a+)+b"`, `{"message":"` + runs + `"}`},
		"counted":                {`message~"(a?){50}a{50}b"`, `{"message":"` + runs + `"}`},
		"needles":                {strings.Repeat(`"`+strings.Repeat("a", 500)+`b" or `, 8) + "c", `{"message":"` + runs + `"}`},
		"terms":                  {strings.Repeat("aab or ", 255) + "c", `{"message":"` + runs + `"}`},
		"stars":                  {"message=*" + strings.Repeat("aab*", 900), `{"message":"` + runs + `"}`},
		"numbers":                {strings.Repeat("n=1 or ", 255) + "c", `{"n":` + strings.Repeat("1", size) + `}`},
		"paths":                  {strings.Repeat("m.a.a.a.a.a.a.a.a=1 or ", 170) + "c", objects},
		"names":                  {"c=1", names},
		"escapes":                {strings.Repeat("message=x or ", 250) + "c", `{"message":"` + strings.Repeat(`\u0041`, size/6) + `"}`},
		"quotes":                 {"c=1", `{"message":"` + strings.Repeat(`\\\"`, size/4) + `"}`},
	} {
		program, err := filter.Parse(test.text)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		m := &wire.Message{Payload: wire.Payload{Kind: wire.PayloadJSON, Bytes: []byte(test.payload)}}
		began := time.Now()
		program.Match(m)
		took := time.Since(began)
		t.Logf("%s: %v", name, took)
		if took > bound {
			t.Errorf("%s: took %v", name, took)
		}
	}
}
