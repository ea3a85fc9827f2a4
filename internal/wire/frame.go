package wire

import (
	"bytes"
	"slices"
	"strings"
)

// Type is a frame's type. Its value is the number of the body's field in the Protobuf Frame, its String the JSON
// "type".
type Type uint8

// The frame types, in the order of frame.proto.
const (
	TypeConnect Type = iota + 10
	TypeConnected
	TypeSubscribe
	TypeSubscribed
	TypeUnsubscribe
	TypeUnsubscribed
	TypePublish
	TypePublished
	TypeMessage
	TypePosition
	TypeGap
	TypeCall
	TypeReply
	TypeProgress
	TypeCredit
	TypeCancel
	TypeError
	TypePing
	TypePong
	TypeGoodbye
	TypeHistory
	TypePage
	TypeServe
	TypeServed
	TypeUnserve
	TypeUnserved
	TypePresence
	TypeMembers
)

// Frame is one frame of either direction.
type Frame struct {
	RequestID string // at most MaxRequestIDBytes; empty where nothing is asked or answered
	Body      Body
}

// Body is what a frame says: a pointer to one of the frame structs of this package.
type Body interface {
	Type() Type
	// fields shows each field of the frame to c, in canonical order. It is the only description of the frame:
	// JSON and Protobuf, encoding and decoding are four implementations of coder.
	fields(c coder)
}

// Position names a place in a channel.
type Position struct {
	Epoch  Epoch
	Offset Offset
}

// StartKind is the form in which a subscription's start was given.
type StartKind uint8

// The forms of a start.
const (
	StartNow      StartKind = iota // from was absent
	StartPosition                  // {epoch, offset}
	StartOffset                    // {offset}
	StartLast                      // {last}
	StartTime                      // {time}
)

// Start says where a subscription or a page begins. The zero value is "from now", and for a page its nearest end.
type Start struct {
	Kind   StartKind
	Epoch  Epoch  // StartPosition
	Offset Offset // StartPosition, StartOffset: the last offset seen
	Last   uint64 // StartLast: how many of the newest messages come first
	Time   int64  // StartTime: milliseconds since 1970
}

// PayloadKind says how a payload was given.
type PayloadKind uint8

// The kinds of payload.
const (
	PayloadNone  PayloadKind = iota
	PayloadJSON              // a JSON value, its bytes untouched
	PayloadText              // UTF-8
	PayloadBytes             // anything
)

// Payload is what a message or a call carries. Bytes of a decoded payload alias the decoder's input, or the decoder
// where the input had to be unescaped: they are valid until its next frame.
type Payload struct {
	Kind  PayloadKind
	Bytes []byte
}

// Clone returns a copy that shares nothing with p.
func (p Payload) Clone() Payload { return Payload{Kind: p.Kind, Bytes: bytes.Clone(p.Bytes)} }

// empty reports a payload that cannot be written: JSON has no value of no bytes.
func (p *Payload) empty() bool { return p.Kind == PayloadJSON && len(p.Bytes) == 0 }

// Pair is one entry of tags or meta.
type Pair struct{ Key, Value string }

// Pairs are string-to-string entries in the order given; a key stands once.
type Pairs []Pair

// Clone returns a copy that shares nothing with p, whose strings may be those of a frame.
func (p Pairs) Clone() Pairs {
	clone := slices.Clone(p)
	for i := range clone {
		clone[i] = Pair{Key: strings.Clone(clone[i].Key), Value: strings.Clone(clone[i].Value)}
	}
	return clone
}

// Connect is the first frame of a session.
type Connect struct {
	Token         string
	Resume        *Resume
	ClientName    string
	ClientVersion string
	Device        string
}

// Resume brings back a session whose line broke.
type Resume struct {
	Token     string
	Positions []ChannelPosition
}

// ChannelPosition is a client's own position in one channel.
type ChannelPosition struct {
	Channel  ChannelName
	Position Position
}

// Connected answers Connect.
type Connected struct {
	SessionID         SessionID
	ResumeToken       string
	UserID            string
	NodeID            string
	Resumed           bool
	ServerTime        int64 // milliseconds since 1970
	ExpiresAt         int64 // milliseconds since 1970; 0: does not expire
	HeartbeatInterval int64 // milliseconds
	HeartbeatTimeout  int64 // milliseconds
	MaxFrameBytes     int64
	MaxSubscriptions  int64
}

// Subscribe opens a cursor over a channel, or moves the one the session has there; or cursors over the channels of a pattern.
type Subscribe struct {
	Channel   ChannelName // or a pattern
	From      Start
	Filter    string
	Positions []ChannelPosition // of channels of the pattern, which do not begin at From
	// ExcludeSelf leaves out what the session itself has published, Conflate all but the newest message of each key.
	ExcludeSelf, Conflate bool

	Info []byte // what the session says of itself to the members, a JSON value; empty: nothing. As a payload's bytes
}

