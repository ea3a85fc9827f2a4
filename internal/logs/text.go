package logs

import "strings"

// text parses a line that is not JSON. Whatever recognises a part of it moves pos behind that part; the message is
// what remains.
func (p *parser) text(s string, nested int) {
	head, _, several := strings.Cut(s, "\n")
	t := textParser{parser: p, whole: s, s: strings.TrimRight(head, "\r"), nested: nested}
	if !several && t.logfmt() {
		return
	}
	p.Message = s
	if !t.recognise() {
		return
	}
	if !t.inner {
		p.Message = s[t.pos:]
	}
}

// textParser walks along the first line of a plain text.
type textParser struct {
	*parser
	whole  string // all lines
	s      string // the first line
	pos    int    // in s, and so in whole
	nested int
	inner  bool // the rest was a line of its own, and gave the message
}

// recognise tries the formats from the surest to the least sure. False: nothing of the text was understood.
func (t *textParser) recognise() bool {
	if t.s == "" {
		return false
	}
	switch b := t.s[0]; {
	case b == '<':
		return t.priority()
	case t.glog(), t.accessLog():
		return true
	case isDigit(b) && t.iso():
		return true
	case isDigit(b) && t.logbackClock():
		return true
	case b == '[' && t.bracketedStamp():
		return true
	case t.bsd():
		return true
	case t.pythonBasic():
		return true
	}
	return t.tail(false)
}

// iso reads a line that begins with a date and a time.
func (t *textParser) iso() bool {
	st, ok := isoStamp(t.s, t.location())
	if !ok || st.length < len(t.s) && !isStampEnd(t.s[st.length]) {
		return false
	}
	t.Timestamp = st.time
	t.pos = st.length
	switch {
	case st.slash:
		t.skipSpace()
		if !t.nginxError() {
			t.tail(true)
		}
	case t.container():
	case st.offset && t.syslogTail(): // rsyslog and journalctl write the offset; few others name a host next
	case t.pos == len("2006-01-02 15:04:05") && t.dpkg():
	default:
		t.tail(true)
	}
	t.skipSpace()
	return true
}

func isStampEnd(b byte) bool { return b == ' ' || b == '\t' || b == ']' || b == ':' || b == '|' }

// bracketedStamp reads [2006-01-02 15:04:05] and the date that Apache writes in its error log.
func (t *textParser) bracketedStamp() bool {
	end := strings.IndexByte(t.s, ']')
	if end < 0 {
		return false
	}
	st, ok := isoStamp(t.s[1:], t.location())
	if !ok || st.length != end-1 {
		return false
	}
	t.Timestamp = st.time
	t.pos = end + 1
	t.tail(true)
	t.skipSpace()
	return true
}

// accessLog reads the common log format of nginx, Apache and many others. The line stays the message; only the time
// and the status are read, and the status gives the level.
func (t *textParser) accessLog() bool {
	open := strings.IndexByte(t.s, '[')
	if open < len("h - - ") || open > 512 || t.s[open-1] != ' ' {
		return false
	}
	const stampLen = len("02/Jan/2006:15:04:05 -0700")
	if len(t.s) < open+stampLen+2 || t.s[open+1+stampLen] != ']' {
		return false
	}
	at, ok := clfTime(t.s[open+1 : open+1+stampLen])
	if !ok {
		return false
	}
	t.Timestamp = at
	if status, ok := accessStatus(t.s[open+stampLen+2:]); ok {
		t.addNumber("status", status)
		switch status[0] {
		case '5':
			t.Level = LevelError
		case '4':
			t.Level = LevelWarn
		default:
			t.Level = LevelInfo
		}
	}
	return true
}

// accessStatus finds the status after the quoted request.
func accessStatus(s string) (string, bool) {
	if !strings.HasPrefix(s, ` "`) {
		return "", false
	}
	end := strings.Index(s[2:], `" `)
	if end < 0 {
		return "", false
	}
	status, _, _ := strings.Cut(s[2+end+2:], " ")
	return status, len(status) == 3 && allDigits(status) && status[0] != '0'
}

// nginxError reads "[error] 1234#5678: ..." after the time.
func (t *textParser) nginxError() bool {
	rest := t.rest()
	end := strings.Index(rest, "] ")
	if !strings.HasPrefix(rest, "[") || end < 0 {
		return false
	}
	ids, _, ok := strings.Cut(rest[end+2:], ": ")
	pid, tid, both := strings.Cut(ids, "#")
	if !ok || !both || !allDigits(pid) || !allDigits(tid) || !t.setLevel(rest[1:end]) {
		return false
	}
	t.Service = "nginx"
	t.addNumber("pid", pid)
	t.addNumber("tid", tid)
	t.pos += end + 2 + len(ids) + 2
	return true
}

// dpkg knows dpkg.log by the word after the time and by the name:architecture of a package behind it.
func (t *textParser) dpkg() bool {
	word, after, _ := strings.Cut(strings.TrimPrefix(t.rest(), " "), " ")
	switch word {
	case "status", "install", "upgrade", "configure", "trigproc", "remove", "purge", "disappear":
		colon := strings.IndexByte(after, ':')
		if colon <= 0 || colon+1 == len(after) || !isWordByte(after[colon+1]) {
			return false
		}
	case "startup":
		if !strings.HasPrefix(after, "archives ") && !strings.HasPrefix(after, "packages ") {
			return false
		}
	default:
		return false
	}
	t.Service = "dpkg"
	return true
}

func (t *textParser) rest() string { return t.s[t.pos:] }

func (t *textParser) skipSpace() {
	for t.pos < len(t.s) && (t.s[t.pos] == ' ' || t.s[t.pos] == '\t') {
		t.pos++
	}
}
