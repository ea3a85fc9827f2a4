package filter

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// literal is a value as it was written.
type literal struct {
	at   int // its first byte
	text string
	bare bool // without quotes, where a star stands for anything
}

// value reads what stands behind an operator.
func (p *parser) value() (literal, *wire.Error) {
	v := literal{at: p.at}
	var err *wire.Error
	switch {
	case p.at == len(p.text) || p.is('(') || p.is(')'):
		return v, p.wrong(p.at, "a value behind the operator, in quotes if it has parentheses or spaces")
	case p.is('"'):
		v.text, err = p.quoted()
		return v, err
	case strings.IndexByte("=<>~!", p.text[p.at]) >= 0:
		return v, p.wrong(p.at, `a value behind one of the operators = != > >= < <= ~ ^= *=, or quotes around it`)
	}
	v.bare = true
	v.text, err = p.word()
	return v, err
}

// compile makes of the value what the term's operator needs.
func (p *parser) compile(t *term, v literal) *wire.Error {
	t.want = []byte(folded(v.text))
	switch t.operator {
	case opRegexp:
		return p.compileRegexp(t, v)
	case opEqual:
		if v.bare && strings.Contains(v.text, "*") {
			t.compileGlob()
		} else if n, ok := parseNumber(t.want); ok {
			t.number = &n
		}
	case opPrefix, opContains:
		t.trivial()
	case opGreater, opGreaterEqual, opLess, opLessEqual:
		return p.compileComparison(t, v)
	case opExists, opGlob:
	}
	return nil
}

// trivial makes a term that every value passes one that asks for any.
func (t *term) trivial() {
	if len(t.want) == 0 {
		t.operator = opExists
	}
}

// compileGlob finds the simplest operator that does what the stars say.
func (t *term) compileGlob() {
	text := string(t.want)
	before, behind := strings.HasPrefix(text, "*"), strings.HasSuffix(text, "*")
	pieces := strings.FieldsFunc(text, func(r rune) bool { return r == '*' })
	switch {
	case len(pieces) == 0:
		t.operator = opExists
		return
	case len(pieces) == 1 && before && behind:
		t.operator, t.want = opContains, []byte(pieces[0])
		return
	case len(pieces) == 1 && behind:
		t.operator, t.want = opPrefix, []byte(pieces[0])
		return
	}
	if before {
		pieces = slices.Insert(pieces, 0, "")
	}
	if behind {
		pieces = append(pieces, "")
	}
	t.operator, t.want = opGlob, []byte(strings.Join(pieces, "*"))
	for _, piece := range pieces {
		t.pieces = append(t.pieces, []byte(piece))
	}
}

func (p *parser) compileComparison(t *term, v literal) *wire.Error {
	if isLevel(t.name) {
		t.level = levelRank(t.want)
	}
	if n, ok := parseNumber(t.want); ok {
		t.number = &n
	} else if isLevel(t.name) && t.level == 0 {
		return p.fault(v.at, shown(v.text), "one of "+strings.Join(levels[:], ", ")+", or a number")
	}
	if at, ok := parseTime([]byte(v.text)); ok {
		t.time, t.want = &at, []byte(v.text)
	}
	return nil
}

// print writes the term so that it is read again as what it is.
func (t *term) print(out *strings.Builder, negated bool) {
	operator := t.operator.String()
	switch t.operator {
	case opEqual, opGlob:
		if negated {
			operator, negated = "!=", false
		}
	default:
	}
	if negated {
		out.WriteByte('-')
	}
	if t.name == textName {
		printText(out, string(t.want), isPlain(string(t.want)) && !startsOtherwise(string(t.want)))
		return
	}
	out.WriteString(t.name)
	out.WriteString(operator)
	switch t.operator {
	case opExists:
	case opGlob:
		out.Write(t.want) // it came without quotes
	default:
		printText(out, string(t.want), isPlain(string(t.want)))
	}
}

// String is the operator as it is written.
func (o operator) String() string {
	switch o {
	case opExists:
		return ":"
	case opGlob:
		return "="
	default:
	}
	for _, s := range spellings {
		if s.operator == o && !s.negated {
			return s.text
		}
	}
	return fmt.Sprintf("operator(%d)", uint8(o))
}

// isPlain reports a text that needs no quotes as a value.
func isPlain(text string) bool {
	odd := func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_.@/-", r)
	}
	return text != "" && strings.IndexFunc(text, odd) < 0
}

// startsOtherwise reports a text that at the beginning of a term would be taken for something else.
func startsOtherwise(text string) bool {
	return text[0] == '-' || text == "or" || text == "and" || text == "not"
}

func printText(out *strings.Builder, text string, plain bool) {
	if plain {
		out.WriteString(text)
		return
	}
	out.WriteByte('"')
	for i := range len(text) {
		// A backslash stands for itself unless what follows makes it an escape.
		last := i+1 == len(text)
		if text[i] == '"' || text[i] == '\\' && (last || text[i+1] == '"' || text[i+1] == '\\') {
			out.WriteByte('\\')
		}
		out.WriteByte(text[i])
	}
	out.WriteByte('"')
}
