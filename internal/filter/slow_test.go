package filter

import (
	"bytes"
	"encoding/json"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// slow evaluates filters as the guide describes them, with a map of the whole payload, exact fractions and a regular
// expression for each glob: nothing of it is shared with the matching in this package but the tree of a filter.
type slow struct {
	m    *wire.Message
	root any // of the payload; nil where there is no JSON
}

func newSlow(m *wire.Message) *slow {
	s := &slow{m: m}
	if m.Payload.Kind == wire.PayloadJSON {
		decoder := json.NewDecoder(bytes.NewReader(m.Payload.Bytes))
		decoder.UseNumber()
		if err := decoder.Decode(&s.root); err != nil {
			s.root = nil
		}
	}
	return s
}

func (s *slow) match(n *node) bool {
	passes := n.join == joinAnd
	switch n.join {
	case joinNone:
		passes = s.holds(n.term)
	case joinAnd:
		for i := range n.nodes {
			passes = s.match(&n.nodes[i]) && passes
		}
	case joinOr:
		for i := range n.nodes {
			passes = s.match(&n.nodes[i]) || passes
		}
	}
	return passes != n.negated
}

// find gives the field as a string, or as what encoding/json makes of it; nil where it is absent.
func (s *slow) find(name string) any {
	pair := func(pairs wire.Pairs, key string) any {
		if i := slices.IndexFunc(pairs, func(p wire.Pair) bool { return p.Key == key }); i >= 0 {
			return pairs[i].Value
		}
		return nil
	}
	filled := func(text string) any {
		if text == "" {
			return nil
		}
		return text
	}
	switch prefix, rest, _ := strings.Cut(name, "."); {
	case name == "":
		return s.searched()
	case name == "key":
		return filled(s.m.Key)
	case name == "publisher":
		return filled(s.m.Publisher)
	case name == "messageId":
		return filled(s.m.MessageID)
	case prefix == "tags" && rest != "":
		return pair(s.m.Tags, rest)
	case prefix == "meta" && rest != "":
		return pair(s.m.Meta, rest)
	case prefix == "data" && rest != "":
		if inside, ok := strings.CutPrefix(rest, "fields."); ok {
			return inObject(member(s.root, "fields"), inside)
		}
		return inObject(s.root, rest)
	case prefix == "fields" && rest != "":
		return inObject(member(s.root, "fields"), rest)
	case name == "level", name == "service":
		if tag := pair(s.m.Tags, name); tag != nil {
			return tag
		}
	}
	fields := member(s.root, "fields")
	for _, found := range []any{member(s.root, name), member(fields, name), follow(s.root, name), follow(fields, name)} {
		if found != nil {
			return found
		}
	}
	return nil
}

func (s *slow) searched() any {
	switch s.m.Payload.Kind {
	case wire.PayloadText:
		return string(s.m.Payload.Bytes)
	case wire.PayloadJSON:
		if message, ok := member(s.root, "message").(string); ok {
			return message
		}
		var text string
		quoted := strings.ReplaceAll(string(s.m.Payload.Bytes), `\"`, `\u0022`)
		quoted = strings.NewReplacer(`"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(quoted)
		if err := json.Unmarshal([]byte(`"`+quoted+`"`), &text); err != nil {
			panic(err) // the payload is valid JSON, so this is too
		}
		return text
	default:
		return nil
	}
}

func inObject(object any, name string) any {
	if found := member(object, name); found != nil {
		return found
	}
	return follow(object, name)
}

func member(object any, name string) any {
	members, _ := object.(map[string]any)
	return members[name]
}

func follow(object any, path string) any {
	for word := range strings.SplitSeq(path, ".") {
		object = member(object, word)
	}
	return object
}

func (s *slow) holds(t *term) bool {
	found := s.find(t.name)
	if found == nil {
		return false
	}
	var text string
	_, isString := found.(string)
	switch found := found.(type) {
	case string:
		text = found
	case json.Number:
		text = found.String()
	case bool:
		text = map[bool]string{true: "true", false: "false"}[found]
	default:
		compact, err := json.Marshal(found)
		if err != nil {
			panic(err)
		}
		text = string(compact)
	}
	want, lower := string(t.want), strings.Map(fold, text)
	switch t.operator {
	case opExists:
		return true
	case opEqual:
		_, isNumber := found.(json.Number)
		a, b := fraction(text), fraction(want)
		return lower == want || isNumber && a != nil && b != nil && a.Cmp(b) == 0
	case opGlob:
		return regexp.MustCompile(`(?s)^` + strings.ReplaceAll(regexp.QuoteMeta(want), `\*`, `.*`) + `$`).MatchString(lower)
	case opPrefix:
		return strings.HasPrefix(lower, want)
	case opContains:
		return strings.Contains(lower, want)
	case opRegexp:
		return regexp.MustCompile(want).MatchString(text)
	default:
	}
	difference, comparable := compareSlowly(t.name, text, want, isString)
	return comparable && map[operator]bool{
		opGreater: difference > 0, opGreaterEqual: difference >= 0, opLess: difference < 0, opLessEqual: difference <= 0,
	}[t.operator]
}

func compareSlowly(name, text, want string, isString bool) (difference int, comparable bool) {
	order := []string{"trace", "debug", "info", "warn", "error", "fatal"}
	lower := strings.Map(fold, text)
	if level := slices.Index(order, want); level >= 0 && (name == "level" || strings.HasSuffix(name, ".level")) {
		found := slices.Index(order, lower)
		return found - level, found >= 0
	}
	if number := fraction(want); number != nil {
		if found := fraction(text); found != nil {
			return found.Cmp(number), true
		}
		return 0, false
	}
	var wanted, found time.Time
	if wanted.UnmarshalText([]byte(want)) == nil {
		err := found.UnmarshalText([]byte(text))
		return found.Compare(wanted), err == nil
	}
	return strings.Compare(lower, want), isString
}

var jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

// fraction is the exact value of a JSON number, or nil.
func fraction(text string) *big.Rat {
	if !jsonNumber.MatchString(text) {
		return nil
	}
	value, ok := new(big.Rat).SetString(text)
	if !ok {
		return nil
	}
	return value
}

// fitForSlow reports whether the slow evaluator and the fast one can be held against each other on this payload: both must
// take it for the same. It is valid JSON in which no name stands twice, whose characters are whole, which has no white space
// in what is compared as a whole, and no number too large for a fraction.
func fitForSlow(payload []byte) bool {
	return json.Valid(payload) && !bytes.ContainsRune(payload, '\uFFFD') && !hugeExponent.Match(payload) &&
		!halfPair.Match(payload) && distinctNames(json.NewDecoder(bytes.NewReader(payload)))
}

var (
	hugeExponent = regexp.MustCompile(`[eE][+-]?[0-9]{4}`)
	halfPair     = regexp.MustCompile(`\\u[dD][89a-fA-F]`)
)

// distinctNames reads one value, and reports whether no name stands twice in an object of it.
func distinctNames(decoder *json.Decoder) bool {
	token, err := decoder.Token()
	if err != nil {
		return false
	}
	switch token {
	case json.Delim('{'):
		names := map[string]bool{}
		for decoder.More() {
			name, err := decoder.Token()
			text, _ := name.(string)
			if err != nil || names[text] || !distinctNames(decoder) {
				return false
			}
			names[text] = true
		}
		_, err = decoder.Token()
	case json.Delim('['):
		for decoder.More() {
			if !distinctNames(decoder) {
				return false
			}
		}
		_, err = decoder.Token()
	}
	return err == nil
}
