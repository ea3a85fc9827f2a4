package target

import (
	"bytes"
	"fmt"
	"strconv"
)

// nats speaks the NATS client protocol, whose lines travel in binary WebSocket messages. An echo is a message that a
// line publishes to a subject of its own. What is to be stored goes to a stream of JetStream, on disk, which is made when it
// is not there; how it is synced is the server's configuration. A call is a request: every caller has an inbox, one subject
// that stays, so that the server finds it in its caches, and those who serve are a queue group.
type nats struct{ opts Options }

func (n *nats) Upgrade() Upgrade {
	return Upgrade{Path: pathOr(n.opts.Path, "/"), Binary: true}
}

func (n *nats) Append(dst []byte, c Command) []byte {
	switch c.Kind {
	case Connect:
		dst = append(dst, `CONNECT {"verbose":false,"pedantic":false,"lang":"go","version":"1","protocol":1`...)
		if n.opts.Token != "" {
			dst = append(append(append(dst, `,"auth_token":"`...), n.opts.Token...), '"')
		}
		return append(dst, "}\r\nPING\r\n"...)
	case Subscribe:
		return append(appendChannel(append(dst, "SUB "...), c.Channel), " 1\r\nPING\r\n"...)
	case Listen:
		return append(natsEcho(append(dst, "SUB "...), c.Line), " 1\r\nPING\r\n"...)
	case Publish:
		return natsPayload(appendChannel(append(dst, "PUB "...), c.Channel), c.Payload)
	case Prepare:
		dst = append(natsAck(append(dst, "SUB "...), c.Line), ".* 2\r\n"...)
		dst = natsAck(append(dst, "PUB $JS.API.STREAM.CREATE.bench "...), c.Line)
		return natsPayload(append(dst, ".0"...), []byte(natsStream))
	case Store:
		dst = append(natsAck(append(appendChannel(append(dst, "PUB "...), c.Channel), ' '), c.Line), '.')
		return natsPayload(strconv.AppendUint(dst, c.Sequence, 10), c.Payload)
	case Echo:
		return natsPayload(natsEcho(append(dst, "PUB "...), c.Line), c.Payload)
	case Attend:
		return append(natsInbox(append(dst, "SUB "...), c.Line), " 4\r\nPING\r\n"...)
	case Serve:
		return append(dst, "SUB "+Method+" servers 3\r\nPING\r\n"...)
	case Call:
		return natsPayload(natsInbox(append(dst, "PUB "+Method+" "...), c.Line), c.Payload)
	case Answer:
		return natsPayload(append(append(dst, "PUB "...), c.ID...), c.Payload)
	case Pong:
		return append(dst, "PONG\r\n"...)
	case Batch: // is not measured
	}
	return dst
}

func natsEcho(dst []byte, line int) []byte {
	return strconv.AppendInt(append(dst, "echo."...), int64(line), 10)
}

func natsInbox(dst []byte, line int) []byte {
	return strconv.AppendInt(append(dst, "_INBOX."...), int64(line), 10)
}

// natsCalled begins what is said of a call, up to the subject that is to be answered.
const natsCalled = Method + " 3 "

// natsStream takes all channels of the load tool.
const natsStream = `{"name":"bench","subjects":["bench.>"],"retention":"limits","storage":"file","num_replicas":1}`

// natsAcks begins the subjects that JetStream acknowledges to.
const natsAcks = "_ack."

func natsAck(dst []byte, line int) []byte {
	return strconv.AppendInt(append(dst, natsAcks...), int64(line), 10)
}

// natsStored reads an acknowledgement: of a message, or, with the number 0, of the stream that it is to go to.
func natsStored(events []Event, subject, payload []byte) []Event {
	if bytes.Contains(payload, []byte(`"error"`)) {
		return append(events, Event{Kind: Refused, Reason: excerpt(payload)})
	}
	_, sequence, _ := bytes.Cut(subject[len(natsAcks):], []byte("."))
	if n := digits(sequence); n > 0 {
		return append(events, Event{Kind: Message, Sequence: n, Offset: number(payload, `"seq":`)})
	}
	return append(events, Event{Kind: Ack})
}

func natsPayload(dst, payload []byte) []byte {
	dst = strconv.AppendInt(append(dst, ' '), int64(len(payload)), 10)
	return append(append(append(dst, "\r\n"...), payload...), "\r\n"...)
}

// Parse takes a message apart into the protocol's lines. The server puts whole ones into each WebSocket message.
func (n *nats) Parse(events []Event, message []byte) []Event {
	for len(message) > 0 {
		end := bytes.IndexByte(message, '\n')
		if end < 1 {
			return append(events, Event{Kind: Refused, Reason: "half a line: " + excerpt(message)})
		}
		line := message[:end-1]
		message = message[end+1:]
		switch {
		case hasPrefix(line, "MSG "):
			size := digits(line[bytes.LastIndexByte(line, ' ')+1:])
			if uint64(len(message)) < size+2 {
				reason := fmt.Sprintf("a message of %d bytes in %d", size, len(message))
				return append(events, Event{Kind: Refused, Reason: reason})
			}
			switch subject := line[len("MSG "):]; {
			case hasPrefix(subject, natsAcks):
				events = natsStored(events, subject, message[:size])
			case hasPrefix(subject, natsCalled):
				inbox, _, _ := bytes.Cut(subject[len(natsCalled):], []byte(" "))
				events = append(events, Event{Kind: Called, ID: inbox, Payload: message[:size]})
			default:
				events = append(events, Event{Kind: Message, Payload: message[:size]})
			}
			message = message[size+2:]
		case hasPrefix(line, "PONG"):
			events = append(events, Event{Kind: Ack})
		case hasPrefix(line, "PING"):
			events = append(events, Event{Kind: Ping})
		case hasPrefix(line, "-ERR"):
			events = append(events, Event{Kind: Refused, Reason: excerpt(line)})
		}
	}
	return events
}
