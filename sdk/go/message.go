package magpieclient

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// Position names a place in a channel: an offset in the numbering that the epoch names. The zero value names none.
type Position struct {
	Epoch  string `json:"epoch"`
	Offset uint64 `json:"offset"`
}

// String shows the position as EPOCH:OFFSET, which [ParsePosition] reads.
func (p Position) String() string { return fmt.Sprintf("%s:%d", p.Epoch, p.Offset) }

// ParsePosition reads what [Position.String] wrote.
func ParsePosition(s string) (Position, error) {
	epoch, digits, found := strings.Cut(s, ":")
	if !found || epoch == "" {
		return Position{}, fmt.Errorf("position %q: expected EPOCH:OFFSET, such as k3:41", s)
	}
	offset, err := parseOffset(digits)
	if err != nil {
		return Position{}, fmt.Errorf("position %q: %w", s, err)
	}
	return Position{Epoch: epoch, Offset: offset}, nil
}

func positionOf(p wire.Position) Position {
	return Position{Epoch: string(p.Epoch), Offset: uint64(p.Offset)}
}

// PayloadKind says what a payload is.
type PayloadKind uint8

// The kinds of payload.
const (
	PayloadNone  PayloadKind = iota // nothing
	PayloadJSON                     // a JSON value, its bytes as they were sent
	PayloadText                     // UTF-8 text
	PayloadBytes                    // any bytes
)

// Payload is what a message or a call carries.
type Payload struct {
	Kind  PayloadKind
	Bytes []byte
}

// JSON is the payload of a value that is JSON already.
func JSON(raw []byte) Payload { return Payload{Kind: PayloadJSON, Bytes: raw} }

// Text is the payload of a text.
func Text(s string) Payload { return Payload{Kind: PayloadText, Bytes: []byte(s)} }

// Bytes is the payload of anything.
func Bytes(b []byte) Payload { return Payload{Kind: PayloadBytes, Bytes: b} }

// Value is the payload of a Go value, as JSON.
func Value(v any) (Payload, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return Payload{}, fmt.Errorf("payload: %w", err)
	}
	return JSON(raw), nil
}

// Unmarshal reads a JSON payload into v.
func (p Payload) Unmarshal(v any) error {
	if p.Kind != PayloadJSON {
		return errors.New("payload: not JSON; take its Bytes as they are")
	}
	return json.Unmarshal(p.Bytes, v)
}

// wire copies the payload: a publish that was given up may still wait to be written.
func (p Payload) wire() wire.Payload {
	data := bytes.Clone(p.Bytes)
	switch p.Kind {
	case PayloadJSON:
		return wire.Payload{Kind: wire.PayloadJSON, Bytes: data}
	case PayloadText:
		return wire.Payload{Kind: wire.PayloadText, Bytes: data}
	case PayloadBytes:
		return wire.Payload{Kind: wire.PayloadBytes, Bytes: data}
	case PayloadNone:
	}
	return wire.Payload{}
}

// payloadOf copies a payload out of the decoder's memory.
func payloadOf(p wire.Payload) Payload {
	data := bytes.Clone(p.Bytes)
	switch p.Kind {
	case wire.PayloadJSON:
		return Payload{PayloadJSON, data}
	case wire.PayloadText:
		return Payload{PayloadText, data}
	case wire.PayloadBytes:
		return Payload{PayloadBytes, data}
	case wire.PayloadNone:
	}
	return Payload{}
}

// Event is what a subscription meets next: a [*Message] or a [*Gap].
type Event interface{ event() }

// Message is one entry of a channel. It is the receiver's to keep.
type Message struct {
	Channel   string
	Position  Position // of this message: a subscription that starts At it continues with the next
	ID        string   // among those of its publisher
	Key       string
	Publisher string // the authenticated user, stamped by the gateway
	Time      time.Time
	Tags      map[string]string
	Meta      map[string]string
	Payload   Payload
}

func (*Message) event() {}

// The reasons of a gap.
const (
	GapRetention   = wire.GapRetention  // the entries are no longer kept
	GapEpoch       = wire.GapEpoch      // the position was of another numbering
	GapBeyondTail  = wire.GapBeyondTail // the position has not been reached by this numbering
	GapDamage      = wire.GapDamage     // the gateway's disk could not give the entries back
	GapUnexplained = "unexplained"      // the gateway skipped offsets and did not say why: a fault of the gateway
)

// Gap tells that entries of the channel will not be delivered. A consumer that keeps a state of its own reloads it.
type Gap struct {
	Channel    string
	Epoch      string
	FromOffset uint64 // the first entry that is missing
	ToOffset   uint64 // the last one
	Reason     string
}

func (*Gap) event() {}

// pairsOf orders the entries by name, so that the same map is always the same bytes.
func pairsOf(m map[string]string) wire.Pairs {
	if len(m) == 0 {
		return nil
	}
	pairs := make(wire.Pairs, 0, len(m))
	for k, v := range m {
		pairs = append(pairs, wire.Pair{Key: k, Value: v})
	}
	slices.SortFunc(pairs, func(a, b wire.Pair) int { return strings.Compare(a.Key, b.Key) })
	return pairs
}

func mapOf(pairs wire.Pairs) map[string]string {
	if len(pairs) == 0 {
		return nil
	}
	m := make(map[string]string, len(pairs))
	for _, p := range pairs {
		m[p.Key] = p.Value
	}
	return m
}
