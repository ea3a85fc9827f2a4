package filter

import (
	"bytes"
	"regexp"
	"time"
)

// operator says how a term looks at its field.
type operator uint8

const (
	opExists operator = iota
	opEqual
	opGlob
	opPrefix
	opContains
	opRegexp
	opGreater
	opGreaterEqual
	opLess
	opLessEqual
)

// term is one condition on one field. What its value was compiled to depends on the operator.
type term struct {
	name     string
	field    int // in the program's fields
	operator operator
	want     []byte // in lower case; of regular expressions and times as it was written

	regexp *regexp.Regexp // opRegexp
	pieces [][]byte       // opGlob: what stands between the stars

	number *number    // opEqual and comparisons: the value, where it is a number
	time   *time.Time // comparisons: the value, where it is a time
	level  int        // comparisons of a level: its rank
}

// holds reports whether the value passes. None passes that is absent.
func (t *term) holds(s *sight, v *value) bool {
	if v.kind == kindAbsent {
		return false
	}
	switch t.operator {
	case opExists:
		return true
	case opEqual:
		if t.number != nil && v.kind == kindNumber {
			n, ok := parseNumber(v.text)
			return ok && n.compare(t.number) == 0
		}
		return bytes.Equal(s.lowerOf(v), t.want)
	case opGlob:
		return t.glob(s.lowerOf(v))
	case opPrefix:
		return bytes.HasPrefix(s.lowerOf(v), t.want)
	case opContains:
		return bytes.Contains(s.lowerOf(v), t.want)
	case opRegexp:
		return t.regexp.Match(beginning(s.textOf(v)))
	case opGreater, opGreaterEqual, opLess, opLessEqual:
		difference, comparable := t.compare(s, v)
		return comparable && t.operator.allows(difference)
	}
	return false
}

// glob matches each piece as early as it can, which leaves the most for those after it.
func (t *term) glob(text []byte) bool {
	first, last := t.pieces[0], t.pieces[len(t.pieces)-1]
	if len(text) < len(first)+len(last) || !bytes.HasPrefix(text, first) || !bytes.HasSuffix(text, last) {
		return false
	}
	text = text[len(first) : len(text)-len(last)]
	for _, piece := range t.pieces[1 : len(t.pieces)-1] {
		i := bytes.Index(text, piece)
		if i < 0 {
			return false
		}
		text = text[i+len(piece):]
	}
	return true
}

// compare tells how the value stands to that of the term, which are both levels, numbers, times or texts; other pairs
// cannot be compared.
func (t *term) compare(s *sight, v *value) (difference int, comparable bool) {
	switch {
	case t.level > 0:
		rank := levelRank(s.lowerOf(v))
		return rank - t.level, rank > 0
	case t.number != nil:
		n, ok := parseNumber(s.textOf(v))
		if !ok {
			return 0, false
		}
		return n.compare(t.number), true
	case t.time != nil:
		at, ok := parseTime(s.textOf(v))
		return at.Compare(*t.time), ok
	}
	return bytes.Compare(s.lowerOf(v), t.want), v.kind == kindString
}

func (o operator) allows(difference int) bool {
	switch o {
	case opGreater:
		return difference > 0
	case opGreaterEqual:
		return difference >= 0
	case opLess:
		return difference < 0
	case opLessEqual:
		return difference <= 0
	case opExists, opEqual, opGlob, opPrefix, opContains, opRegexp:
	}
	return false
}

// beginning cuts a text, between characters, to what regular expressions see.
func beginning(text []byte) []byte {
	if len(text) <= MaxRegexpText {
		return text
	}
	end := MaxRegexpText
	for text[end]&0xC0 == 0x80 && end > MaxRegexpText-3 {
		end--
	}
	return text[:end]
}

// parseTime reads a time as RFC 3339 writes it. The look before keeps other texts from making an error each.
func parseTime(text []byte) (at time.Time, ok bool) {
	const shortest = "2026-11-20T10:00:00Z"
	if len(text) < len(shortest) || text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' {
		return time.Time{}, false
	}
	err := at.UnmarshalText(text)
	return at, err == nil
}

// The prices of terms, as far as they differ: a look at the tags, a part of the walk over a payload, a search through a
// text, an automaton.
const (
	priceEnvelope = iota
	priceTagFirst
	priceField
	priceText
	priceRegexp
)

func (t *term) price(p *Program) int {
	switch place := p.fields[t.field].place; {
	case t.operator == opRegexp:
		return priceRegexp
	case place == placeText:
		return priceText
	case place == placePayload:
		return priceField
	case place == placeTagFirst:
		return priceTagFirst
	}
	return priceEnvelope
}
