package filter

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// parser reads a filter from left to right, without going back:
//
//	filter   = either
//	either   = all { "or" all }
//	all      = one { [ "and" ] one }
//	one      = "not" one | [ "-" ] ( "(" either ")" | term )
//
// Terms are read in term.go.
type parser struct {
	text    string
	at      int // the byte that is read next
	depth   int
	terms   int
	regexps int            // the size of the regular expressions so far
	program *Program       // gets the fields
	indices map[string]int // of its fields, by their names
}

// expectedTerm is what is missing where a condition should begin.
const expectedTerm = `a condition such as level>=warn or "some text"`

func (p *parser) parse() (node, *wire.Error) {
	if len(p.text) > MaxBytes {
		return node{}, p.fault(0, fmt.Sprintf("a text of %d bytes", len(p.text)), fmt.Sprintf("at most %d", MaxBytes))
	}
	for i := 0; i < len(p.text); {
		r, n := utf8.DecodeRuneInString(p.text[i:])
		if r == utf8.RuneError && n == 1 {
			return node{}, p.fault(i, fmt.Sprintf("the byte %#x", p.text[i]), "UTF-8")
		}
		i += n
	}
	root, err := p.either()
	if err != nil {
		return node{}, err
	}
	if p.at < len(p.text) {
		return node{}, p.wrong(p.at, `another condition or the end, since no "(" is open`)
	}
	return root, nil
}

// either reads conditions with or between them. It ends in front of a closing parenthesis or the end.
func (p *parser) either() (node, *wire.Error) {
	var nodes []node
	for {
		n, err := p.all()
		if err != nil {
			return node{}, err
		}
		nodes = append(nodes, n)
		if !p.keyword("or") {
			return joined(joinOr, nodes), nil
		}
	}
}

// all reads conditions that stand beside each other.
func (p *parser) all() (node, *wire.Error) {
	var nodes []node
	for {
		n, err := p.one()
		if err != nil {
			return node{}, err
		}
		nodes = append(nodes, n)
		if p.keyword("and") {
			continue
		}
		if p.at == len(p.text) || p.text[p.at] == ')' || p.ahead("or") > 0 {
			return joined(joinAnd, nodes), nil
		}
	}
}

// one reads a condition, whatever negates it, or a group.
func (p *parser) one() (node, *wire.Error) {
	p.space()
	start := p.at
	switch {
	case p.keyword("not"):
		n, err := p.nested(start, p.one)
		n.negated = !n.negated
		return n, err
	case p.is('-'):
		p.at++
		if p.at == len(p.text) || p.is('-') || p.is(')') || p.space() {
			return node{}, p.wrong(start, `a condition or "(" right behind "-", or quotes around a text that begins with it`)
		}
		n, err := p.group()
		n.negated = !n.negated
		return n, err
	}
	return p.group()
}

// group reads what parentheses hold, or a term.
func (p *parser) group() (node, *wire.Error) {
	start := p.at
	if !p.is('(') {
		return p.term()
	}
	p.at++
	n, err := p.nested(start, p.either)
	if err != nil {
		return node{}, err
	}
	if !p.is(')') {
		return node{}, p.wrong(p.at, fmt.Sprintf(`")" for the "(" in column %d`, utf8.RuneCountInString(p.text[:start])+1))
	}
	p.at++
	p.space()
	return n, nil
}

// nested reads one level deeper. What makes it deeper stands at byte start.
func (p *parser) nested(start int, read func() (node, *wire.Error)) (node, *wire.Error) {
	if p.depth++; p.depth > MaxDepth {
		return node{}, p.wrong(start, fmt.Sprintf("at most %d parentheses and negations inside each other", MaxDepth))
	}
	n, err := read()
	p.depth--
	return n, err
}

func (p *parser) is(b byte) bool { return p.at < len(p.text) && p.text[p.at] == b }

// keyword passes over the word, and what space follows, if it stands here by itself.
func (p *parser) keyword(word string) bool {
	n := p.ahead(word)
	if n == 0 {
		return false
	}
	p.at += n
	p.space()
	return true
}

// ahead is the length of the word if it stands here by itself, in upper or lower case, and else 0. Before an operator it
// is the name of a field.
func (p *parser) ahead(word string) int {
	rest := p.text[p.at:]
	if len(rest) < len(word) || !strings.EqualFold(rest[:len(word)], word) {
		return 0
	}
	if len(rest) > len(word) {
		next, _ := utf8.DecodeRuneInString(rest[len(word):])
		if next != '"' && !isBreak(next) {
			return 0
		}
	}
	return len(word)
}

// space passes over white space, and reports whether there was any.
func (p *parser) space() bool {
	rest := strings.TrimLeftFunc(p.text[p.at:], unicode.IsSpace)
	before := p.at
	p.at = len(p.text) - len(rest)
	return p.at > before
}
