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
		if c.Filter != "" {
			dst = appendQuoted(append(dst, `,"filter":`...), c.Filter)
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
	case Batch:
		return m.batch(dst, c)
	}
	return dst
}

func (m *magpie) batch(dst []byte, c Command) []byte {
	dst = strconv.AppendUint(append(dst, `{"type":"publish","requestId":"`...), c.Sequence, 10)
	dst = append(appendChannel(append(dst, `","channel":"`...), c.Channel), `","messages":[`...)
	for i, r := range c.Records {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, `{"tags":`...), r.Tags...), `,"data":`...)
		dst = append(append(dst, r.Data...), '}')
	}
	return append(dst, "]}"...)
}

// appendQuoted appends a JSON string. Filters have quotes and backslashes, and nothing else that must be escaped.
func appendQuoted(dst []byte, text string) []byte {
	dst = append(dst, '"')
	for i := range len(text) {
		if text[i] == '"' || text[i] == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, text[i])
	}
	return append(dst, '"')
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
	magpiePosition   = `{"type":"position",`
	magpieFailed     = `{"error":{` // a result of a batch
)

func (m *magpie) Parse(events []Event, message []byte) []Event {
	switch {
	case hasPrefix(message, magpieMessage):
		rest := message[len(magpieMessage):]
		offset, prev := magpieOffset(rest)
		return append(events, Event{Kind: Message, Offset: offset, Prev: prev, Payload: m.payload(message)})
	case hasPrefix(message, magpiePosition):
		return append(events, Event{Kind: Moved, Offset: number(message, `"offset":`)})
	case hasPrefix(message, magpieReply):
		return append(events, Event{Kind: Message, Sequence: digits(message[len(magpieReply):]), Payload: m.payload(message)})
	case hasPrefix(message, magpieCall):
		return append(events, Event{Kind: Called, ID: quoted(message, `"requestId":"`), Payload: m.payload(message)})
	case hasPrefix(message, magpieServed):
		return append(events, Event{Kind: Ack})
	case hasPrefix(message, magpiePublished) && bytes.Contains(message, []byte(magpieFailed)):
		return append(events, Event{Kind: Refused, Reason: excerpt(message)})
	case hasPrefix(message, magpiePublished):
		sequence := digits(message[len(magpiePublished):])
		return append(events, Event{Kind: Message, Sequence: sequence, Offset: number(message, `"offset":`)})
	case hasPrefix(message, magpieSubscribed):
		place := Place{Epoch: string(quoted(message, `"epoch":"`)), Offset: number(message, `"offset":`)}
		return append(events, Event{Kind: Ack, Place: place})
	case hasPrefix(message, magpieGap):
		gap := Gap{From: number(message, `"fromOffset":`), To: number(message, `"toOffset":`)}
		return append(events, Event{Kind: Refused, Reason: excerpt(message), Gap: gap})
	case hasPrefix(message, magpieError), hasPrefix(message, magpieGoodbye):
		return append(events, Event{Kind: Refused, Reason: excerpt(message)})
	}
	return events // connected, what was published without a requestId, and what is not for this tool
}

// payload is the text before the two bytes that end the frame, or three with a record.
func (m *magpie) payload(message []byte) []byte {
	end := len(message) - len(`"}`)
	if m.opts.Records {
		end--
	}
	if end < m.opts.Payload {
		return nil
	}
	return message[end-m.opts.Payload : end]
}

// magpieOffset reads the offset that follows the channel's name, and the prev that may follow it; 0 for what is not there.
func magpieOffset(rest []byte) (offset, prev uint64) {
	const mark, further = `,"offset":`, `,"prev":`
	i := bytes.IndexByte(rest, '"')
	if i < 0 || !hasPrefix(rest[i+1:], mark) {
		return 0, 0
	}
	rest = rest[i+1+len(mark):]
	offset = digits(rest)
	if i = bytes.IndexByte(rest, ','); i >= 0 && hasPrefix(rest[i:], further) {
		prev = digits(rest[i+len(further):])
	}
	return offset, prev
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
