package logs

import "strings"

// maxLoggerBytes bounds what is taken for the name of a logger or a thread.
const maxLoggerBytes = 128

// tail reads what loggers put between the time and the message: the thread, the level, the logger. stamped tells
// that a time came before, which makes a level in lower case between tabs or brackets a sure one. Without a
// level nothing is taken.
func (t *textParser) tail(stamped bool) bool {
	start := t.pos
	if stamped {
		for t.pos < len(t.s) && (t.s[t.pos] == ':' || t.s[t.pos] == '|') {
			t.pos++
		}
	}
	t.skipSpace()
	if t.pythonTail() {
		return true
	}
	thread, hasThread := t.bracket()
	if !t.level(stamped) {
		t.pos = start
		return false
	}
	if hasThread {
		t.thread(thread)
	}
	if !t.springTail() {
		if !hasThread {
			hasThread = t.threadBefore(" - ")
		}
		t.logger(hasThread, " - ", " -- ")
	}
	t.skipSpace()
	return true
}

// thread notes what stood in brackets beside the level: a number is that of a process.
func (t *textParser) thread(name string) {
	if allDigits(name) {
		t.addNumber("pid", name)
		return
	}
	t.addString("thread", name)
}

// bracket takes a [text] that is not a level.
func (t *textParser) bracket() (string, bool) {
	rest := t.rest()
	end := strings.IndexByte(rest, ']')
	if !strings.HasPrefix(rest, "[") || end < 0 || end > maxLoggerBytes {
		return "", false
	}
	text := strings.TrimSpace(rest[1:end])
	if level, _ := ParseLevel(text); level != LevelUnknown {
		return "", false
	}
	t.pos += end + 1
	t.skipSpace()
	return text, true
}

// level takes the word for the level at hand: INFO, INFO:, [info], error:, and info before a tab in a line with a
// time. A bare word in lower case is more likely the message's.
func (t *textParser) level(stamped bool) bool {
	rest := t.rest()
	open := 0
	if strings.HasPrefix(rest, "[") || strings.HasPrefix(rest, "<") {
		open = 1
	}
	end := open
	upper := true
	for end < len(rest) && end <= maxLevelWord && isWordByte(rest[end]) {
		upper = upper && (rest[end] < 'a' || rest[end] > 'z')
		end++
	}
	word := rest[open:end]
	padded := strings.TrimLeft(rest[end:], " ") // [INFO ] is padded inside its brackets
	switch {
	case len(word) < 3:
		return false
	case open == 1:
		closing := byte(']')
		if rest[0] == '<' {
			closing = '>'
		}
		if padded == "" || padded[0] != closing {
			return false
		}
		end = len(rest) - len(padded) + 1
		if strings.HasPrefix(rest[end:], ":") {
			end++
		}
	case end == len(rest):
		return false // the word is the whole message
	case rest[end] == ':' && (end+1 == len(rest) || rest[end+1] == ' '):
		end++
	case rest[end] == '\t' && (stamped || upper):
	case rest[end] == ' ' && upper:
	default:
		return false
	}
	if !t.setLevel(word) {
		return false
	}
	t.pos += end
	t.skipSpace()
	return true
}

// threadBefore takes the [thread] that log4j's patterns have after the level, if a logger follows.
func (t *textParser) threadBefore(separator string) bool {
	start := t.pos
	thread, ok := t.bracket()
	if !ok || !strings.Contains(t.rest(), separator) {
		t.pos = start
		return false
	}
	t.thread(thread)
	return true
}

// springTail reads Spring Boot's "12345 --- [app] [main] o.s.Logger   : ".
func (t *textParser) springTail() bool {
	pid, after, ok := strings.Cut(t.rest(), " --- ")
	if !ok || !allDigits(pid) {
		return false
	}
	t.addNumber("pid", pid)
	t.pos = len(t.s) - len(after)
	t.skipSpace()
	first, _ := t.bracket()
	second, two := t.bracket()
	if two && first != "" {
		t.Service = first
		first = second
	}
	if first != "" {
		t.addString("thread", first)
	}
	t.logger(true, " : ")
	return true
}

// logger takes a name followed by one of the separators, before which more spaces may stand. Unless its place
// makes it sure, only a name with a dot in it is a logger's: "INFO shutdown - done" has none.
func (t *textParser) logger(sure bool, separators ...string) {
	rest := t.rest()
	end := 0
	for end < len(rest) && end <= maxLoggerBytes && isLoggerByte(rest[end]) {
		end++
	}
	after := strings.TrimLeft(rest[end:], " ")
	spaces := len(rest) - end - len(after)
	if end == 0 || end > maxLoggerBytes || spaces == 0 || !sure && !strings.Contains(rest[:end], ".") {
		return
	}
	for _, separator := range separators {
		if bare := separator[1:]; strings.HasPrefix(after, bare) {
			t.setLogger(rest[:end])
			t.pos = len(t.s) - len(after) + len(bare)
			return
		}
	}
}

func isLoggerByte(b byte) bool {
	return isWordByte(b) || strings.IndexByte(".$-/:@[]", b) >= 0
}

// pythonTail reads "- name - LEVEL - " as logging's documentation writes its formats.
func (t *textParser) pythonTail() bool {
	rest, ok := strings.CutPrefix(t.rest(), "- ")
	if !ok {
		return false
	}
	words := strings.SplitN(rest, " - ", 3)
	if len(words) == 3 && !strings.Contains(words[0], " ") && t.setLevel(words[1]) {
		t.setLogger(words[0])
		t.pos = len(t.s) - len(words[2])
		return true
	}
	if len(words) >= 2 && t.setLevel(words[0]) {
		t.pos = len(t.s) - len(rest) + len(words[0]) + len(" - ")
		return true
	}
	return false
}

// pythonBasic reads the "INFO:name:" of logging.basicConfig.
func (t *textParser) pythonBasic() bool {
	word, rest, ok := strings.Cut(t.s, ":")
	if !ok || len(word) < 3 || word != strings.ToUpper(word) {
		return false
	}
	name, message, ok := strings.Cut(rest, ":")
	if !ok || name == "" || len(name) > maxLoggerBytes || strings.ContainsAny(name, " \t/") || !t.setLevel(word) {
		return false
	}
	t.setLogger(name)
	t.pos = len(t.s) - len(message)
	return true
}

// logbackClock reads logback's default pattern, "23:14:00.123 [main] INFO  com.acme.Order - message", which has no date:
// the clock becomes a field.
func (t *textParser) logbackClock() bool {
	_, n, ok := clockTime(t.s)
	if !ok || n == len(t.s) || t.s[n] != ' ' {
		return false
	}
	t.pos = n
	if !t.tail(true) {
		t.pos = 0
		return false
	}
	t.addString("time", t.s[:n])
	return true
}
