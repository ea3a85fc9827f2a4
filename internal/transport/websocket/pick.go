package websocket

import "unicode/utf8"

// A client whose session is full is slowed down by leaving its commands where they are. What it owes to others it must
// still be able to say, or two services that call each other would wait for each other: so its frames are looked through
// for answers, which go ahead of the commands before them, for as long as not too much waits.

// waitingBytes is how much of a full session's input may wait before no more is read. It is looked at behind a read, so it
// can be exceeded by one.
const waitingBytes = 64 << 10

// picked is how far the input has been looked through.
type picked struct {
	whole      int  // bytes of whole frames at its beginning that wait
	fragmented bool // behind them goes on a message that was begun
}

// pick takes the answers out of b, which begins where p says, and returns what waits.
func (c *conn) pick(b []byte, p picked) ([]byte, picked) {
	limit, reserved := c.session.Settings().MaxFrameBytes, c.format().reserved()
	at := p.whole
	for at < len(b) {
		h, ok, bad := readHeader(b[at:], limit, reserved)
		size := h.size + h.length
		if bad != nil || !ok || len(b)-at < size {
			break // what is wrong is refused when its turn comes
		}
		frame := b[at : at+size]
		at += size
		if h.opcode == opPong || !p.fragmented && c.answers(h, frame) {
			continue
		}
		if !h.opcode.control() {
			p.fragmented = !h.fin
		}
		p.whole += copy(b[p.whole:], frame)
	}
	return b[:p.whole+copy(b[p.whole:], b[at:])], p
}

// answers hands a frame to the session if it is an answer in one piece. A compressed one is not looked into: few bytes could
// cost much.
func (c *conn) answers(h header, frame []byte) bool {
	if h.opcode != c.format().op || !h.fin || h.packed {
		return false
	}
	payload := frame[h.size:]
	unmask(payload, h.key)
	clear(frame[h.size-len(h.key) : h.size]) // it may wait, and is unmasked now
	return (h.opcode != opText || utf8.Valid(payload)) && c.session.Answer(payload)
}

// room reports whether a full session's client is still read.
func (c *conn) room() bool {
	return c.session.Open() && !c.session.Settings().Budget.Spent() && (c.in == nil || len(c.in.pending) < waitingBytes)
}
