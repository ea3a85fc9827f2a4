package filter

import "math"

// number is a JSON number, kept in the digits it was written in so that no precision is lost: ids of 64 bits do not fit
// into a float64. Its value is 0.DIGITS times ten to the power of exponent, where DIGITS are those of whole and of fraction
// and do not begin with a zero. Zero has none.
type number struct {
	negative        bool
	whole, fraction []byte
	exponent        int64
}

// maxExponent keeps exponents from overflowing. Those beyond it count as equal.
const maxExponent = math.MaxInt64 / 4

// parseNumber reads a JSON number that is the whole text.
func parseNumber(text []byte) (n number, ok bool) {
	if n.negative = len(text) > 0 && text[0] == '-'; n.negative {
		text = text[1:]
	}
	n.whole, text = digits(text)
	if len(n.whole) == 0 || n.whole[0] == '0' && len(n.whole) > 1 {
		return number{}, false
	}
	if len(text) > 0 && text[0] == '.' {
		if n.fraction, text = digits(text[1:]); len(n.fraction) == 0 {
			return number{}, false
		}
	}
	if len(text) > 0 && text[0]|0x20 == 'e' {
		if n.exponent, text = exponent(text[1:]); text == nil {
			return number{}, false
		}
	}
	if len(text) > 0 {
		return number{}, false
	}
	n.normalize()
	return n, true
}

// normalize moves the point in front of the first digit that is not zero.
func (n *number) normalize() {
	n.exponent += int64(len(n.whole))
	for len(n.whole) > 0 && n.whole[0] == '0' {
		n.whole = n.whole[1:]
		n.exponent--
	}
	for len(n.whole) == 0 && len(n.fraction) > 0 && n.fraction[0] == '0' {
		n.fraction = n.fraction[1:]
		n.exponent--
	}
	if n.len() == 0 {
		*n = number{}
	}
}

// digits splits off the digits that text begins with.
func digits(text []byte) (run, rest []byte) {
	i := 0
	for i < len(text) && '0' <= text[i] && text[i] <= '9' {
		i++
	}
	return text[:i], text[i:]
}

// exponent reads what stands behind the e. The rest is nil where that is no exponent.
func exponent(text []byte) (value int64, rest []byte) {
	negative := len(text) > 0 && text[0] == '-'
	if negative || len(text) > 0 && text[0] == '+' {
		text = text[1:]
	}
	run, rest := digits(text)
	if len(run) == 0 {
		return 0, nil
	}
	for _, digit := range run {
		if value = value*10 + int64(digit-'0'); value > maxExponent/10 {
			value = maxExponent / 10
		}
	}
	if negative {
		value = -value
	}
	return value, rest
}

func (n *number) len() int { return len(n.whole) + len(n.fraction) }

// digit is the i-th digit; zeros follow the last.
func (n *number) digit(i int) byte {
	if i < len(n.whole) {
		return n.whole[i]
	}
	if i -= len(n.whole); i < len(n.fraction) {
		return n.fraction[i]
	}
	return '0'
}

func (n *number) sign() int {
	switch {
	case n.len() == 0:
		return 0
	case n.negative:
		return -1
	}
	return 1
}

// compare is negative where n is less than other, 0 where they are equal, positive where n is greater.
func (n *number) compare(other *number) int {
	sign := n.sign()
	if difference := sign - other.sign(); difference != 0 || sign == 0 {
		return difference
	}
	if n.exponent != other.exponent {
		if n.exponent < other.exponent {
			return -sign
		}
		return sign
	}
	for i := range max(n.len(), other.len()) {
		if difference := int(n.digit(i)) - int(other.digit(i)); difference != 0 {
			return difference * sign
		}
	}
	return 0
}
