package filter

import (
	"fmt"
	"unicode"
	"unicode/utf8"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// shownCharacters is how much of a text is shown where it is wrong: enough to see what is meant.
const shownCharacters = 24

// wrong tells that something else was expected at byte i than what stands there.
func (p *parser) wrong(i int, expected string) *wire.Error {
	return p.fault(i, p.standing(i), expected)
}

// fault tells what was found at byte i, and what was expected. The details have the column for programs.
func (p *parser) fault(i int, found, expected string) *wire.Error {
	column := utf8.RuneCountInString(p.text[:i]) + 1
	wrong := wire.Errorf(wire.CodeInvalidArgument, "filter, column %d: found %s, expected %s", column, found, expected)
	wrong.Details = fmt.Appendf(nil, `{"column":%d}`, column)
	return wrong
}

// standing shows what begins at byte i: a parenthesis, or something up to the next space.
func (p *parser) standing(i int) string {
	if i >= len(p.text) {
		return "the end"
	}
	if p.text[i] == '(' || p.text[i] == ')' {
		return shown(p.text[i : i+1])
	}
	count := 0
	for at, r := range p.text[i:] {
		if at > 0 && (isBreak(r) || r == '"') || count == shownCharacters {
			return shown(p.text[i : i+at])
		}
		count++
	}
	return shown(p.text[i:])
}

// shown quotes what a client wrote: escaped, and cut to what is worth seeing.
func shown(text string) string {
	count := 0
	for at := range text {
		if count == shownCharacters {
			return fmt.Sprintf("%+q...", text[:at])
		}
		count++
	}
	return fmt.Sprintf("%+q", text)
}

// isBreak reports what ends a word.
func isBreak(r rune) bool { return r == '(' || r == ')' || unicode.IsSpace(r) }
