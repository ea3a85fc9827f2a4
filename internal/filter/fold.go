package filter

import (
	"encoding/binary"
	"strings"
	"unicode"
	"unicode/utf8"
)

// fold takes upper case out of a character. ASCII comes from ASCII alone: the Kelvin sign, whose lower case is k, is no k.
func fold(r rune) rune {
	if r < utf8.RuneSelf {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}
	if lower := unicode.ToLower(r); lower >= utf8.RuneSelf {
		return lower
	}
	return r
}

// folded is s without upper case.
func folded(s string) string { return strings.Map(fold, s) }

// appendFolded appends text without upper case.
func appendFolded(dst, text []byte) []byte {
	for len(text) >= 8 {
		eight := binary.LittleEndian.Uint64(text)
		if eight&eachHigh != 0 {
			break
		}
		dst = binary.LittleEndian.AppendUint64(dst, lowerASCII(eight))
		text = text[8:]
	}
	for len(text) > 0 {
		r, n := rune(text[0]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRune(text)
		}
		dst = utf8.AppendRune(dst, fold(r))
		text = text[n:]
	}
	return dst
}

const (
	each     = 0x0101010101010101
	eachHigh = 0x8080808080808080
)

// lowerASCII takes upper case out of eight ASCII bytes at once: adding to each what lifts A, and what lifts the
// character after Z, to 128 shows in the high bits which lie between; a quarter of that bit is 32, by which the cases differ.
func lowerASCII(eight uint64) uint64 {
	fromA := eight + each*(128-'A')
	pastZ := eight + each*(128-'Z'-1)
	return eight | (fromA&^pastZ&eachHigh)>>2
}
