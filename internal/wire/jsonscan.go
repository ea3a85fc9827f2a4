package wire

import (
	"encoding/binary"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxDepth is how deep a frame may be nested as JSON, the frame itself included. No honest payload comes near it,
// and readers that recurse stay safe.
const MaxDepth = 64

// scanner walks over JSON (RFC 8259) without building anything. Its methods take the place where something begins
// and return the place after it, or -1 once the input is found wrong.
//
// It is stricter than the RFC's grammar in one point: an escaped surrogate must have its other half, since half of
// the parsers out there refuse a string without, and the bytes of a payload go to all of them.
type scanner struct {
	data  []byte
	fault string // what is wrong
	where int    // the place of it
}

// valid reports whether the whole input is one JSON value, depth levels below its frame.
func (s *scanner) valid(depth int) bool {
	i := s.value(s.space(0), depth)
	if i < 0 {
		return false
	}
	if i = s.space(i); i < len(s.data) {
		s.wrong(i, "expected nothing after the value")
		return false
	}
	return true
}

func (s *scanner) wrong(i int, fault string) int {
	s.where, s.fault = i, fault
	return -1
}

func (s *scanner) space(i int) int {
	for i < len(s.data) {
		switch s.data[i] {
		case ' ', '\t', '\n', '\r':
			i++
		default:
			return i
		}
	}
	return i
}

func (s *scanner) value(i, depth int) int {
	if i >= len(s.data) {
		return s.wrong(i, "expected a value, but the input ends")
	}
	switch b := s.data[i]; b {
	case '{', '[':
		if depth >= MaxDepth {
			return s.wrong(i, "nested too deeply: at most "+strconv.Itoa(MaxDepth)+" levels are allowed")
		}
		if b == '{' {
			return s.object(i, depth)
		}
		return s.array(i, depth)
	case '"':
		return s.text(i)
	case 't':
		return s.literal(i, "true")
	case 'f':
		return s.literal(i, "false")
	case 'n':
		return s.literal(i, "null")
	default:
		return s.number(i)
	}
}

func (s *scanner) object(i, depth int) int {
	i, more := s.step(i+1, true, '}')
	for more {
		if _, i = s.name(i); i < 0 {
			return -1
		}
		if i = s.value(i, depth+1); i < 0 {
			return -1
		}
		i, more = s.step(i, false, '}')
	}
	return i
}

func (s *scanner) array(i, depth int) int {
	i, more := s.step(i+1, true, ']')
	for more {
		if i = s.value(i, depth+1); i < 0 {
			return -1
		}
		i, more = s.step(i, false, ']')
	}
	return i
}

// step goes on to the next item of an object or an array, or, without more, to the place behind it.
func (s *scanner) step(i int, first bool, closing byte) (next int, more bool) {
	i = s.space(i)
	switch {
	case i >= len(s.data):
		return s.wrong(i, "expected '"+string(closing)+"', but the input ends"), false
	case s.data[i] == closing:
		return i + 1, false
	case first:
		return i, true
	case s.data[i] != ',':
		return s.wrong(i, "expected ',' or '"+string(closing)+"'"), false
	}
	return s.space(i + 1), true
}

// name walks over a member's name and its colon.
func (s *scanner) name(i int) (end, value int) {
	if i >= len(s.data) || s.data[i] != '"' {
		return -1, s.wrong(i, "expected a field name in double quotes")
	}
	if end = s.text(i); end < 0 {
		return -1, -1
	}
	if i = s.space(end); i >= len(s.data) || s.data[i] != ':' {
		return -1, s.wrong(i, "expected ':' after the field name")
	}
	return end, s.space(i + 1)
}

func (s *scanner) literal(i int, word string) int {
	if len(s.data)-i < len(word) || string(s.data[i:i+len(word)]) != word {
		return s.wrong(i, "expected a value")
	}
	return i + len(word)
}

func (s *scanner) text(i int) int {
	start := i
	for i++; i < len(s.data); {
		if i+8 <= len(s.data) && ordinary(binary.LittleEndian.Uint64(s.data[i:])) {
			i += 8
			continue
		}
		switch b := s.data[i]; {
		case b == '"':
			return i + 1
		case b == '\\':
			if i = s.escape(i); i < 0 {
				return -1
			}
		case b < ' ':
			return s.wrong(i, "a control character in a string must be escaped")
		case b < utf8.RuneSelf:
			i++
		default:
			r, n := utf8.DecodeRune(s.data[i:])
			if r == utf8.RuneError && n == 1 {
				return s.wrong(i, "a string must be UTF-8")
			}
			i += n
		}
	}
	return s.wrong(start, "this string does not end")
}

// ordinary reports whether all eight bytes are ASCII that stands for itself in a string: no control character, quote or
// backslash. A byte is below n where subtracting n borrows (Hacker's Delight, 6-1); what follows such a byte may be wrongly
// suspected, which costs a closer look.
func ordinary(eight uint64) bool {
	const each, high = 0x0101010101010101, 0x8080808080808080
	quote, backslash := eight^each*'"', eight^each*'\\'
	return (eight|(eight-each*' ')|(quote-each)|(backslash-each))&high == 0
}

func (s *scanner) escape(i int) int {
	if i+1 >= len(s.data) {
		return s.wrong(i, "expected an escape, but the input ends")
	}
	switch s.data[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2
	case 'u':
		r, ok := hex4(s.data[i+2:])
		if !ok {
			return s.wrong(i, "expected four hexadecimal digits after \\u")
		}
		if !utf16.IsSurrogate(r) {
			return i + 6
		}
		if rest := s.data[i+6:]; len(rest) >= 2 && rest[0] == '\\' && rest[1] == 'u' {
			low, ok := hex4(rest[2:])
			if ok && utf16.DecodeRune(r, low) != utf8.RuneError {
				return i + 12
			}
		}
		return s.wrong(i, "half of a surrogate pair stands for no character")
	default:
		return s.wrong(i, "expected one of \" \\ / b f n r t u after a backslash")
	}
}

func (s *scanner) number(i int) int {
	start := i
	if s.is(i, '-') {
		i++
	}
	switch {
	case s.is(i, '0'):
		i++
	case s.digit(i):
		i = s.digits(i)
	case i > start:
		return s.wrong(i, "expected a digit")
	default:
		return s.wrong(i, "expected a value")
	}
	if s.is(i, '.') {
		if i++; !s.digit(i) {
			return s.wrong(i, "expected a digit after the decimal point")
		}
		i = s.digits(i)
	}
	if s.is(i, 'e') || s.is(i, 'E') {
		if i++; s.is(i, '+') || s.is(i, '-') {
			i++
		}
		if !s.digit(i) {
			return s.wrong(i, "expected a digit in the exponent")
		}
		i = s.digits(i)
	}
	return i
}

func (s *scanner) is(i int, b byte) bool { return i < len(s.data) && s.data[i] == b }

func (s *scanner) digit(i int) bool { return i < len(s.data) && '0' <= s.data[i] && s.data[i] <= '9' }

func (s *scanner) digits(i int) int {
	for s.digit(i) {
		i++
	}
	return i
}
