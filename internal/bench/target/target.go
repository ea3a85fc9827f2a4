// Package target speaks the protocols of the servers that the load tool can measure. A target turns a command into a
// message and a message into events; lines and counting are somebody else's.
//
//	target.go      the interface and the list of targets
//	magpie.go      Magpie, in JSON
//	nats.go        NATS over WebSocket
//	socketio.go    Socket.IO 4 with bench/socketio/server.mjs
//	centrifugo.go  Centrifugo, in JSON
//	limit.go       bench/limit: no protocol at all
//	grpc.go        bench/grpcrelay, by gRPC streams
package target

import (
	"fmt"
	"strconv"
	"strings"
)

// Kind is what a command asks for.
type Kind int

// The kinds of commands. Connect, Subscribe, Listen, Prepare, Attend and Serve are steps: a target that says something for one of them
// acknowledges it by an event [Ack].
const (
	Connect   Kind = iota // the first words of a line
	Subscribe             // to Channel; After says from where on
	Listen                // be ready for the answers to Echo
	Publish               // Payload to Channel; not acknowledged
	Prepare               // be ready for the answers to Store
	Store                 // Payload to Channel, acknowledged as stored: an event Message with its Sequence
	Echo                  // send Payload and get it back, as an event Message
	Attend                // be ready for the answers to Call
	Serve                 // take calls of Method, each an event Called
	Call                  // Method with Payload, to whoever serves it; what comes back is an event Message with its Sequence
	Answer                // the call that ID names, with Payload
	Batch                 // Records to Channel, acknowledged together: an event Message with the Sequence, and the first Offset
	Pong                  // answer an event Ping
)

// Method is what is served and called. It is not among the channels, which some servers store.
const Method = "pricing.quote"

// Concurrency is how many calls a line that serves takes at once.
const Concurrency = 10_000

// Command is something a line is to say.
type Command struct {
	Kind     Kind
	Line     int    // which line says it
	Channel  int    // for Subscribe, Publish and Store
	Sequence uint64 // for Store, Call and Batch: counts those of the line, from 1 on
	ID       []byte // for Answer: that of the event Called
	Payload  []byte // where something is sent: letters and digits alone, and of the length that the target was made for
	After    Place  // for Subscribe: the last message seen, where the server can resume
	Filter   string // for Subscribe: what is wanted of the channel, in the language of docs/guides/filters.md; empty: all
	Records  []Record
}

// Record is a log record that is published.
type Record struct {
	Tags []byte // a JSON object
	Data []byte // a JSON object whose last member is a text; it ends with the payload of the event Message
}

// Place is a position in a channel, for servers that have positions.
type Place struct {
	Epoch  string // empty: there is none, begin with what comes
	Offset uint64
}

// Event is something that a message of the server says.
type Event struct {
	Kind     EventKind
	Payload  []byte // of Message and Called; valid as long as the message it came in
	Offset   uint64 // of Message, where the server numbers: consecutive in each channel
	Prev     uint64 // of Message that is not the next of the channel: where the server says that the line was before
	Sequence uint64 // of Message that acknowledges a Store or a Batch, or answers a Call: that of the command, where the server returns it
	ID       []byte // of Called: what the answer has to name; valid as long as the message it came in
	Place    Place  // of Ack of a subscription, where the server has positions
	Reason   string // of Refused
	Gap      Gap    // of Refused, where the server says what it cannot deliver
}

// Gap is a run of offsets; From is 0 when there is none.
type Gap struct{ From, To uint64 }

// EventKind is what an event means.
type EventKind int

// The kinds of events.
const (
	Ack     EventKind = iota // the step is done
	Message                  // a published message, or the answer to an echo, a store or a call
	Called                   // a call, for a line that serves
	Moved                    // the line is at Offset now, and what is before it was not for it
	Ping                     // the server wants a sign of life
	Refused                  // the server says that something went wrong
)

// Target is one server's protocol. It is for one goroutine.
type Target interface {
	// Upgrade is how lines are opened.
	Upgrade() Upgrade
	// Append appends the message for a command; nothing when there is nothing to say.
	Append(dst []byte, c Command) []byte
	// Parse appends what a message of the server says.
	Parse(events []Event, message []byte) []Event
}

// Upgrade is how a target's lines are opened.
type Upgrade struct {
	Path   string
	Header string // further lines of the request, each ended by CRLF
	Binary bool   // messages are binary
	GRPC   bool   // lines are gRPC streams instead, and Path is the method
}

// Options are what a target may need to know.
type Options struct {
	Payload int    // the length of every payload
	Token   string // the credential, where the server wants one
	Path    string // of the request; empty: the server's usual one
	Records bool   // what is published are records, and not the payloads alone
}

// Names lists the targets.
func Names() []string { return []string{"magpie", "nats", "socketio", "centrifugo", "limit", "grpc"} }

// New returns the target of a name.
func New(name string, o Options) (Target, error) {
	switch name {
	case "magpie":
		return &magpie{opts: o}, nil
	case "nats":
		return &nats{opts: o}, nil
	case "socketio":
		return &socketIO{opts: o}, nil
	case "centrifugo":
		return &centrifugo{opts: o}, nil
	case "limit":
		return &limit{magpie{opts: o}}, nil
	case "grpc":
		return &grpc{opts: o, method: []byte(Method)}, nil
	}
	return nil, fmt.Errorf("there is no target %q: choose one of %s", name, strings.Join(Names(), ", "))
}

// DefaultPort is where the server of a target usually listens for lines.
func DefaultPort(name string) int {
	switch name {
	case "nats":
		return 8081 // there is no usual one; the same as in scripts/bench-peers
	case "socketio":
		return 3000
	case "centrifugo":
		return 8000
	case "limit":
		return 8082
	case "grpc":
		return 8083
	default:
		return 8080
	}
}

// appendChannel appends a channel's name. It is the same length for every target, and valid in all of them.
func appendChannel(dst []byte, channel int) []byte {
	return strconv.AppendInt(append(dst, "bench."...), int64(channel), 10)
}

func pathOr(path, usual string) string {
	if path != "" {
		return path
	}
	return usual
}

// excerpt is as much of a message as an error should show.
func excerpt(message []byte) string {
	const room = 200
	return string(message[:min(len(message), room)])
}
