package target

import (
	"bytes"
	"strconv"
)

// magpie speaks Magpie's JSON (protocol/SPEC.md). It leaves out connect, as a client may whose request said who it is.
type magpie struct {
	opts Options
	id   uint64 // of the last call
}

func (m *magpie) Upgrade() Upgrade {
	u := Upgrade{Path: pathOr(m.opts.Path, "/ws")}
	if m.opts.Token != "" {
		u.Header = "Authorization: Bearer " + m.opts.Token + "\r\n"
	}
	return u
}

func (m *magpie) Append(dst []byte, c Command) []byte {
	switch c.Kind {
	case Connect, Listen, Prepare, Attend, Pong:
		return dst
	case Subscribe:
		dst = append(dst, `{"type":"subscribe","requestId":"s","channel":"`...)
		dst = append(appendChannel(dst, c.Channel), '"')
		if c.After.Epoch != "" {
			dst = append(append(append(dst, `,"from":{"epoch":"`...), c.After.Epoch...), `","offset":`...)
			dst = append(strconv.AppendUint(dst, c.After.Offset, 10), '}')
		}
		return append(dst, '}')
	case Publish:
		dst = appendChannel(append(dst, `{"type":"publish","channel":"`...), c.Channel)
		return append(append(append(dst, `","data":"`...), c.Payload...), `"}`...)
	case Store:
		dst = strconv.AppendUint(append(dst, `{"type":"publish","requestId":"`...), c.Sequence, 10)
		dst = appendChannel(append(dst, `","channel":"`...), c.Channel)
		dst = append(append(dst, `","messageId":"`...), c.Payload[:min(len(c.Payload), runLetters)]...)
		dst = append(strconv.AppendInt(append(dst, '.'), int64(c.Line), 10), '.')
		dst = strconv.AppendUint(dst, c.Sequence, 10)
		return append(append(append(dst, `","data":"`...), c.Payload...), `"}`...)
	case Echo:
		m.id++
		dst = strconv.AppendUint(append(dst, `{"type":"call","requestId":"`...), m.id, 10)
		return append(append(append(dst, `","method":"magpie.echo","data":"`...), c.Payload...), `"}`...)
	case Serve:
		dst = append(dst, `{"type":"serve","requestId":"s","method":"`+Method+`","concurrency":`...)
		return append(strconv.AppendInt(dst, Concurrency, 10), '}')
	case Call:
		dst = strconv.AppendUint(append(dst, `{"type":"call","requestId":"`...), c.Sequence, 10)
		return append(append(append(dst, `","method":"`+Method+`","data":"`...), c.Payload...), `"}`...)
	case Answer:
		dst = append(append(dst, `{"type":"reply","requestId":"`...), c.ID...)
		return append(append(append(dst, `","data":"`...), c.Payload...), `"}`...)
	}
	return dst
}

// runLetters is how many letters a payload begins with that tell one run from another, so that a message of the last run is
// not taken for a repetition.
const runLetters = 8

// The beginnings and marks that Parse looks for. The frames are the gateway's own, so that their order is known; a
// frame that is laid out otherwise would be counted as an error, not overlooked.
const (
	magpieMessage    = `{"type":"message","channel":"`
	magpieReply      = `{"type":"reply","requestId":"`
	magpieCall       = `{"type":"call","requestId":"`
	magpieServed     = `{"type":"served",`
	magpieSubscribed = `{"type":"subscribed",`
	magpiePublished  = `{"type":"published","requestId":"`
	magpieError      = `{"type":"error",`
	magpieGoodbye    = `{"type":"goodbye",`
	magpieGap        = `{"type":"gap",`
)

func (m *magpie) Parse(events []Event, message []byte) []Event {
	switch {
	case hasPrefix(message, magpieMessage):
		rest := message[len(magpieMessage):]
		return append(events, Event{Kind: Message, Offset: magpieOffset(rest), Payload: m.payload(message)})
	case hasPrefix(message, magpieReply):
		return append(events, Event{Kind: Message, Sequence: digits(message[len(magpieReply):]), Payload: m.payload(message)})
	case hasPrefix(message, magpieCall):
		return append(events, Event{Kind: Called, ID: quoted(message, `"requestId":"`), Payload: m.payload(message)})
	case hasPrefix(message, magpieServed):
		return append(events, Event{Kind: Ack})
	case hasPrefix(message, magpiePublished):
		sequence := digits(message[len(magpiePublished):])
		return append(events, Event{Kind: Message, Sequence: sequence, Offset: number(message, `"offset":`)})
	case hasPrefix(message, magpieSubscribed):
		place := Place{Epoch: string(quoted(message, `"epoch":"`)), Offset: number(message, `"offset":`)}
		return append(events, Event{Kind: Ack, Place: place})
	case hasPrefix(message, magpieError), hasPrefix(message, magpieGoodbye), hasPrefix(message, magpieGap):
		return append(events, Event{Kind: Refused, Reason: excerpt(message)})
	}
	return events // connected, what was published without a requestId, and what is not for this tool
}

// payload is the text before the two bytes that end the frame.
func (m *magpie) payload(message []byte) []byte {
	const end = `"}`
	start := len(message) - len(end) - m.opts.Payload
	if start < 0 {
		return nil
	}
	return message[start : len(message)-len(end)]
}

// magpieOffset reads the offset that follows the channel's name; 0 when it is not there.
func magpieOffset(rest []byte) uint64 {
	const mark = `,"offset":`
	i := bytes.IndexByte(rest, '"')
	if i < 0 || !hasPrefix(rest[i+1:], mark) {
		return 0
	}
	return digits(rest[i+1+len(mark):])
}

func hasPrefix(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && string(b[:len(prefix)]) == prefix
}

// digits reads the number at the beginning of b.
func digits(b []byte) (n uint64) {
	for _, c := range b {
		if c < '0' || c > '9' {
			break
		}
		n = n*10 + uint64(c-'0')
	}
	return n
}

// number reads the number behind a mark; 0 when there is none.
func number(b []byte, mark string) uint64 {
	_, rest, _ := bytes.Cut(b, []byte(mark))
	return digits(rest)
}

// quoted is what stands between a mark and the next quotation mark.
func quoted(b []byte, mark string) []byte {
	_, rest, _ := bytes.Cut(b, []byte(mark))
	value, _, _ := bytes.Cut(rest, []byte(`"`))
	return value
}
