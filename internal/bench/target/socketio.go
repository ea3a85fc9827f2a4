package target

// socketIO speaks Socket.IO 4 over Engine.IO's WebSocket transport to bench/socketio/server.mjs, which joins a room on
// "s", sends "m" to a room on "p" and answers "e" by "m". A packet begins with 4 (a message of Engine.IO) and 2 (an
// event of Socket.IO).
type socketIO struct{ opts Options }

func (s *socketIO) Upgrade() Upgrade {
	return Upgrade{Path: pathOr(s.opts.Path, "/socket.io/?EIO=4&transport=websocket")}
}

func (s *socketIO) Append(dst []byte, c Command) []byte {
	switch c.Kind {
	case Connect:
		return append(dst, "40"...)
	case Subscribe:
		return append(appendChannel(append(dst, `42["s","`...), c.Channel), `"]`...)
	case Listen:
		return dst
	case Publish:
		dst = appendChannel(append(dst, `42["p","`...), c.Channel)
		return append(append(append(dst, `","`...), c.Payload...), `"]`...)
	case Echo:
		return append(append(append(dst, `42["e","`...), c.Payload...), `"]`...)
	case Pong:
		return append(dst, '3')
	case Prepare, Store, Attend, Serve, Call, Answer, Batch: // are not measured
	}
	return dst
}

func (s *socketIO) Parse(events []Event, message []byte) []Event {
	const before, after = `42["m","`, `"]`
	switch {
	case hasPrefix(message, before) && len(message) >= len(before)+len(after):
		return append(events, Event{Kind: Message, Payload: message[len(before) : len(message)-len(after)]})
	case hasPrefix(message, "40"), hasPrefix(message, `42["s"`):
		return append(events, Event{Kind: Ack})
	case hasPrefix(message, "2"):
		return append(events, Event{Kind: Ping})
	case hasPrefix(message, "0"), hasPrefix(message, "6"):
		return events // Engine.IO's own greeting, and nothing
	}
	return append(events, Event{Kind: Refused, Reason: excerpt(message)})
}
