package wire

import (
	"bytes"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// plain holds the bytes that stand for themselves in a JSON string: all but quote, backslash and control characters.
var plain = func() (set [256]bool) {
	for b := range set {
		set[b] = b >= ' ' && b != '"' && b != '\\'
	}
	return set
}()

// replacement stands for bytes that are not UTF-8: nothing else may leave the gateway as text.
const replacement = string(utf8.RuneError)

// appendString appends s as a JSON string.
func appendString[S string | []byte](dst []byte, s S) []byte {
	dst = append(dst, '"')
	first := len(dst)
	dst = appendUTF8(dst, s)
	for i := first; i < len(dst); i++ {
		if !plain[dst[i]] {
			rest := string(dst[i:]) // rare: most strings have nothing to escape
			return append(appendEscaped(dst[:i], rest), '"')
		}
	}
	return append(dst, '"')
}

func appendEscaped(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	for i := range len(s) {
		switch b := s[i]; {
		case plain[b]:
			dst = append(dst, b)
		case b == '"' || b == '\\':
			dst = append(dst, '\\', b)
		case b == '\n':
			dst = append(dst, '\\', 'n')
		case b == '\r':
			dst = append(dst, '\\', 'r')
		case b == '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[b>>4], hex[b&15])
		}
	}
	return dst
}

// appendUTF8 appends s with each run of invalid bytes replaced.
func appendUTF8[S string | []byte](dst []byte, s S) []byte {
	first := len(dst)
	dst = append(dst, s...)
	if utf8.Valid(dst[first:]) {
		return dst
	}
	return append(dst[:first], strings.ToValidUTF8(string(s), replacement)...)
}

// Unescape returns what the inside of a JSON string says. Without an escape it is raw itself; otherwise it is appended
// to scratch. What a decoder let through is well formed; what is not comes out as something.
func Unescape(raw, scratch []byte) (value, grown []byte) {
	i := bytes.IndexByte(raw, '\\')
	if i < 0 {
		return raw, scratch
	}
	first := len(scratch)
	for i >= 0 {
		scratch = append(scratch, raw[:i]...)
		var n int
		scratch, n = appendUnescaped(scratch, raw[i:])
		raw = raw[i+n:]
		i = bytes.IndexByte(raw, '\\')
	}
	scratch = append(scratch, raw...)
	return scratch[first:len(scratch):len(scratch)], scratch
}

// appendUnescaped appends what the escape at the beginning of raw stands for, and tells its length.
func appendUnescaped(dst, raw []byte) (grown []byte, n int) {
	if len(raw) < 2 || raw[1] == 'u' && len(raw) < 6 {
		return append(dst, raw...), len(raw)
	}
	switch raw[1] {
	case 'b':
		return append(dst, '\b'), 2
	case 'f':
		return append(dst, '\f'), 2
	case 'n':
		return append(dst, '\n'), 2
	case 'r':
		return append(dst, '\r'), 2
	case 't':
		return append(dst, '\t'), 2
	case 'u':
		r, _ := hex4(raw[2:])
		if !utf16.IsSurrogate(r) || len(raw) < 12 {
			return utf8.AppendRune(dst, r), 6
		}
		low, _ := hex4(raw[8:])
		return utf8.AppendRune(dst, utf16.DecodeRune(r, low)), 12
	}
	return append(dst, raw[1]), 2
}

// hex4 reads four hexadecimal digits.
func hex4(b []byte) (r rune, ok bool) {
	if len(b) < 4 {
		return 0, false
	}
	for _, c := range b[:4] {
		r <<= 4
		switch {
		case '0' <= c && c <= '9':
			r |= rune(c - '0')
		case 'a' <= c && c <= 'f':
			r |= rune(c - 'a' + 10)
		case 'A' <= c && c <= 'F':
			r |= rune(c - 'A' + 10)
		default:
			return 0, false
		}
	}
	return r, true
}