// Subscribed answers Subscribe.
type Subscribed struct {
	Channel   ChannelName
	Position  Position // delivery starts after it
	Tail      Offset   // the newest offset at that time
	Recovered bool
	Pattern   ChannelName // by which the channel has joined; empty: the client named it
}

// Unsubscribe closes a cursor.
type Unsubscribe struct{ Channel ChannelName }

// Unsubscribed tells that a subscription ended; Code is empty when the client asked for it.
type Unsubscribed struct {
	Channel ChannelName
	Code    Code
	Reason  string
}

// Publication is one message on its way in.
type Publication struct {
	MessageID string
	Key       string
	Tags      Pairs
	Meta      Pairs
	Payload   Payload
}

// Publish appends one message, or several in order, to a channel.
type Publish struct {
	Channel     ChannelName
	Publication               // the single message; zero when Messages is set
	Messages    []Publication // the batch
	Origin      uint64        // the session that publishes; stamped by the gateway, and on no wire
}

// Published answers Publish.
type Published struct {
	PublishResult                 // of a single message
	Results       []PublishResult // of a batch, in its order
}

// PublishResult tells where a message stands, or why it was refused.
type PublishResult struct {
	Position  Position
	Duplicate bool
	Err       *Error // in a batch only
}

// Message is one entry of a channel's log.
type Message struct {
	Channel   ChannelName
	Offset    Offset
	Prev      Offset // the offset delivered before, where entries were skipped; else 0
	MessageID string
	Key       string
	Publisher string
	Timestamp int64 // milliseconds since 1970
	Tags      Pairs
	Meta      Pairs
	Payload   Payload
}

// PositionUpdate moves the client's position along where entries were skipped.
type PositionUpdate struct {
	Channel  ChannelName
	Position Position
}

// The reasons of a gap.
const (
	GapRetention  = "retention"   // the entries are no longer kept
	GapEpoch      = "epoch"       // the position was of another numbering
	GapBeyondTail = "beyond_tail" // the position has not been reached by this numbering
	GapDamage     = "damage"      // the store could not read the entries any more
)

// Gap tells that entries cannot be delivered any more.
type Gap struct {
	Channel    ChannelName
	Epoch      Epoch
	FromOffset Offset
	ToOffset   Offset
	Reason     string
}

// History asks for a page of what a channel keeps.
type History struct {
	Channel ChannelName
	From    Start // the page begins behind it or, in reverse, before it
	Limit   int64 // of messages; 0 means DefaultPage
	Reverse bool  // the newest first
}

// Page answers History. Its messages and its gap name no channel.
type Page struct {
	Channel  ChannelName
	Epoch    Epoch
	Head     Offset // the oldest offset kept; Tail+1 when nothing is
	Tail     Offset // the newest offset
	Gap      *Gap   // what is missing before the first message, in the order asked for; or nil
	Messages []Message
	Next     *Position // where to go on; nil at the end
}

// Serve has calls of a method brought to this session.
type Serve struct {
	Method      string
	Concurrency int64 // calls at a time; 0 means DefaultConcurrency
}

// Served answers Serve.
type Served struct{ Method string }

// Unserve ends that.
type Unserve struct{ Method string }

// Unserved tells that no more calls of a method will come; Code is empty when the client asked for it.
type Unserved struct {
	Method string
	Code   Code
	Reason string
}

// Call asks a peer to run a method.
type Call struct {
	Method    string
	To        string // see Call.Target
	TimeoutMs int64
	Meta      Pairs
	CallerID  string    // the caller's user; stamped by the gateway
	CallerSID SessionID // the caller's session; stamped by the gateway
	Device    string    // of the user that is asked; empty: any
	Answers   string    // AnswersFirst or AnswersAll; empty: the first
	Payload   Payload
}

// Reply ends a call with its result.
type Reply struct {
	Meta    Pairs
	Asked   int64    // how many were, where the answers of all were wanted
	Answers []Answer // in the order in which they came
	Payload Payload
}

// Clone copies what belongs to a decoder; the answers are no decoder's.
func (r *Reply) Clone() *Reply {
	own := *r
	own.Payload = r.Payload.Clone()
	return &own
}

// Answer is what one of several peers made of a call.
type Answer struct {
	UserID    string
	SessionID SessionID
	Device    string
	Err       *Error // or nil
	Payload   Payload
}

// Progress carries a part of a call's result.
type Progress struct{ Payload Payload }

// Credit allows that many more progress frames.
type Credit struct{ Count int64 }

// Cancel tells the callee that nobody waits any more.
type Cancel struct{}

// Ping asks for a Pong.
type Ping struct{}

// Pong answers Ping.
type Pong struct{}

// Goodbye precedes a close by the gateway.
type Goodbye struct {
	Code         CloseCode
	Reason       string
	RetryAfterMs int64
}
