package filter

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// TestLikeTheSlowOne holds the matching against one that is slow and plain, on filters and messages put together at
// random from words that often meet.
func TestLikeTheSlowOne(t *testing.T) {
	const filters, messages = 4000, 25
	r := rand.New(rand.NewPCG(7, 11))
	passed := 0
	for range filters {
		text := randomFilter(r, 3)
		program, err := Parse(text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		again, err := Parse(program.String())
		if err != nil || again.String() != program.String() {
			t.Fatalf("%q is %q, which read again is %v (%v)", text, program, again, err)
		}
		for range messages {
			m := randomMessage(r)
			got, want := program.Match(m), newSlow(m).match(&program.root)
			if got != want || again.Match(m) != want {
				t.Fatalf("%q, of %q, on %s\nand tags %v key %q: %v, want %v; read again %v",
					program, text, m.Payload.Bytes, m.Tags, m.Key, got, want, again.Match(m))
			}
			if got {
				passed++
			}
		}
	}
	if share := float64(passed) / (filters * messages); share < 0.2 || share > 0.8 {
		t.Errorf("%.2f of all passed: such filters show little", share)
	}
}

func pick(r *rand.Rand, from ...string) string { return from[r.IntN(len(from))] }

func randomFilter(r *rand.Rand, depth int) string {
	if depth > 0 {
		switch r.IntN(5) {
		case 0:
			return "(" + randomFilter(r, depth-1) + " or " + randomFilter(r, depth-1) + ")"
		case 1:
			return randomFilter(r, depth-1) + pick(r, " ", " and ") + randomFilter(r, depth-1)
		case 2:
			return pick(r, "not ", "-") + "(" + randomFilter(r, depth-1) + ")"
		}
	}
	if r.IntN(4) == 0 {
		return pick(r, "", "-") + pick(r, "error", "Ab", `"a b"`, "1", `"\"a\""`, "é", "x", "message")
	}
	name := pick(r, "a", "a.b", "b", "level", "service", "fields.a", "data.a", "data.fields.a.b", "tags.a", "tags.level", "key", "publisher", "message", "fields")
	switch operator := pick(r, "=", "=", "!=", ">=", ">", "<=", "<", "^=", "*=", "~", ":"); operator {
	case ":":
		return pick(r, "", "-") + name + ":"
	case "=", "!=":
		return name + operator + pick(r, randomValue(r), "*b", "a*b", "*a*", "1*", "*")
	case "~":
		return name + operator + pick(r, `"^[a-e]+"`, `"(?i)ab"`, `\d`, `"[\"{]"`, "b$")
	case "^=", "*=":
		return name + operator + pick(r, randomValue(r), "a", `"\""`, "1")
	default:
		if strings.HasSuffix(name, "level") {
			return name + operator + pick(r, "info", "WARN", "error", "3")
		}
		return name + operator + randomValue(r)
	}
}

func randomValue(r *rand.Rand) string {
	return pick(r, "a", "B", `"a b"`, "ab", "é", "1", "1.0", "-1", "10", "1e1", "0", "9007199254740993", "true", "warn", "null", "2026-11-20T10:00:00Z", `"1"`, "order")
}

func randomMessage(r *rand.Rand) *wire.Message {
	m := &wire.Message{Key: pick(r, "", "a", "Ab", "10"), Publisher: pick(r, "", "order", "B")}
	for _, key := range []string{"a", "level", "service"} {
		if r.IntN(3) == 0 {
			m.Tags = append(m.Tags, wire.Pair{Key: key, Value: pick(r, "a", "warn", "info", "ERROR", "order", "1", "9.5", "")})
		}
	}
	switch r.IntN(8) {
	case 0:
		m.Payload = wire.Payload{Kind: wire.PayloadText, Bytes: []byte(pick(r, "an ERROR", "a B x", "é", ""))}
	case 1:
		m.Payload = wire.Payload{Kind: wire.PayloadJSON, Bytes: []byte(randomJSON(r, 2))}
	default:
		m.Payload = wire.Payload{Kind: wire.PayloadJSON, Bytes: []byte(randomObject(r, 3))}
	}
	return m
}

func randomObject(r *rand.Rand, depth int) string {
	var members []string
	for _, name := range []string{"a", "a.b", "b", "level", "fields", "service", "message", "x", "key"} {
		if r.IntN(3) > 0 {
			continue
		}
		value := randomJSON(r, depth-1)
		if name == "fields" && depth > 0 {
			value = sorted(randomObject(r, depth-1))
		}
		if r.IntN(10) == 0 {
			name = fmt.Sprintf(`\u%04x`, name[0]) + name[1:]
		}
		members = append(members, `"`+name+`":`+value)
	}
	r.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	return "{" + strings.Join(members, ",") + "}"
}

func randomJSON(r *rand.Rand, depth int) string {
	if depth > 0 && r.IntN(3) == 0 {
		if r.IntN(3) == 0 {
			return sorted("[" + randomJSON(r, depth-1) + "," + randomJSON(r, depth-1) + "]")
		}
		return sorted(randomObject(r, depth-1))
	}
	return pick(r, "1", "1.0", "-1", "10", "1E+1", "0", "-0.0", "9007199254740992", "9007199254740993", "0.5e-3", "true", "false", "null",
		`"a"`, `"A B"`, `"ab"`, `"aab"`, `"\u0041b"`, `"\u00c9"`, `"é"`, `"1"`, `"10.0"`, `"warn"`, `"ERROR"`, `"\"a\""`, `""`, `"an error\n"`,
		`"2026-11-20T10:00:00Z"`, `"2026-11-20T12:00:00.5+02:00"`, `"order-1"`)
}

// sorted writes a value as encoding/json does, which is how the slow evaluator compares what is compared as a whole.
func sorted(value string) string {
	s := newSlow(&wire.Message{Payload: wire.Payload{Kind: wire.PayloadJSON, Bytes: []byte(value)}})
	text, err := json.Marshal(s.root)
	if err != nil {
		panic(err)
	}
	return string(text)
}
