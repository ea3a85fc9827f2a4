package logs

import (
	"encoding/json"
	"strings"
)

// logfmt reads a line of key=value words, as slog's text handler, logrus and many others write it. The line must be
// nothing else, and must have a level or a time and a message, or it is left as text.
func (t *textParser) logfmt() bool {
	if !looksLikeLogfmt(t.s) {
		return false
	}
	var pairs []Field
	level, stamped, message := false, false, false
	for rest := t.s; rest != ""; {
		key, after, ok := strings.Cut(rest, "=")
		if !ok || key == "" || strings.ContainsAny(key, " \t\"") {
			return false
		}
		value, n, ok := logfmtValue(after)
		if !ok {
			return false
		}
		pairs = append(pairs, Field{Name: key, Value: value})
		level = level || key == "level" || key == "lvl"
		stamped = stamped || key == "time" || key == "ts" || key == "t"
		message = message || key == "msg" || key == "message"
		rest = strings.TrimLeft(after[n:], " ")
	}
	if !message || !level && !stamped {
		return false
	}
	o := objectParser{parser: t.parser}
	first := len(t.Fields)
	for _, pair := range pairs {
		quoted := string(appendString(nil, pair.Value))
		o.index = len(t.Fields)
		t.Fields = append(t.Fields, Field{Name: pair.Name, Value: quoted})
		o.member(pair.Name, quoted)
	}
	o.finish(0)
	t.compact(first)
	return true
}

// looksLikeLogfmt is a cheap guard: the first word has a '=' in it and the line a message.
func looksLikeLogfmt(s string) bool {
	for i := range len(s) {
		switch b := s[i]; {
		case b == '=':
			return i > 0 && (strings.Contains(s, "msg=") || strings.Contains(s, "message="))
		case !isWordByte(b) && b != '.' && b != '@' && b != '-':
			return false
		}
	}
	return false
}

// logfmtValue reads the value that s begins with and tells how long its text is.
func logfmtValue(s string) (value string, length int, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		end := strings.IndexByte(s, ' ')
		if end < 0 {
			end = len(s)
		}
		return s[:end], end, !strings.Contains(s[:end], `"`)
	}
	for end := 1; end < len(s); end++ {
		switch s[end] {
		case '\\':
			end++
		case '"':
			end++
			if end < len(s) && s[end] != ' ' {
				return "", 0, false
			}
			if err := json.Unmarshal([]byte(s[:end]), &value); err != nil {
				return "", 0, false // Go's escapes that JSON has not: the line stays text
			}
			return value, end, true
		}
	}
	return "", 0, false
}
