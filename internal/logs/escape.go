package logs

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// plain marks the bytes that stand for themselves in a JSON string.
var plain = func() (t [utf8.RuneSelf]bool) {
	for b := range t {
		t[b] = b >= ' ' && b != '"' && b != '\\' && b != 0x7f
	}
	return t
}()

// appendString appends s as a JSON string. Control characters, those of C1 too, are escaped, because records end up on
// terminals; what is not UTF-8 becomes U+FFFD.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	dst = appendEscaped(dst, s)
	return append(dst, '"')
}

func appendEscaped(dst []byte, s string) []byte {
	start := 0
	for i := 0; i < len(s); {
		b := s[i]
		if b < utf8.RuneSelf && plain[b] {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if b >= utf8.RuneSelf && !needsEscape(r, size) {
			i += size
			continue
		}
		dst = append(dst, s[start:i]...)
		dst = appendEscape(dst, r)
		i += size
		start = i
	}
	return append(dst, s[start:]...)
}

func needsEscape(r rune, size int) bool {
	return r == utf8.RuneError && size == 1 || r < 0xa0 || r == '\u2028' || r == '\u2029'
}

func appendEscape(dst []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(dst, '\\', byte(r))
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	case utf8.RuneError:
		return append(dst, "\uFFFD"...)
	}
	return append(dst, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}

// appendRaw appends a JSON value as it is, but for what is not UTF-8.
func appendRaw(dst []byte, value string) []byte {
	if utf8.ValidString(value) {
		return append(dst, value...)
	}
	return append(dst, strings.ToValidUTF8(value, "\uFFFD")...)
}

// prefixThatFits is the longest prefix of s, cut between characters, whose escaped form has at most limit bytes.
func prefixThatFits(s string, limit int) string {
	var scratch [16]byte
	size := 0
	for i := 0; i < len(s); {
		_, width := utf8.DecodeRuneInString(s[i:])
		size += len(appendEscaped(scratch[:0], s[i:i+width]))
		if size > limit {
			return s[:i]
		}
		i += width
	}
	return s
}

// unquote decodes a valid JSON string, quotes included. Without an escape in it, it is a part of value.
func unquote(value string) string {
	inner := value[1 : len(value)-1]
	if strings.IndexByte(inner, '\\') < 0 {
		return inner
	}
	var s string
	if err := json.Unmarshal([]byte(value), &s); err != nil {
		return inner
	}
	return s
}
