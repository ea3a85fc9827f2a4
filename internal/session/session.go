package session

import (
	"crypto/rand"
	"encoding/hex"
	"strconv"
	"time"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// state is where a session is in its life.
type state uint8

const (
	stateNew            state = iota // waits for connect, or for any frame when the request said who it is
	stateAuthenticating              // a worker looks at the token; nothing is read
	stateOpen                        // connected
	stateLeaving                     // the goodbye is being written
	stateClosing                     // the goodbye is on its way
	stateClosed                      // the line is gone
)

// Session is one client's life on one line. The zero value is begun by [Session.Begin]. There are many, and nearly all of
// them are idle, so what only a busy one needs hangs on a pointer.
type Session struct {
	shard     *Shard
	line      Line
	principal *auth.Principal // nil until known
	out       *outbox         // what is meant for this session alone; nil when there is nothing
	subs      []subscription  // in no order
	only      [1]subscription // where subs begins: most sessions have one

	heard    moment // the last byte from the client
	progress moment // since when the client took nothing, while the line is blocked
	due      moment // the next ping while the session is open; otherwise the end of the time that its state has

	random    [8]byte // the secret part of the id
	slot      uint32
	turn      uint32 // the place in subs of the cursor that is pumped next
	inFlight  uint16 // what the engine has in hand: publishes, and what is fetched
	format    channel.FormatID
	state     state
	malformed uint8
	blocked   bool // the kernel has no room; Writable will come
	pumping   bool // in the shard's list
	held      bool // reading is stopped, by hold()
}

// outbox is finished frames meant for one session alone, and the rest of a cut one.
type outbox struct {
	bytes   []byte
	charged int // what the budget was charged for it
}

// moment is a time on a shard: nanoseconds since it was made. A third of a time.Time.
type moment int64

// Begin begins a session on a line. principal is who the request was authenticated as, or nil when the connect frame has
// to tell. The session has to be entered with the hub before.
func (s *Session) Begin(sh *Shard, line Line, format Format, principal *auth.Principal) {
	now := sh.now()
	*s = Session{
		shard:     sh,
		line:      line,
		format:    sh.formatOf(format),
		principal: principal,
		heard:     now,
		progress:  now,
		due:       now.add(sh.settings.ConnectTimeout),
	}
	_, _ = rand.Read(s.random[:]) // never fails (crypto/rand)
	sh.enter(s)
	line.SetTimer(sh.time(s.due))
}

func (m moment) add(d time.Duration) moment { return m + moment(d) }

// Post runs f on the session's loop; false when that has ended. Safe for concurrent use.
func (s *Session) Post(f func()) bool { return s.shard.loop.Post(f) }

// Settings returns what the sessions of the node have in common. Safe for concurrent use.
func (s *Session) Settings() *Settings { return &s.shard.settings }

// Format is what the line's frames are laid down in.
func (s *Session) Format() Format { return s.shard.formats[s.format] }

// waiting is how many bytes the outbox holds.
func (s *Session) waiting() int {
	if s.out == nil {
		return 0
	}
	return len(s.out.bytes)
}

// ID names the session: the node, the loop, the slot there, and a random part that makes it unguessable.
// One that was resumed has the id that it had.
func (s *Session) ID() wire.SessionID {
	if id, given := s.shard.given[s.slot]; given {
		return id
	}
	b := append([]byte(s.shard.settings.Hub.NodeID()), '-')
	b = strconv.AppendInt(b, int64(s.shard.index), 36)
	b = append(b, '-')
	b = strconv.AppendUint(b, uint64(s.slot), 36)
	b = append(b, '-')
	return wire.SessionID(hex.AppendEncode(b, s.random[:]))
}

// Full reports whether the session can take no more frames now: its client reads too slowly, or it waits for a worker
// or the engine. The transport keeps what it has until the line's reading is resumed.
func (s *Session) Full() bool {
	switch s.state {
	case stateNew, stateOpen, stateLeaving:
		return s.waiting() > s.maxOutbox() || s.inFlight >= maxInFlight
	case stateAuthenticating:
		return true
	case stateClosing, stateClosed:
		return false // whatever comes is dropped
	}
	return false
}

// maxOutbox is how much may wait for the client before it is no longer read.
func (s *Session) maxOutbox() int {
	if s.shard.settings.Budget.Spent() {
		return min(scarceOutbox, s.shard.settings.MaxOutbox)
	}
	if s.state == stateNew {
		return min(strangerOutbox, s.shard.settings.MaxOutbox)
	}
	return s.shard.settings.MaxOutbox
}

// Closing reports whether the session is over: frames that still come in are of no interest.
func (s *Session) Closing() bool { return s.state >= stateClosing }

// Open reports whether the client is connected, and is not being sent away.
func (s *Session) Open() bool { return s.state == stateOpen }

// Heard tells that bytes came from the client.
func (s *Session) Heard() { s.heard = s.shard.now() }

// Frame takes one frame. data is not kept. What it leads to is written by [Session.Flush].
func (s *Session) Frame(data []byte) {
	if s.Closing() {
		return
	}
	f := &s.shard.frame
	f.RequestID, f.Body = "", nil
	if err := s.shard.decoder.Decode(s.Format().Codec(), data, f); err != nil {
		s.misunderstood(f.RequestID, err)
		return
	}
	if s.state == stateNew && !s.begin(f, data) {
		return
	}
	s.dispatch(f.RequestID, f.Body)
}

// Answer takes a frame ahead of those that wait while the session is full, if it is one that must not wait with them: what
// the client owes to others. It reports whether it was; otherwise nothing has happened. data is not kept.
func (s *Session) Answer(data []byte) bool {
	f := &s.shard.frame
	if s.state != stateOpen || s.shard.decoder.Decode(s.Format().Codec(), data, f) != nil {
		return false
	}
	switch f.Body.(type) {
	case *wire.Reply, *wire.Progress, *wire.Error, *wire.Pong:
		s.dispatch(f.RequestID, f.Body)
		return true
	case *wire.Cancel, *wire.Credit:
		if s.calling(f.RequestID) != nil { // or the call that they are about may be among those that wait
			s.dispatch(f.RequestID, f.Body)
			return true
		}
	}
	return false
}

// misunderstood answers a frame that could not be decoded. One of an unknown type is well formed, and may come from a
// client that speaks a newer protocol: it is not held against it.
func (s *Session) misunderstood(requestID string, err error) {
	s.fail(requestID, err)
	if wire.AsError(err).Code == wire.CodeUnimplemented {
		return
	}
	s.shard.Metrics.Malformed.Add(1)
	if s.malformed++; s.malformed >= maxMalformed {
		s.Goodbye(wire.CloseMalformed, "too many frames that could not be understood", 0)
	}
}

func (s *Session) dispatch(requestID string, body wire.Body) {
	switch b := body.(type) {
	case *wire.Connect:
		s.fail(requestID, wire.Errorf(wire.CodeFailedPrecondition, "this session is connected already: connect is the first frame, and the only one of its kind"))
	case *wire.Subscribe:
		s.subscribe(requestID, b)
	case *wire.Unsubscribe:
		s.unsubscribe(requestID, b)
	case *wire.Publish:
		s.publish(requestID, b)
	case *wire.History:
		s.history(requestID, b)
	case *wire.Presence:
		s.presence(requestID, b)
	case *wire.Call:
		s.call(requestID, b)
	case *wire.Ping:
		s.send(&wire.Frame{RequestID: requestID, Body: &wire.Pong{}})
	case *wire.Pong: // it has been heard, which is all it is for
	case *wire.Cancel:
		s.canceled(requestID)
	case *wire.Credit:
		if c := s.calling(requestID); c != nil {
			c.credited(b.Count)
		}
	case *wire.Serve:
		s.offer(requestID, b)
	case *wire.Unserve:
		s.withdraw(requestID, b)
	case *wire.Reply, *wire.Progress, *wire.Error:
		s.answered(requestID, body)
	default:
		s.fail(requestID, wire.Errorf(wire.CodeInvalidArgument, "a frame of type %q is sent by the gateway only: expected connect, subscribe, unsubscribe, publish, history, presence, call, serve, unserve or ping", body.Type()))
	}
}

// fail answers a request with an error.
func (s *Session) fail(requestID string, err error) {
	s.send(&wire.Frame{RequestID: requestID, Body: wire.AsError(err)})
}

// send puts a frame into the outbox. Whoever was called from outside flushes in the end.
func (s *Session) send(f *wire.Frame) {
	if s.Closing() {
		return
	}
	o := s.borrow()
	o.bytes = s.Format().AppendFrame(o.bytes, f)
}

// Send puts finished bytes of the transport's own (a pong of its framing, say) into the outbox, in order with the
// frames.
func (s *Session) Send(finished []byte) {
	if s.Closing() {
		return
	}
	o := s.borrow()
	o.bytes = append(o.bytes, finished...)
}
