package wire

import (
	"fmt"
	"strings"
)

// ChannelName names a channel: dot-separated words of letters, digits, '_' and '-'. See [ChannelName.Check].
type ChannelName string

// Offset counts the entries of a channel's log. The first entry is 1; 0 stands before it.
type Offset uint64

// Epoch names a numbering of a channel's log. Epoch and offset together never name two different messages.
type Epoch string

// SessionID names one client's session on one node.
type SessionID string

// MaxOffset keeps offsets exact in the numbers of JavaScript and of many JSON parsers (2^53 - 1).
const MaxOffset Offset = 1<<53 - 1

// The limits of names and identifiers, in bytes. They bound what a session, a subscription and a log entry can
// cost, and keep every name fit for a log line and a metric label.
const (
	MaxChannelBytes   = 255
	MaxRequestIDBytes = 64
	MaxMessageIDBytes = 128
	MaxKeyBytes       = 255
	MaxMethodBytes    = 255
	MaxPairs          = 32   // tags, or meta entries, of one frame
	MaxPairKeyBytes   = 64   // a tag's name
	MaxPairValueBytes = 1024 // a tag's value
	MaxInfoBytes      = 1024 // what a member says of itself
)

// SystemPrefix begins the names of the gateway's own channels and methods, which clients cannot publish to.
const SystemPrefix = "sys."

// OwnMethods begins the names of the methods that the gateway itself answers.
const OwnMethods = "magpie."

// The wildcards of patterns.
const (
	AnyWord = "*" // one word
	AnyRest = ">" // one word or more, at the end
)

// IsPattern reports whether the name has wildcards, rightly or not: no channel is called so.
func (c ChannelName) IsPattern() bool { return strings.ContainsAny(string(c), AnyWord+AnyRest) }

// Check reports, as an invalid_argument [Error], what keeps the name from being that of a channel.
func (c ChannelName) Check() error { return checkName("channel", string(c), MaxChannelBytes) }

// CheckMethod reports, as an invalid_argument [Error], what keeps the name from being that of a method.
// Methods are named like channels.
func CheckMethod(name string) error { return checkName("method", name, MaxMethodBytes) }

func checkName(what, name string, limit int) error {
	if name == "" {
		return Errorf(CodeInvalidArgument, "%s is missing: expected words of letters, digits, '_' and '-' with dots between them, such as order.update", what)
	}
	if len(name) > limit {
		return Errorf(CodeInvalidArgument, "%s has %d bytes: at most %d are allowed", what, len(name), limit)
	}
	word := 0
	for i := range len(name) {
		switch b := name[i]; {
		case b == '.':
			if word == 0 {
				return Errorf(CodeInvalidArgument, "%s %s has an empty word at byte %d: expected words with single dots between them", what, quoted(name), i)
			}
			word = 0
		case isNameByte(b):
			word++
		default:
			return Errorf(CodeInvalidArgument, "%s %s has %s at byte %d: expected letters, digits, '_', '-' and dots", what, quoted(name), quoted(name[i:i+1]), i)
		}
	}
	if word == 0 {
		return Errorf(CodeInvalidArgument, "%s %s ends with a dot: expected a word after it", what, quoted(name))
	}
	return nil
}

func isNameByte(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || b == '_' || b == '-'
}

// quoted shows client input inside an error message: escaped, and no longer than a line.
func quoted(s string) string {
	const shown = 80
	if len(s) > shown {
		return fmt.Sprintf("%+q...", s[:shown])
	}
	return fmt.Sprintf("%+q", s)
}
