package filter

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// classShare is how many bounds of ranges in a class of characters count as one instruction: what large classes, such as
// \pL with its 650 ranges, cost is memory.
const classShare = 32

// compileRegexp compiles the value, which is kept as it was written: case matters, unless it begins with (?i).
//
// Its size is known before it is compiled, so that a large one costs nothing.
func (p *parser) compileRegexp(t *term, v literal) *wire.Error {
	if len(v.text) > MaxRegexpBytes {
		return p.fault(v.at, fmt.Sprintf("a regular expression of %d bytes", len(v.text)), fmt.Sprintf("at most %d", MaxRegexpBytes))
	}
	t.want = []byte(v.text)
	tree, err := syntax.Parse(v.text, syntax.Perl)
	if err != nil {
		return p.notRegexp(v, err)
	}
	size := regexpSize(tree)
	if p.regexps += size; p.regexps > MaxRegexpSize {
		found := fmt.Sprintf("a regular expression of %d instructions, %d with those before it", size, p.regexps)
		return p.fault(v.at, found, fmt.Sprintf("at most %d in the whole filter: shorter ones, with smaller repetitions", MaxRegexpSize))
	}
	if t.regexp, err = regexp.Compile(v.text); err != nil {
		return p.notRegexp(v, err)
	}
	return nil
}

func (p *parser) notRegexp(v literal, err error) *wire.Error {
	why := "of another form"
	if wrong, ok := errors.AsType[*syntax.Error](err); ok {
		why = wrong.Code.String() + ": " + shown(wrong.Expr)
	}
	return p.fault(v.at, shown(v.text)+", which has "+why, "a regular expression in the syntax of RE2")
}

// regexpSize estimates how many instructions the automaton of an expression has. The parser has seen to it that
// repetitions do not multiply beyond 1,000.
func regexpSize(tree *syntax.Regexp) int {
	size := 0
	for _, sub := range tree.Sub {
		size += regexpSize(sub)
	}
	switch tree.Op {
	case syntax.OpLiteral:
		return len(tree.Rune)
	case syntax.OpCharClass:
		return 1 + len(tree.Rune)/classShare
	case syntax.OpRepeat:
		most := max(tree.Max, tree.Min+1) // without an end, the last is a loop
		if tree.Max == tree.Min {
			most = tree.Min
		}
		return most*size + most - tree.Min // each that may be absent has a way around it
	default:
		return size + max(len(tree.Sub), 1)
	}
}
