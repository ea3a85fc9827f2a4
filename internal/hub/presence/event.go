package presence

import "encoding/json"

const (
	// maxNamed is how many a message names of those who have come, and of those who have gone, in a large channel.
	maxNamed = 100
	// maxNamedBytes bounds what those who come say of themselves in such a message.
	maxNamedBytes = 32 << 10
)

// memberMessage tells that a member joined or left.
type memberMessage struct {
	Event     string          `json:"event,omitempty"` // join or leave; none in a list
	UserID    string          `json:"userId"`
	SessionID string          `json:"sessionId"`
	Device    string          `json:"device,omitempty"`
	NodeID    string          `json:"nodeId"`
	Timestamp int64           `json:"timestamp,omitempty"` // milliseconds since 1970
	Info      json.RawMessage `json:"info,omitempty"`
}

// countMessage tells of a large channel how many members it has, and of some who have come and gone.
type countMessage struct {
	Event     string          `json:"event"`
	Count     int             `json:"count"`
	Joined    []memberMessage `json:"joined"`
	Left      []memberMessage `json:"left"`
	Timestamp int64           `json:"timestamp"`

	infos int // bytes
}

// onlineMessage tells that a user came online or went.
type onlineMessage struct {
	Event     string `json:"event"`
	UserID    string `json:"userId"`
	SessionID string `json:"sessionId"`
	NodeID    string `json:"nodeId"`
	Timestamp int64  `json:"timestamp"`
}

func messageOf(member *row) memberMessage {
	e := memberMessage{
		UserID: member.who.UserID, SessionID: string(member.id), Device: member.who.Device(), NodeID: member.lease.Node,
	}
	if member.info != nil && member.is(here) {
		e.Info = json.RawMessage(*member.info)
	}
	return e
}

// singleMessage tells of one member that it is here or not.
func singleMessage(member *row, at int64) *memberMessage {
	e := messageOf(member)
	e.Event, e.Timestamp = "leave", at
	if member.is(here) {
		e.Event = "join"
	}
	return &e
}

// tell counts a member that has come or gone, and names it while there is room.
func (e *countMessage) tell(member *row) {
	list := &e.Left
	if e.Count--; member.is(here) {
		e.Count += 2
		list = &e.Joined
	}
	if len(*list) == maxNamed {
		return
	}
	m := messageOf(member)
	if e.infos += len(m.Info); e.infos > maxNamedBytes {
		e.infos -= len(m.Info)
		return
	}
	*list = append(*list, m)
}

// MarshalJSON writes lists of nobody as empty lists.
func (e *countMessage) MarshalJSON() ([]byte, error) {
	type plain countMessage
	p := plain(*e)
	if p.Joined == nil {
		p.Joined = []memberMessage{}
	}
	if p.Left == nil {
		p.Left = []memberMessage{}
	}
	return json.Marshal(p)
}

// encode writes messages as JSON.
func encode(messages []any) [][]byte {
	all := make([][]byte, len(messages))
	for i, m := range messages {
		all[i], _ = json.Marshal(m) // what members say of themselves was found valid when it came in
	}
	return all
}
