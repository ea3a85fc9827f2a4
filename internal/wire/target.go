package wire

import "strings"

// The bounds of who may be asked, and of who answers.
const (
	// MaxTargetBytes bounds a target: a user's id and its prefix, a session's or a channel's name and theirs.
	MaxTargetBytes = 280
	// DefaultConcurrency is how many calls of a method a session takes at a time that does not say.
	DefaultConcurrency = 64
	// MaxConcurrency is the most that it may say.
	MaxConcurrency = 10_000
)

// The forms of Call.Answers.
const (
	AnswersFirst = "first"
	AnswersAll   = "all"
)

// TargetKind says who is to answer a call.
type TargetKind uint8

// The kinds of targets.
const (
	TargetService TargetKind = iota // whoever serves the method
	TargetUser                      // the sessions of a user
	TargetSession                   // one session
	TargetChannel                   // the sessions that have subscribed a channel
)

// targetPrefixes are the prefixes of Call.To, by kind.
var targetPrefixes = [...]string{TargetUser: "user:", TargetSession: "session:", TargetChannel: "channel:"}

// Target is who is to answer a call.
type Target struct {
	Kind   TargetKind
	Name   string // of the user, the session or the channel
	Device string // of the user; empty: any
	All    bool   // the answers of all are gathered; otherwise the first one counts
}

// Target reads who is to answer the call. Its error is an invalid_argument [Error].
func (b *Call) Target() (Target, error) {
	t := Target{Device: b.Device, All: b.Answers == AnswersAll}
	if b.To != "" {
		for kind, prefix := range targetPrefixes {
			if name, ok := strings.CutPrefix(b.To, prefix); ok && prefix != "" && name != "" {
				t.Kind, t.Name = TargetKind(kind), name
			}
		}
		if t.Kind == TargetService {
			return t, Errorf(CodeInvalidArgument, "to is %s: expected user:<id>, session:<id> or channel:<name>, or none for whoever serves the method", quoted(b.To))
		}
	}
	switch {
	case t.Device != "" && t.Kind != TargetUser:
		return t, Errorf(CodeInvalidArgument, `device goes with "to":"user:<id>" only`)
	case t.All && t.Kind != TargetUser && t.Kind != TargetChannel:
		return t, Errorf(CodeInvalidArgument, `"answers":"all" goes with "to":"user:<id>" or "to":"channel:<name>" only`)
	case t.Kind != TargetChannel:
		return t, nil
	case b.Answers == AnswersFirst:
		return t, Errorf(CodeInvalidArgument, `the members of a channel are all asked: leave out "answers":"first"`)
	}
	t.All = true
	return t, ChannelName(t.Name).Check()
}
