package logs

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// The years that a stamp may name. A record of another time is a misread number or the zero time of some language.
const (
	minYear = 1970
	maxYear = 9999
)

// stamp is a time found at the beginning of a text.
type stamp struct {
	time   time.Time
	length int  // of its text
	offset bool // the zone was written as a numeric offset
	slash  bool // the date was written 2006/01/02
	micros bool // the fraction had at least six digits
}

// parseTime reads a string that is nothing but a time: ISO 8601 in its usual forms, the number of seconds or
// parts of them since 1970, or the common log format's.
func parseTime(s string, loc *time.Location) (time.Time, bool) {
	if st, ok := isoStamp(s, loc); ok && st.length == len(s) {
		return st.time, true
	}
	if t, ok := clfTime(s); ok {
		return t, true
	}
	return parseEpoch(s)
}

// parseEpoch reads a count since 1970; its size tells whether of seconds, or of thousandths, millionths or
// billionths of one. Counts before 2001 are refused: they are more likely durations.
func parseEpoch(s string) (time.Time, bool) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		switch {
		case n < 1e9:
			return time.Time{}, false
		case n < 1e11:
			return time.Unix(n, 0), true
		case n < 1e14:
			return time.UnixMilli(n), true
		case n < 1e17:
			return time.UnixMicro(n), true
		}
		return time.Unix(0, n), true
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f < 1e9 || f >= 1e14 {
		return time.Time{}, false
	}
	if f >= 1e11 {
		f /= 1e3
	}
	if whole, fraction, ok := strings.Cut(s, "."); ok && f < 1e11 && len(whole) == 10 && allDigits(fraction) {
		seconds, err := strconv.ParseInt(whole, 10, 64) // digits are exact where a float is not
		return time.Unix(seconds, fractionNanos(fraction)), err == nil
	}
	seconds, fraction := math.Modf(f)
	return time.Unix(int64(seconds), int64(fraction*1e9)), true
}

func fractionNanos(digits string) int64 {
	n := int64(0)
	for i := range 9 {
		n *= 10
		if i < len(digits) {
			n += int64(digits[i] - '0')
		}
	}
	return n
}

// isoStamp reads 2006-01-02T15:04:05 with a space for the T, slashes for the dashes, a fraction after a dot or
// comma, and a zone after it, where s has them.
func isoStamp(s string, loc *time.Location) (stamp, bool) {
	const layout = "2006-01-02T15:04:05"
	if len(s) < len(layout) || s[4] != '-' && s[4] != '/' || s[7] != s[4] || s[10] != 'T' && s[10] != ' ' && s[10] != 't' {
		return stamp{}, false
	}
	year, ok1 := number(s[0:4])
	month, ok2 := number(s[5:7])
	day, ok3 := number(s[8:10])
	c, n, ok4 := clockTime(s[11:])
	if !ok1 || !ok2 || !ok3 || !ok4 || year < minYear {
		return stamp{}, false
	}
	st := stamp{length: 11 + n, slash: s[4] == '/', micros: n >= len("15:04:05.000000")}
	offset, n, zone := zoneOffset(s[st.length:])
	st.length += n
	st.offset = zone && isDigit(s[st.length-1])
	if zone {
		loc = time.UTC
	}
	t := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	if t.Day() != day || int(t.Month()) != month {
		return stamp{}, false
	}
	st.time = c.on(year, time.Month(month), day, loc).Add(-offset)
	return st, validYear(st.time)
}

func validYear(t time.Time) bool {
	year := t.UTC().Year()
	return minYear <= year && year <= maxYear
}

// clock is a time of day.
type clock struct{ hour, minute, second, nanos int }

func (c clock) on(year int, month time.Month, day int, loc *time.Location) time.Time {
	return time.Date(year, month, day, c.hour, c.minute, c.second, c.nanos, loc)
}

// clockTime reads 15:04:05 and a fraction after it, and tells how long both are.
func clockTime(s string) (c clock, length int, ok bool) {
	const layout = "15:04:05"
	if len(s) < len(layout) || s[2] != ':' || s[5] != ':' {
		return clock{}, 0, false
	}
	var ok1, ok2, ok3 bool
	c.hour, ok1 = number(s[0:2])
	c.minute, ok2 = number(s[3:5])
	c.second, ok3 = number(s[6:8])
	if !ok1 || !ok2 || !ok3 || c.hour > 23 || c.minute > 59 || c.second > 60 {
		return clock{}, 0, false
	}
	c.second = min(c.second, 59) // a leap second has no place in the clocks that read this
	length = len(layout)
	if len(s) > length+1 && (s[length] == '.' || s[length] == ',') && isDigit(s[length+1]) {
		end := length + 1
		for end < len(s) && isDigit(s[end]) {
			end++
		}
		c.nanos = int(fractionNanos(s[length+1 : end]))
		length = end
	}
	return c, length, true
}

