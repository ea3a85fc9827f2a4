package websocket

import (
	"encoding/binary"
	"unicode/utf8"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// maxFragments bounds the frames of one message, so that a message cannot go on for ever without content. Where the
// limit of a message is so large that it may have this many fragments of fragmentBytes, it may have more of that size.
const (
	maxFragments  = 1024
	fragmentBytes = 64
)

// assembler puts messages together from data frames. The zero value is ready.
type assembler struct {
	op        opcode // of the message begun; 0 when there is none
	packed    bool   // it is compressed
	fragments int
	content   []byte // of a fragmented message, so far
	checked   int    // bytes of content known to be whole UTF-8
	peeked    int    // the same of the frame that is coming in
}

// idle reports whether there is nothing to go on with.
func (a *assembler) idle() bool { return a.op == 0 && a.peeked == 0 }

// admit refuses a frame that its header alone shows to be out of place, or more than limit allows the message: before
// its payload is waited for. Whatever is on its way, the content and the frame together stay within the limit.
func (a *assembler) admit(h header, limit int) *refusal {
	switch {
	case h.opcode.control():
		return nil
	case h.opcode == opContinuation && a.op == 0:
		return refuse(wire.CloseProtocolError, "a continuation came without a message begun")
	case h.opcode != opContinuation && a.op != 0:
		return refuse(wire.CloseProtocolError, "a message began before the one before was complete")
	case len(a.content)+h.length > limit:
		return refuse(wire.CloseTooBig, "the message is larger than the gateway takes")
	case a.fragments == max(maxFragments, limit/fragmentBytes):
		return refuse(wire.CloseTooBig, "the message has too many fragments")
	}
	return nil
}

// message is a complete message as it came: its text is known to be UTF-8, unless it is compressed.
type message struct {
	op      opcode
	packed  bool
	content []byte
}

// add takes one data frame that was admitted, its payload unmasked. done tells that a message is complete; it is valid
// until the next call.
func (a *assembler) add(h header, payload []byte) (m message, done bool, bad *refusal) {
	a.peeked = 0
	if h.opcode != opContinuation {
		if h.fin {
			if h.opcode == opText && !h.packed && !utf8.Valid(payload) {
				return message{}, false, badText()
			}
			return message{op: h.opcode, packed: h.packed, content: payload}, true, nil
		}
		a.op, a.packed = h.opcode, h.packed
	}
	a.fragments++
	a.content = append(a.content, payload...)
	if a.op == opText && !a.packed && !a.checkText(h.fin) {
		return message{}, false, badText()
	}
	if !h.fin {
		return message{}, false, nil
	}
	m = message{op: a.op, packed: a.packed, content: a.content}
	*a = assembler{}
	return m, true, nil
}

// checkText checks what has come since the last check, up to a character that may be cut by the end of a fragment.
func (a *assembler) checkText(whole bool) bool {
	rest := a.content[a.checked:]
	for len(rest) > 0 {
		r, size := utf8.DecodeRune(rest)
		if r == utf8.RuneError && size <= 1 {
			return !whole && !utf8.FullRune(rest)
		}
		rest = rest[size:]
		a.checked += size
	}
	return true
}

// peek looks at what has come of a text frame that is not complete yet, still masked: what no further byte can make
// good is refused at once. It goes on where it stopped, so that a frame that trickles in costs no more than another.
func (a *assembler) peek(h header, masked []byte) *refusal {
	op, packed := h.opcode, h.packed
	if op == opContinuation {
		op, packed = a.op, a.packed
	}
	if op != opText || packed {
		return nil
	}
	for {
		var char [utf8.UTFMax]byte
		begun := 0 // bytes of the character that came with the fragment before
		if a.peeked == 0 {
			begun = copy(char[:], a.content[a.checked:])
		}
		n := begun + copy(char[begun:], masked[a.peeked:])
		for i := begun; i < n; i++ {
			char[i] ^= h.key[(a.peeked+i-begun)&3]
		}
		if !utf8.FullRune(char[:n]) {
			return nil
		}
		r, size := utf8.DecodeRune(char[:n])
		if r == utf8.RuneError && size <= 1 {
			return badText()
		}
		a.peeked += size - begun
	}
}

func badText() *refusal { return refuse(wire.CloseInvalidPayload, "a text message must be UTF-8") }

// readClose reads the payload of a close frame. The code is that to answer with.
func readClose(payload []byte) (wire.CloseCode, *refusal) {
	if len(payload) == 0 {
		return wire.CloseNormal, nil
	}
	if len(payload) == 1 {
		return 0, refuse(wire.CloseProtocolError, "a close frame carries no code, or one of two bytes")
	}
	code := wire.CloseCode(binary.BigEndian.Uint16(payload))
	if !validCloseCode(code) {
		return 0, refuse(wire.CloseProtocolError, "the close code is not one that may be sent")
	}
	if !utf8.Valid(payload[2:]) {
		return 0, refuse(wire.CloseInvalidPayload, "the reason of a close must be UTF-8")
	}
	return code, nil
}

// validCloseCode tells the codes that may stand on the wire (RFC 6455, section 7.4).
func validCloseCode(code wire.CloseCode) bool {
	switch {
	case code >= 1000 && code <= 1003, code >= 1007 && code <= 1014, code >= 3000 && code <= 4999:
		return true
	}
	return false
}
