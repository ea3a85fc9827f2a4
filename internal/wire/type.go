package wire

import "strconv"

// typeNames are the JSON names of the types, from TypeConnect on.
var typeNames = [...]string{
	"connect", "connected", "subscribe", "subscribed", "unsubscribe", "unsubscribed", "publish", "published",
	"message", "position", "gap", "call", "reply", "progress", "credit", "cancel", "error", "ping", "pong", "goodbye",
	"history", "page", "serve", "served", "unserve", "unserved", "presence", "members",
}

// String is the type as it stands in JSON.
func (t Type) String() string {
	if !t.known() {
		return "type " + strconv.Itoa(int(t))
	}
	return typeNames[t-TypeConnect]
}

func (t Type) known() bool { return TypeConnect <= t && t <= TypeMembers }

// typeNamed finds the type of that JSON name.
func typeNamed(name []byte) (Type, bool) {
	for i, known := range typeNames {
		if string(name) == known {
			return TypeConnect + Type(i), true
		}
	}
	return 0, false
}