// zoneOffset reads Z, +01:00, +0100 or +01, and " UTC" and " +0100" too.
func zoneOffset(s string) (offset time.Duration, length int, ok bool) {
	space := 0
	if strings.HasPrefix(s, " ") {
		space = 1
	}
	rest := s[space:]
	switch {
	case rest == "":
		return 0, 0, false
	case space == 0 && (rest[0] == 'Z' || rest[0] == 'z'):
		return 0, 1, true
	case space == 1 && (wordAt(rest, "UTC") || wordAt(rest, "GMT")):
		return 0, len(" UTC"), true
	case rest[0] != '+' && rest[0] != '-' || len(rest) < 3:
		return 0, 0, false
	}
	hour, ok1 := number(rest[1:3])
	length = 3
	minute, ok2 := 0, space == 0 // " -12" after a time is hardly a zone
	if len(rest) >= 6 && rest[3] == ':' {
		minute, ok2 = number(rest[4:6])
		length = 6
	} else if len(rest) >= 5 && isDigit(rest[3]) {
		minute, ok2 = number(rest[3:5])
		length = 5
	}
	if !ok1 || !ok2 || hour > 15 || minute > 59 || len(rest) > length && isDigit(rest[length]) {
		return 0, 0, false
	}
	offset = time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute
	if rest[0] == '-' {
		offset = -offset
	}
	return offset, space + length, true
}

// wordAt reports whether s begins with word and the word ends there.
func wordAt(s, word string) bool {
	return strings.HasPrefix(s, word) && (len(s) == len(word) || !isWordByte(s[len(word)]))
}

func isWordByte(b byte) bool {
	return isDigit(b) || 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || b == '_'
}

// number reads a few digits.
func number(s string) (int, bool) {
	n := 0
	for i := range len(s) {
		if !isDigit(s[i]) {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, true
}

// monthNames are searched by position: a name stands at three times the month's number less one.
const monthNames = "JanFebMarAprMayJunJulAugSepOctNovDec"

func monthNumber(s string) (time.Month, bool) {
	i := strings.Index(monthNames, s)
	if len(s) != 3 || i < 0 || i%3 != 0 {
		return 0, false
	}
	return time.Month(i/3 + 1), true
}

// clfTime reads the common log format's 20/Nov/2026:23:14:00 +0100.
func clfTime(s string) (time.Time, bool) {
	const layout = "02/Jan/2006:15:04:05 -0700"
	if len(s) != len(layout) || s[2] != '/' || s[6] != '/' {
		return time.Time{}, false
	}
	t, err := time.Parse(layout, s)
	return t, err == nil && validYear(t)
}

// bsdStamp reads the "Nov  2 23:14:00" of RFC 3164. now tells the year: the stamp is at most a day ahead of it.
func bsdStamp(s string, now time.Time, loc *time.Location) (stamp, bool) {
	const layout = "Jan _2 15:04:05"
	if len(s) < len(layout) || s[3] != ' ' || s[6] != ' ' {
		return stamp{}, false
	}
	month, ok1 := monthNumber(s[:3])
	day, ok2 := number(strings.TrimPrefix(s[4:6], " "))
	c, n, ok3 := clockTime(s[7:])
	if !ok1 || !ok2 || !ok3 {
		return stamp{}, false
	}
	t, ok := withoutYear(month, day, c, now.In(loc))
	return stamp{time: t, length: 7 + n}, ok
}

// withoutYear finds the year of a date, in the zone of now.
func withoutYear(month time.Month, day int, c clock, now time.Time) (time.Time, bool) {
	for year := now.Year() + 1; year >= now.Year()-4; year-- { // a 29th of February may be four years back
		t := c.on(year, month, day, now.Location())
		if t.Month() == month && t.Day() == day && !t.After(now.AddDate(0, 0, 1)) {
			return t, validYear(t)
		}
	}
	return time.Time{}, false
}
