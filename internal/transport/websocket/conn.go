package websocket

import (
	"time"
	"unicode/utf8"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/netloop"
	"github.com/magpie-bridge/magpie/internal/session"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// conn is one line on its loop. To netloop it is the handler of the connection, to the session the line. All of it is
// for the loop alone. There are many, and nearly all of them are idle: together with its session a line is one small
// struct, and what only a busy one needs hangs on a pointer.
type conn struct {
	netloop.Conn
	session  session.Session
	in       *input // nil when nothing waits
	expanded int32  // bytes that compressed messages came to in this turn
	held     bool   // the session wants no more frames
	stopped  bool   // this turn left something behind for want of room
	posted   bool   // the next turn is
	echo     bool   // messages go back as they came; for conformance tests
}

// input is what came in and is not consumed.
type input struct {
	pending []byte // an incomplete frame, or frames that there was no room for
	looked  picked // through pending
	message assembler
	charged int // what the budget was charged for both
}

var (
	_ netloop.Handler = (*conn)(nil)
	_ session.Line    = (*conn)(nil)
)

// turnBytes bounds what compressed messages come to in one turn, since few bytes can stand for many: about as much as a
// slice of other work takes.
const turnBytes = 128 << 10

func newConn(nc netloop.Conn, shard *session.Shard, format Format, principal *auth.Principal) *conn {
	c := &conn{Conn: nc}
	c.session.Begin(shard, c, format, principal)
	return c
}

// format is what the line carries.
func (c *conn) format() Format { return c.session.Format().(Format) }

// Write implements [session.Line].
func (c *conn) Write(parts [][]byte) (int, error) {
	if len(parts) == 1 {
		return c.Conn.Write(parts[0])
	}
	return netloop.Writev(c.Conn, parts)
}

// Read implements [netloop.Handler].
func (c *conn) Read(b []byte) {
	c.session.Heard()
	if c.in != nil && len(c.in.pending) > 0 {
		c.in.pending = append(c.in.pending, b...)
		b = c.in.pending
	}
	c.turn(b)
}

// turn consumes what may be consumed now. When something is left for want of room, it goes on in a turn of its own
// before more is read; unless the session has no room even now, and will tell when it has.
func (c *conn) turn(b []byte) {
	c.stopped, c.expanded = false, 0
	var message assembler
	var looked picked
	if c.in != nil {
		message, looked = c.in.message, c.in.looked
	}
	rest := c.consume(b, &message)
	if looked.whole == 0 || len(rest) < len(b) {
		looked = picked{fragmented: message.op != 0}
	}
	if c.stopped && c.session.Full() && c.session.Open() {
		rest, looked = c.pick(rest, looked)
	} else {
		looked = picked{}
	}
	c.keep(rest, &message, looked)
	c.session.Flush()
	switch {
	case c.held:
		c.Conn.SetReading(c.room())
	case c.stopped:
		c.goOn()
	default:
		c.Conn.SetReading(true)
	}
}

// goOn posts the next turn.
func (c *conn) goOn() {
	c.Conn.SetReading(false)
	if c.posted {
		return
	}
	c.posted = true
	c.session.Post(func() {
		c.posted = false
		var pending []byte
		if c.in != nil {
			pending = c.in.pending
		}
		c.turn(pending)
	})
}

// keep remembers what was not consumed, and the message begun. rest may be a part of what was pending.
func (c *conn) keep(rest []byte, message *assembler, looked picked) {
	if len(rest) == 0 && message.idle() || c.session.Closing() {
		c.forget()
		return
	}
	if c.in == nil {
		c.in = &input{}
	}
	in := c.in
	in.message, in.looked = *message, looked
	if in.pending = append(in.pending[:0], rest...); len(rest) == 0 {
		in.pending = nil
	}
	if held := cap(in.pending) + cap(in.message.content); held != in.charged {
		c.session.Settings().Budget.Charge(held - in.charged)
		in.charged = held
	}
}

// forget lets go of all input.
func (c *conn) forget() {
	if c.in != nil {
		c.session.Settings().Budget.Charge(-c.in.charged)
		c.in = nil
	}
}

// consume takes whole frames from the beginning of b and returns the rest. It changes b.
func (c *conn) consume(b []byte, message *assembler) (rest []byte) {
	limit, reserved := c.session.Settings().MaxFrameBytes, c.format().reserved()
	for len(b) > 0 {
		if c.session.Closing() {
			return nil
		}
		if c.session.Full() || c.expanded >= turnBytes {
			c.stopped = true
			return b
		}
		h, ok, bad := readHeader(b, limit, reserved)
		if bad == nil && ok {
			bad = message.admit(h, limit)
		}
		complete := ok && len(b) >= h.size+h.length
		switch {
		case bad != nil:
		case complete:
			payload := b[h.size : h.size+h.length]
			b = b[h.size+h.length:]
			unmask(payload, h.key)
			bad = c.frame(h, payload, message)
		case ok:
			bad = message.peek(h, b[h.size:])
		}
		if bad != nil {
			c.session.Refuse(bad.code, bad.reason)
			return nil
		}
		if !complete {
			return b
		}
	}
	return nil
}

func (c *conn) frame(h header, payload []byte, message *assembler) *refusal {
	switch h.opcode {
	case opPing:
		c.session.Send(appendControl(nil, opPong, payload))
		return nil
	case opPong:
		return nil // has been heard
	case opClose:
		code, bad := readClose(payload)
		if bad != nil {
			return bad
		}
		c.session.Refuse(code, "")
		return nil
	case opContinuation, opText, opBinary:
	}
	m, done, bad := message.add(h, payload)
	if bad != nil || !done {
		return bad
	}
	return c.take(m)
}

// take hands a complete message to the session.
func (c *conn) take(m message) *refusal {
	format := c.format()
	if m.op != format.op && !c.echo {
		if format.op == opText {
			return refuse(wire.CloseUnsupportedData, "the subprotocol "+SubprotocolJSON+" takes text messages")
		}
		return refuse(wire.CloseUnsupportedData, "the subprotocol "+SubprotocolProtobuf+" takes binary messages")
	}
	if m.packed {
		f := inflaters.Get().(*inflater)
		defer f.release()
		var bad *refusal
		if m.content, bad = f.expand(m.content, c.session.Settings().MaxFrameBytes); bad != nil {
			return bad
		}
		c.expanded += int32(min(len(m.content), turnBytes))
		if m.op == opText && !utf8.Valid(m.content) {
			return badText()
		}
	}
	if c.echo {
		c.session.Send(format.appendData(nil, m.op, m.content))
		return nil
	}
	if m.op == opText && string(m.content) == "ping" {
		// Browsers cannot send a ping of the framing: for them the bare word stands for it.
		c.session.Send([]byte{finBit | byte(opText), 4, 'p', 'o', 'n', 'g'})
		return nil
	}
	c.session.Frame(m.content)
	return nil
}

// Writable implements [netloop.Handler].
func (c *conn) Writable() { c.session.Writable() }

// Timer implements [netloop.Handler].
func (c *conn) Timer(now time.Time) { c.session.Timer(now) }

// Closed implements [netloop.Handler].
func (c *conn) Closed(err error) {
	c.forget()
	c.session.Closed(err)
}

// SetReading implements [session.Line]. While it is off, answers are still read, see pick. What was kept while reading was stopped comes first, in a turn of its own.
func (c *conn) SetReading(on bool) {
	c.held = !on
	if on && c.in != nil && len(c.in.pending) > 0 {
		c.goOn()
		return
	}
	c.Conn.SetReading(on || c.room())
}
