package logs

import (
	"strconv"
	"strings"
	"time"
)

// maxNameBytes bounds the name of a host or a program in a syslog line.
const maxNameBytes = 64

// priority reads a line as it comes from the network, with <priority> in front: of RFC 5424 or RFC 3164.
func (t *textParser) priority() bool {
	end := strings.IndexByte(t.s, '>')
	if end < 2 || end > 4 || !allDigits(t.s[1:end]) {
		return false
	}
	number, err := strconv.Atoi(t.s[1:end])
	if err != nil || number > 191 {
		return false
	}
	t.pos = end + 1
	rest := t.rest()
	if !strings.HasPrefix(rest, "1 ") || !t.rfc5424() {
		st, ok := bsdStamp(rest, t.now(), t.location())
		if !ok {
			t.pos = 0
			return false
		}
		t.Timestamp = st.time
		t.pos += st.length
		t.syslogTail()
	}
	t.addNumber("priority", strconv.Itoa(number))
	t.Level = syslogLevel(number)
	t.skipSpace()
	return true
}

// rfc5424 reads "1 time host program pid msgid [structured data] message"; a dash says nothing.
func (t *textParser) rfc5424() bool {
	words := strings.SplitN(t.rest(), " ", 7)
	if len(words) < 7 {
		return false
	}
	st, ok := isoStamp(words[1], time.UTC)
	if !ok && words[1] != "-" {
		return false
	}
	data := words[6]
	if !strings.HasPrefix(data, "-") {
		end := structuredDataEnd(data)
		if end == 0 {
			return false
		}
		t.addString("structured_data", data[:end])
		data = data[end:]
	} else {
		data = data[1:]
	}
	t.Timestamp = st.time
	t.host(words[2])
	if words[3] != "-" {
		t.Service = words[3]
	}
	for i, name := range [...]string{"pid", "msgid"} {
		if word := words[4+i]; word != "-" {
			t.addString(name, word)
		}
	}
	t.pos = len(t.s) - len(data)
	return true
}

// structuredDataEnd is the length of the [elements] that s begins with; 0 if they do not end.
func structuredDataEnd(s string) int {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			quoted = !quoted
		case ']':
			if !quoted && (i+1 == len(s) || s[i+1] != '[') {
				return i + 1
			}
		}
	}
	return 0
}

// bsd reads "Nov 20 23:14:00 host prog[pid]: message".
func (t *textParser) bsd() bool {
	st, ok := bsdStamp(t.s, t.now(), t.location())
	if !ok || st.length < len(t.s) && t.s[st.length] != ' ' {
		return false
	}
	t.Timestamp = st.time
	t.pos = st.length
	if !t.syslogTail() {
		t.tail(true)
	}
	t.skipSpace()
	return true
}

// syslogTail reads " host prog[pid]: " after the time. The message may begin with a level.
func (t *textParser) syslogTail() bool {
	rest := strings.TrimLeft(t.rest(), " ")
	host, after, ok := strings.Cut(rest, " ")
	if !ok || host == "" || len(host) > maxNameBytes || strings.HasSuffix(host, ":") {
		return false
	}
	colon := strings.Index(after, ":")
	if colon <= 0 || colon+1 < len(after) && after[colon+1] != ' ' {
		return false
	}
	program, pid := after[:colon], ""
	if open := strings.IndexByte(program, '['); open > 0 && strings.HasSuffix(program, "]") {
		program, pid = program[:open], program[open+1:len(program)-1]
	}
	if len(program) > maxNameBytes || strings.ContainsAny(program, " []\t") || pid != "" && !allDigits(pid) {
		return false
	}
	t.host(host)
	t.Service = program
	if pid != "" {
		t.addNumber("pid", pid)
	}
	t.pos = len(t.s) - len(after) + colon + 1
	t.skipSpace()
	t.level(false)
	return true
}

func (t *textParser) host(name string) {
	if name != "-" {
		t.addString("host", name)
	}
}

// container reads what a container runtime puts before each line: " stdout F line".
func (t *textParser) container() bool {
	stream, rest, ok := strings.Cut(strings.TrimPrefix(t.rest(), " "), " ")
	if !ok || stream != "stdout" && stream != "stderr" || len(rest) < 2 || rest[0] != 'F' && rest[0] != 'P' || rest[1] != ' ' || t.nested == 0 {
		return false
	}
	t.addString("stream", stream)
	if rest[0] == 'P' {
		t.Fields = append(t.Fields, Field{Name: "partial", Value: "true"})
	}
	t.pos = len(t.s)
	t.inner = true
	t.line(t.whole[len(t.s)-len(rest)+2:], nil, t.nested-1)
	return true
}

// glog reads "I1120 23:14:00.123456   1234 file.go:12] message".
func (t *textParser) glog() bool {
	const header = "I1120 23:14:00.123456 "
	if len(t.s) < len(header) || t.s[5] != ' ' {
		return false
	}
	level := LevelUnknown
	switch t.s[0] {
	case 'I':
		level = LevelInfo
	case 'W':
		level = LevelWarn
	case 'E':
		level = LevelError
	case 'F':
		level = LevelFatal
	}
	month, ok1 := number(t.s[1:3])
	day, ok2 := number(t.s[3:5])
	c, n, ok3 := clockTime(t.s[6:])
	if level == LevelUnknown || !ok1 || !ok2 || !ok3 || month < 1 || month > 12 {
		return false
	}
	thread, after, _ := strings.Cut(strings.TrimLeft(t.s[6+n:], " "), " ")
	caller, _, ok := strings.Cut(after, "] ")
	if !ok || !allDigits(thread) || strings.Contains(caller, " ") {
		return false
	}
	at, ok := withoutYear(time.Month(month), day, c, t.now().In(t.location()))
	if !ok {
		return false
	}
	t.Timestamp = at
	t.Level = level
	t.addNumber("pid", thread)
	t.addString("caller", caller)
	t.pos = len(t.s) - len(after) + len(caller) + len("] ")
	return true
}
