package websocket

import (
	"time"
	"unicode/utf8"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/netloop"
	"github.com/magpie-bridge/magpie/internal/session"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// conn is one line on its loop. To netloop it is the handler of the connection, to the session the line. All of it is
// for the loop alone.
type conn struct {
	netloop.Conn
	loop    session.Loop
	session *session.Session
	format  Format
	limit   int    // bytes of a message
	pending []byte // read, and not consumed: an incomplete frame, or frames that there was no room for
	message assembler
	budget  *channel.Budget
	charged int // what the budget was charged for the two before

	held     bool // the session wants no more frames
	stopped  bool // this turn left something behind for want of room
	posted   bool // the next turn is
	expanded int  // bytes that compressed messages came to in this turn

	echo bool // messages go back as they came; for conformance tests
}

var (
	_ netloop.Handler = (*conn)(nil)
	_ session.Line    = (*conn)(nil)
)

// turnBytes bounds what compressed messages come to in one turn, since few bytes can stand for many: about as much as a
// slice of other work takes.
const turnBytes = 128 << 10

func newConn(loop session.Loop, nc netloop.Conn, shard *session.Shard, format Format, principal *auth.Principal) *conn {
	settings := shard.Settings()
	c := &conn{Conn: nc, loop: loop, format: format, limit: settings.MaxFrameBytes, budget: settings.Budget}
	c.session = shard.New(c, format, principal)
	return c
}

// Read implements [netloop.Handler].
func (c *conn) Read(b []byte) {
	c.session.Heard()
	if len(c.pending) > 0 {
		c.pending = append(c.pending, b...)
		b = c.pending
	}
	c.turn(b)
}

// turn consumes what may be consumed now. When something is left for want of room, it goes on in a turn of its own
// before more is read; unless the session has no room even now, and will tell when it has.
func (c *conn) turn(b []byte) {
	c.stopped, c.expanded = false, 0
	c.keep(c.consume(b))
	c.session.Flush()
	switch {
	case c.held:
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
	c.loop.Post(func() {
		c.posted = false
		c.turn(c.pending)
	})
}

// keep remembers what was not consumed. rest may be a part of pending.
func (c *conn) keep(rest []byte) {
	if len(rest) == 0 {
		c.pending = nil
	} else {
		c.pending = append(c.pending[:0], rest...)
	}
	c.account()
}

// account charges the budget for input that waits.
func (c *conn) account() {
	if held := cap(c.pending) + cap(c.message.content); held != c.charged {
		c.budget.Charge(held - c.charged)
		c.charged = held
	}
}

// consume takes whole frames from the beginning of b and returns the rest. It changes b.
func (c *conn) consume(b []byte) (rest []byte) {
	for len(b) > 0 {
		if c.session.Closing() {
			return nil
		}
		if c.session.Full() || c.expanded >= turnBytes {
			c.stopped = true
			return b
		}
		h, ok, bad := readHeader(b, c.limit, c.format.reserved())
		if bad == nil && ok {
			bad = c.message.admit(h, c.limit)
		}
		complete := ok && len(b) >= h.size+h.length
		switch {
		case bad != nil:
		case complete:
			payload := b[h.size : h.size+h.length]
			b = b[h.size+h.length:]
			unmask(payload, h.key)
			bad = c.frame(h, payload)
		case ok:
			bad = c.message.peek(h, b[h.size:])
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

func (c *conn) frame(h header, payload []byte) *refusal {
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
	m, done, bad := c.message.add(h, payload)
	if bad != nil || !done {
		return bad
	}
	return c.take(m)
}

// take hands a complete message to the session.
func (c *conn) take(m message) *refusal {
	if m.op != c.format.op && !c.echo {
		if c.format.op == opText {
			return refuse(wire.CloseUnsupportedData, "the subprotocol "+SubprotocolJSON+" takes text messages")
		}
		return refuse(wire.CloseUnsupportedData, "the subprotocol "+SubprotocolProtobuf+" takes binary messages")
	}
	if m.packed {
		f := inflaters.Get().(*inflater)
		defer f.release()
		var bad *refusal
		if m.content, bad = f.expand(m.content, c.limit); bad != nil {
			return bad
		}
		c.expanded += len(m.content)
		if m.op == opText && !utf8.Valid(m.content) {
			return badText()
		}
	}
	if c.echo {
		c.session.Send(c.format.appendData(nil, m.op, m.content))
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
	c.pending, c.message = nil, assembler{}
	c.account()
	c.session.Closed(err)
}

// SetReading implements [session.Line]. What was kept while reading was stopped comes first, in a turn of its own.
func (c *conn) SetReading(on bool) {
	c.held = !on
	if on && len(c.pending) > 0 {
		c.goOn()
		return
	}
	c.Conn.SetReading(on)
}
