package logs

// Level is how grave a record is. Levels are ordered: the graver, the greater. The zero value says that the line
// did not tell.
type Level uint8

// The levels.
const (
	LevelUnknown Level = iota
	LevelTrace
	LevelDebug
	LevelInfo
	LevelWarn
	LevelError
	LevelFatal
)

// String is the level's name in a record's JSON; empty for [LevelUnknown].
func (l Level) String() string {
	switch l {
	case LevelTrace:
		return "trace"
	case LevelDebug:
		return "debug"
	case LevelInfo:
		return "info"
	case LevelWarn:
		return "warn"
	case LevelError:
		return "error"
	case LevelFatal:
		return "fatal"
	case LevelUnknown:
	}
	return ""
}

// maxLevelWord is longer than every spelling that ParseLevel knows.
const maxLevelWord = 12

// ParseLevel finds the level that word means, in any case. exact is false where the word says more than the level
// does (notice, critical, INFO+2): whoever replaces the word by the level should then keep it elsewhere.
func ParseLevel(word string) (level Level, exact bool) {
	for i := range len(word) {
		if (word[i] == '+' || word[i] == '-') && i > 0 { // slog writes levels between its own as INFO+2
			if !allDigits(word[i+1:]) {
				return LevelUnknown, false
			}
			level, _ = ParseLevel(word[:i])
			return level, false
		}
	}
	if len(word) > maxLevelWord {
		return LevelUnknown, false
	}
	var lower [maxLevelWord]byte
	for i := range len(word) {
		lower[i] = lowerByte(word[i])
	}
	switch string(lower[:len(word)]) {
	case "trace", "trc", "finest":
		return LevelTrace, true
	case "debug", "dbg", "debu":
		return LevelDebug, true
	case "info", "information", "inf", "informational":
		return LevelInfo, true
	case "warn", "warning", "wrn":
		return LevelWarn, true
	case "error", "err", "eror":
		return LevelError, true
	case "fatal", "ftl":
		return LevelFatal, true
	case "verbose", "finer":
		return LevelTrace, false
	case "fine", "config":
		return LevelDebug, false
	case "notice", "log", "success":
		return LevelInfo, false
	case "severe":
		return LevelError, false
	case "critical", "crit", "panic", "dpanic", "alert", "emerg", "emergency":
		return LevelFatal, false
	}
	return LevelUnknown, false
}

// numericLevel reads the levels of pino and bunyan (10 trace to 60 fatal), and below 8 those of syslog and GELF.
func numericLevel(n int) (level Level, exact bool) {
	switch {
	case n < 0 || n > 100:
		return LevelUnknown, false
	case n < 8:
		return syslogLevel(n), false
	case n < 10:
		return LevelUnknown, false
	}
	return Level(min(n/10, int(LevelFatal))), n%10 == 0 && n <= 60
}

// syslogLevel maps the severities of RFC 5424.
func syslogLevel(severity int) Level {
	switch severity & 7 {
	case 0, 1, 2: // emergency, alert, critical
		return LevelFatal
	case 3:
		return LevelError
	case 4:
		return LevelWarn
	case 5, 6: // notice, informational
		return LevelInfo
	}
	return LevelDebug
}

func lowerByte(b byte) byte {
	if 'A' <= b && b <= 'Z' {
		return b + 'a' - 'A'
	}
	return b
}

func isDigit(b byte) bool { return '0' <= b && b <= '9' }

func allDigits(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return s != ""
}
