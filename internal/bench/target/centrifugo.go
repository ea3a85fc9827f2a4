package target

import (
	"bytes"
	"strconv"
)

// centrifugo speaks the JSON protocol of Centrifugo 4 and later. The server has to allow clients to subscribe and to
// publish to channels without a namespace. An echo is a message that a line publishes to a channel of its own.
type centrifugo struct{ opts Options }

// The ids of the commands whose replies matter; publishes have another.
const (
	centrifugoStep    = `{"id":1,`
	centrifugoPublish = `{"id":2,"publish":{"channel":"`
)

func (c *centrifugo) Upgrade() Upgrade {
	return Upgrade{Path: pathOr(c.opts.Path, "/connection/websocket")}
}

func (c *centrifugo) Append(dst []byte, cmd Command) []byte {
	switch cmd.Kind {
	case Connect:
		dst = append(append(dst, centrifugoStep...), `"connect":{`...)
		if c.opts.Token != "" {
			dst = append(append(append(dst, `"token":"`...), c.opts.Token...), '"')
		}
		return append(dst, "}}"...)
	case Subscribe:
		return c.subscribe(appendChannel(c.begin(dst), cmd.Channel), cmd.After)
	case Listen:
		return c.subscribe(centrifugoEcho(c.begin(dst), cmd.Line), Place{})
	case Publish:
		return centrifugoData(appendChannel(append(dst, centrifugoPublish...), cmd.Channel), cmd.Payload)
	case Echo:
		return centrifugoData(centrifugoEcho(append(dst, centrifugoPublish...), cmd.Line), cmd.Payload)
	case Pong:
		return append(dst, "{}"...)
	case Prepare, Store, Attend, Serve, Call, Answer, Batch: // are not measured
	}
	return dst
}

func (c *centrifugo) begin(dst []byte) []byte {
	return append(append(dst, centrifugoStep...), `"subscribe":{"channel":"`...)
}

func (c *centrifugo) subscribe(dst []byte, after Place) []byte {
	dst = append(dst, '"')
	if after.Epoch != "" {
		dst = append(append(append(dst, `,"recover":true,"epoch":"`...), after.Epoch...), `","offset":`...)
		dst = strconv.AppendUint(dst, after.Offset, 10)
	}
	return append(dst, "}}"...)
}

func centrifugoEcho(dst []byte, line int) []byte {
	return strconv.AppendInt(append(dst, "echo."...), int64(line), 10)
}

func centrifugoData(dst, payload []byte) []byte {
	return append(append(append(dst, `","data":"`...), payload...), `"}}`...)
}

// Parse takes a message apart into replies and pushes, one a line. What a subscription recovers is in its reply.
func (c *centrifugo) Parse(events []Event, message []byte) []Event {
	for line := range bytes.Lines(message) {
		line = bytes.TrimSuffix(line, []byte("\n"))
		switch {
		case len(line) == 0:
		case string(line) == "{}":
			events = append(events, Event{Kind: Ping})
		case hasPrefix(line, `{"push":{"disconnect":`), bytes.Contains(line, []byte(`"error":{`)):
			events = append(events, Event{Kind: Refused, Reason: excerpt(line)})
		case hasPrefix(line, `{"push":`):
			events = c.messages(events, line)
		case hasPrefix(line, centrifugoStep):
			place := Place{Epoch: string(quoted(line, `"epoch":"`)), Offset: number(line, `"offset":`)}
			events = c.messages(append(events, Event{Kind: Ack, Place: place}), line)
		}
	}
	return events
}

// messages appends the publications of a line.
func (c *centrifugo) messages(events []Event, line []byte) []Event {
	const mark = `"data":"`
	for {
		_, rest, found := bytes.Cut(line, []byte(mark))
		if !found || len(rest) < c.opts.Payload {
			return events
		}
		line = rest[c.opts.Payload:]
		events = append(events, Event{Kind: Message, Payload: rest[:c.opts.Payload], Offset: numberBefore(line, `"offset":`, '}')})
	}
}

// numberBefore reads the number behind a mark, if the mark comes before the end of the object.
func numberBefore(b []byte, mark string, end byte) uint64 {
	object, _, _ := bytes.Cut(b, []byte{end})
	return number(object, mark)
}
