package auth

import (
	"strings"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// Method is how somebody was authenticated.
type Method uint8

// The methods. The zero value is that of the gateway itself, which shows no credential.
const (
	MethodInternal Method = iota
	MethodJWT
	MethodAPIKey
	MethodDevelopment
	MethodEmbedded // the embedding program said who it is
)

// UserChannelPrefix begins the name of each user's own channel, user.<id>.
const UserChannelPrefix = "user."

// Principal is who a session acts for. It is immutable once an [Authenticator] has returned it, but for what its rights
// grant ([Rights.Become]), and shared by all sessions of the same credential.
type Principal struct {
	UserID  string
	Rights  Rights
	Expires int64  // milliseconds since 1970, leeway included; 0: never
	Token   *Token // nil where the credential says nothing of it
	Method  Method
}

// Token is what a credential says beside its user. It stands apart because most say nothing, and every line has a
// principal.
type Token struct {
	DeviceID string // empty where the credential does not name one
	ID       string // the token's jti, or the name of the API key
}

// Device names the device that the principal speaks from, where that is known.
func (p *Principal) Device() string {
	if p.Token == nil {
		return ""
	}
	return p.Token.DeviceID
}

// OnDevice returns the principal with a device that its credential does not name. One that it names stays.
func (p *Principal) OnDevice(device string) *Principal {
	if p.Device() != "" {
		return p
	}
	there := *p
	there.Token = &Token{DeviceID: device}
	if p.Token != nil {
		there.Token.ID = p.Token.ID
	}
	return &there
}

// May reports whether the principal may do action on the channel or, for a call, on the method called name. It returns
// nil or a permission_denied [wire.Error] that says what is missing.
//
// A name with wildcards is allowed where every name it stands for is. The name must have passed its own check before.
func (p *Principal) May(action Action, name wire.ChannelName) error {
	if action == Publish && isSystem(string(name)) {
		return wire.Errorf(wire.CodePermissionDenied,
			"channel %q is the gateway's own: clients cannot publish to names that begin with %q; choose another name", name, wire.SystemPrefix)
	}
	if action == Serve && (isSystem(string(name)) || strings.HasPrefix(string(name), wire.OwnMethods)) {
		return wire.Errorf(wire.CodePermissionDenied,
			"method %q is the gateway's own: clients cannot serve names that begin with %q or %q; choose another name", name, wire.OwnMethods, wire.SystemPrefix)
	}
	if (action == Subscribe || action == Presence) && p.owns(name) || p.Rights.allow(action, string(name)) {
		return nil
	}
	return p.denied(action, name)
}

// Has reports whether May returns nil. It costs less where that is not so.
func (p *Principal) Has(action Action, name wire.ChannelName) bool {
	switch system := isSystem(string(name)); {
	case action == Publish && system, action == Serve && (system || strings.HasPrefix(string(name), wire.OwnMethods)):
		return false
	}
	return (action == Subscribe || action == Presence) && p.owns(name) || p.Rights.allow(action, string(name))
}

// owns reports whether name is the principal's own channel. A user id that is no channel word, such as "*", owns none.
func (p *Principal) owns(name wire.ChannelName) bool {
	id, ok := strings.CutPrefix(string(name), UserChannelPrefix)
	return ok && id == p.UserID && name.Check() == nil
}

func (p *Principal) denied(action Action, name wire.ChannelName) error {
	remedy := "grant it in the rights of the credential"
	switch p.Method {
	case MethodInternal, MethodDevelopment, MethodEmbedded:
	case MethodJWT:
		remedy = "issue a token whose claim magpie." + action.String() + " covers it, or widen auth.default_rights." + action.String()
	case MethodAPIKey:
		remedy = "add a pattern that covers it to " + action.String() + " of this key in auth.api_keys"
	}
	if isSystem(string(name)) {
		remedy += " (names that begin with \"sys.\" must be granted by a pattern that begins so)"
	}
	what := "channel"
	switch action { //nolint:exhaustive // the rest is about channels
	case Call, Serve:
		what = "method"
	case Reach:
		what = "target"
	}
	verb := action.String()
	if action == Presence {
		verb = "see the presence of"
	}
	return wire.Errorf(wire.CodePermissionDenied, "user %q has no right to %s %s %q: %s", p.UserID, verb, what, name, remedy)
}

func isSystem(name string) bool {
	return strings.HasPrefix(name, wire.SystemPrefix) || name == strings.TrimSuffix(wire.SystemPrefix, ".")
}
