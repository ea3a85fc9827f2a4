package filter

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// spelling is an operator as it is written.
type spelling struct {
	text     string
	operator operator
	negated  bool
}

// spellings are the operators that have a value behind them, those that begin with another one before it.
var spellings = [...]spelling{
	{"!=", opEqual, true},
	{">=", opGreaterEqual, false},
	{"<=", opLessEqual, false},
	{"^=", opPrefix, false},
	{"*=", opContains, false},
	{"=", opEqual, false},
	{">", opGreater, false},
	{"<", opLess, false},
	{"~", opRegexp, false},
}

// term reads a condition, and the space behind it:
//
//	term  = text | name ":" | name ( "=" | "!=" | ">=" | ">" | "<=" | "<" | "~" | "^=" | "*=" ) text
//	text  = word | '"' characters '"'
func (p *parser) term() (node, *wire.Error) {
	start := p.at
	if start == len(p.text) || p.is(')') {
		return node{}, p.wrong(start, expectedTerm)
	}
	if p.terms++; p.terms > MaxTerms {
		return node{}, p.wrong(start, fmt.Sprintf("the end: at most %d conditions are allowed", MaxTerms))
	}
	if p.is('"') {
		text, err := p.quoted()
		if err != nil {
			return node{}, err
		}
		return p.search(start, text)
	}
	for _, word := range [...]string{"or", "and", "not"} {
		if p.ahead(word) > 0 {
			return node{}, p.wrong(start, expectedTerm+`, or quotes around that word`)
		}
	}
	name := p.name()
	if p.exists() {
		return p.condition(start, name, spelling{operator: opExists})
	}
	if how, ok := p.operator(); ok && name != "" {
		return p.condition(start, name, how)
	}
	p.at = start
	return p.bareText()
}

// name reads as much as may belong to the name of a field.
func (p *parser) name() string {
	rest := p.text[p.at:]
	end := strings.IndexFunc(rest, func(r rune) bool { return !isNameRune(r) })
	if end < 0 {
		end = len(rest)
	}
	p.at += end
	return rest[:end]
}

func isNameRune(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("_.@/$-", r)
}

// exists passes over a colon with nothing attached to it: 12:30 is a text.
func (p *parser) exists() bool {
	rest := p.text[p.at:]
	if !strings.HasPrefix(rest, ":") {
		return false
	}
	if next, _ := utf8.DecodeRuneInString(rest[1:]); len(rest) > 1 && !isBreak(next) {
		return false
	}
	p.at++
	return true
}

// operator passes over one, and the space around it.
func (p *parser) operator() (how spelling, ok bool) {
	p.space()
	for _, how := range spellings {
		if strings.HasPrefix(p.text[p.at:], how.text) {
			p.at += len(how.text)
			p.space()
			return how, true
		}
	}
	return spelling{}, false
}

// condition makes the term of a field, and reads its value. The field's name stands at byte start.
func (p *parser) condition(start int, name string, how spelling) (node, *wire.Error) {
	const expected = "a field name such as order.amount: words of letters, digits, _ @ / $ and - with single dots between them"
	switch {
	case len(name) > MaxNameBytes:
		return node{}, p.fault(start, fmt.Sprintf("a field name of %d bytes", len(name)), fmt.Sprintf("at most %d", MaxNameBytes))
	case name == "" || name[0] == '.' || name[len(name)-1] == '.' || strings.Contains(name, ".."):
		return node{}, p.wrong(start, expected)
	}
	t := &term{name: name, field: p.fieldNamed(name), operator: how.operator}
	if how.operator != opExists {
		v, err := p.value()
		if err == nil {
			err = p.compile(t, v)
		}
		if err != nil {
			return node{}, err
		}
	}
	p.space()
	return node{term: t, negated: how.negated}, nil
}

// fieldNamed is the index of the field in the program.
func (p *parser) fieldNamed(name string) int {
	index, known := p.indices[name]
	if !known {
		index = len(p.program.fields)
		p.indices[name] = index
		p.program.fields = append(p.program.fields, locate(name))
	}
	return index
}

// bareText reads a word that is looked for.
func (p *parser) bareText() (node, *wire.Error) {
	start := p.at
	word, err := p.word()
	if err != nil {
		return node{}, err
	}
	if i := strings.IndexAny(word, "=<>~"); i >= 0 {
		return node{}, p.wrong(start+i, "a field name in front of the operator, or quotes around a text")
	}
	switch {
	case strings.Trim(word, "&|") == "":
		return node{}, p.wrong(start, `"and" or "or", or quotes around a text`)
	case word[0] == '!':
		return node{}, p.wrong(start, `"-" or "not" before what must not be, or quotes around a text`)
	}
	return p.search(start, word)
}

// search makes the term that looks for a text.
func (p *parser) search(start int, text string) (node, *wire.Error) {
	if text == "" {
		return node{}, p.fault(start, "an empty text", "some characters between the quotes")
	}
	p.space()
	return node{term: &term{name: textName, field: p.fieldNamed(textName), operator: opContains, want: []byte(folded(text))}}, nil
}

// quoted reads a text in double quotes. \" and \\ stand for what follows the backslash; any other backslash stands for
// itself, so that regular expressions and paths can be written as they are.
func (p *parser) quoted() (string, *wire.Error) {
	start := p.at
	var text strings.Builder
	for p.at++; p.at < len(p.text); p.at++ {
		switch b := p.text[p.at]; {
		case b == '"':
			p.at++
			return text.String(), p.apart(`a space or ")" behind the closing quote`)
		case b == '\\' && p.at+1 < len(p.text) && (p.text[p.at+1] == '"' || p.text[p.at+1] == '\\'):
			p.at++
			text.WriteByte(p.text[p.at])
		default:
			text.WriteByte(b)
		}
	}
	return "", p.fault(start, "a quote that is not closed", `a second '"'`)
}

// word reads what stands without quotes.
func (p *parser) word() (string, *wire.Error) {
	rest := p.text[p.at:]
	end := strings.IndexFunc(rest, func(r rune) bool { return r == '"' || isBreak(r) })
	if end < 0 {
		end = len(rest)
	}
	p.at += end
	return rest[:end], p.apart("a space in front of it, or quotes around the whole text")
}

// apart makes sure that a text has ended: what follows at once would be taken for something else than it was meant.
func (p *parser) apart(expected string) *wire.Error {
	if next, _ := utf8.DecodeRuneInString(p.text[p.at:]); p.at < len(p.text) && (next == '(' || !isBreak(next)) {
		return p.wrong(p.at, expected)
	}
	return nil
}
