package websocket

import (
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/engine"
	"github.com/magpie-bridge/magpie/internal/hub"
	"github.com/magpie-bridge/magpie/internal/session"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// sink is a connection without a network: it takes all that is written, or none of it.
type sink struct {
	written  []byte
	full     bool
	paused   bool
	shutdown bool
	closed   bool
}

func (s *sink) Write(b []byte) (int, error) {
	if s.closed {
		return 0, net.ErrClosed
	}
	if s.full {
		return 0, nil
	}
	s.written = append(s.written, b...)
	return len(b), nil
}

func (s *sink) SetTimer(time.Time)    {}
func (s *sink) SetReading(on bool)    { s.paused = !on }
func (s *sink) Shutdown()             { s.shutdown = true }
func (s *sink) Close()                { s.closed = true }
func (s *sink) frames() []serverFrame { return splitFrames(s.written) }

// serverFrame is what the gateway sent.
type serverFrame struct {
	op      opcode
	payload string
}

func splitFrames(b []byte) (list []serverFrame) {
	for len(b) >= 2 {
		n, at := int(b[1]), 2
		switch n {
		case 126:
			n, at = int(binary.BigEndian.Uint16(b[2:])), 4
		case 127:
			n, at = int(binary.BigEndian.Uint64(b[2:])), 10
		}
		list = append(list, serverFrame{opcode(b[0] & opcodeBits), string(b[at : at+n])})
		b = b[at+n:]
	}
	return list
}

// closeCode returns the code of the close frame, which must be the last; 0 when there is none.
func closeCode(t testing.TB, frames []serverFrame) wire.CloseCode {
	t.Helper()
	for i, f := range frames {
		if f.op != opClose {
			continue
		}
		if i != len(frames)-1 {
			t.Errorf("%d frames follow the close", len(frames)-1-i)
		}
		return wire.CloseCode(binary.BigEndian.Uint16([]byte(f.payload)))
	}
	return 0
}

// bench is a hub with one shard whose loop is turned by hand, as conns are fed by hand.
type bench struct {
	hub   *hub.Hub
	loop  *handLoop
	shard *session.Shard
}

// handLoop is a loop that does only what it is told to.
type handLoop struct{ tasks []func() }

func (l *handLoop) Wake() {}

func (l *handLoop) Post(f func()) bool {
	l.tasks = append(l.tasks, f)
	return true
}

// turn runs what was posted so far, and reports whether that was anything.
func (l *handLoop) turn() bool {
	tasks := l.tasks
	l.tasks = nil
	for _, f := range tasks {
		f()
	}
	return len(tasks) > 0
}

func newBench(t testing.TB) *bench {
	t.Helper()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	clock := func() time.Time { return now }
	memory := engine.NewMemory(engine.MemoryOptions{Space: channel.NewSpace(channel.NewBudget(64<<20), clock, Formats()...)})
	t.Cleanup(func() { _ = memory.Close(context.Background()) })
	b := &bench{
		hub:  hub.New(hub.Options{Engine: memory, Authenticator: auth.Development(), NodeID: "n1"}),
		loop: &handLoop{},
	}
	b.shard = session.NewShard(session.Settings{Hub: b.hub, Now: clock}, b.loop, 0)
	return b
}

func (b *bench) conn(t testing.TB, f Format) (*conn, *sink) {
	t.Helper()
	principal, err := auth.Development().Authenticate(t.Context(), auth.Credential{})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.hub.Enter(); err != nil {
		t.Fatal(err)
	}
	s := &sink{}
	return newConn(s, b.shard, f, principal), s
}

// feed passes a copy of the bytes on in pieces of the sizes given; what is left comes as one.
func feed(c *conn, s *sink, b []byte, sizes ...int) {
	b = slices.Clone(b) // the conn unmasks in place
	for _, n := range sizes {
		if len(b) == 0 || s.paused {
			return
		}
		n = min(n, len(b))
		c.Read(b[:n])
		b = b[n:]
	}
	if len(b) > 0 && !s.paused {
		c.Read(b)
	}
}

func TestFramesCutAtEveryByte(t *testing.T) {
	var sent []byte
	for _, f := range [][]byte{
		whole(opText, "ping"),
		fragment(opText, `{"type":"call","requestId":"1","method":"magpie.echo",`),
		whole(opPing, "between"),
		fragment(opContinuation, `"text":"`),
		whole(opPong, "unasked"),
		whole(opContinuation, "h\u00e9\"}"),
		whole(opText, `{"type":"ping","requestId":"2"}`),
		whole(opClose, closing(wire.CloseNormal, "bye")),
		whole(opText, "ping"), // too late
	} {
		sent = append(sent, f...)
	}
	b := newBench(t)
	check := func(sizes ...int) {
		t.Helper()
		c, s := b.conn(t, JSON)
		feed(c, s, sent, sizes...)
		defer c.Closed(nil)
		frames := s.frames()
		if len(frames) != 6 {
			t.Fatalf("cut at %v: %q", sizes, frames)
		}
		for i, want := range []string{"pong", "between", `"connected"`, "h\u00e9", `"pong"`} {
			if !strings.Contains(frames[i].payload, want) {
				t.Errorf("cut at %v: frame %d is %q, want %q", sizes, i, frames[i].payload, want)
			}
		}
		if frames[1].op != opPong {
			t.Errorf("a ping was answered with opcode %d", frames[1].op)
		}
		if code := closeCode(t, frames); code != wire.CloseNormal {
			t.Errorf("the close was answered with %d", code)
		}
		if !s.shutdown {
			t.Error("nothing was shut down behind the close")
		}
		if c.in != nil {
			t.Errorf("%d bytes are kept", len(c.in.pending))
		}
	}
	check()
	for cut := range len(sent) {
		check(cut)
	}
	check(slices.Repeat([]int{1}, len(sent))...)
}

func TestFramingAttacks(t *testing.T) {
	b := newBench(t)
	for _, a := range framingAttacks() {
		for _, size := range []int{len(a.sent), 1} {
			c, s := b.conn(t, JSON)
			feed(c, s, a.sent, slices.Repeat([]int{size}, len(a.sent)/size)...)
			if code := closeCode(t, s.frames()); code != a.code {
				t.Errorf("%s: closed with %d, want %d (%q)", a.name, code, a.code, s.frames())
			}
			if c.in != nil {
				t.Errorf("%s: %d bytes are held for a line that is over", a.name, cap(c.in.pending))
			}
			c.Closed(nil)
		}
	}
	if n := b.hub.Metrics.Sessions.Load(); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
}

// Pings are answered for as long as the client takes the answers, and no longer.
func TestPingsThatAreNotReadStopTheReading(t *testing.T) {
	b := newBench(t)
	c, s := b.conn(t, JSON)
	c.Read(whole(opText, `{"type":"connect"}`)) // of strangers even less is taken
	s.frames()
	s.full = true
	pings := bytes.Repeat(whole(opPing, strings.Repeat("x", maxControlPayload)), 400)
	sent := 0
	for ; !s.paused && sent < 64<<20; sent += len(pings) {
		c.Read(slices.Clone(pings))
	}
	if limit := 2 * b.shard.Settings().MaxOutbox; sent > limit {
		t.Fatalf("%d bytes were taken from a client that reads nothing, want at most %d", sent, limit)
	}
	s.full = false
	c.Writable()
	b.loop.turn()
	if s.paused {
		t.Error("reading was not resumed when there was room again")
	}
	if got, want := len(s.frames()), 400; got < want {
		t.Errorf("%d answers, want at least %d", got, want)
	}
	c.Closed(nil)
}

// A few bytes may stand for many. A line gets its turn, and then the others have theirs.
func TestExpandingIsDoneInTurns(t *testing.T) {
	const messages = 500
	large := pack(t, []byte(`{"type":"ping"`+strings.Repeat(" ", 60_000)+`}`))
	sent := bytes.Repeat(rawFrame{first: finBit | rsv1Bit | byte(opText), payload: large}.bytes(), messages)
	b := newBench(t)
	c, s := b.conn(t, JSON.compressed())
	c.Read(sent)
	turns := 1
	for answered := 0; ; turns++ {
		now := len(s.frames())
		if now-answered > 5 {
			t.Fatalf("turn %d answered %d messages", turns, now-answered)
		}
		answered = now
		if reading := !s.paused; reading != (c.in == nil) {
			t.Fatalf("turn %d: reading is %v, and it is %v that bytes wait", turns, reading, c.in != nil)
		}
		if !b.loop.turn() {
			break
		}
	}
	if n := len(s.frames()); n != messages+1 || s.paused {
		t.Errorf("%d answers in %d turns, want connected and %d", n, turns, messages)
	}
	c.Closed(nil)
}

func TestMalformedFramesAreCounted(t *testing.T) {
	b := newBench(t)
	c, s := b.conn(t, JSON)
	feed(c, s, bytes.Repeat(whole(opText, "{"), 1000))
	if code := closeCode(t, s.frames()); code != wire.CloseMalformed {
		t.Errorf("closed with %d, want %d", code, wire.CloseMalformed)
	}
	if n := len(s.frames()); n > 20 {
		t.Errorf("%d frames were sent for a flood", n)
	}
	c.Closed(nil)
}

// FuzzFrames sends arbitrary bytes in arbitrary cuts: nothing panics, nothing is held beyond one message and one
// header, and the cuts change nothing in what is answered.
func FuzzFrames(f *testing.F) {
	for _, a := range framingAttacks() {
		f.Add(a.sent[:min(len(a.sent), 4096)], []byte{1, 2, 3}, uint8(0))
	}
	f.Add(whole(opText, `{"type":"subscribe","requestId":"1","channel":"a"}`), []byte{5}, uint8(0))
	f.Add(append(whole(opText, `{"type":"publish","requestId":"1","channel":"a","text":"x"}`), whole(opText, "ping")...), []byte{7, 1}, uint8(0))
	f.Add(append(fragment(opBinary, "\x0a\x011"), whole(opContinuation, "\xda\x01\x00")...), []byte{1}, uint8(1))
	packed := rawFrame{first: finBit | rsv1Bit | byte(opText), payload: pack(f, []byte(`{"type":"ping","requestId":"1"}`))}
	f.Add(packed.bytes(), []byte{3}, uint8(2))
	formats := []Format{JSON, Protobuf, JSON.compressed(), Protobuf.compressed()}
	f.Fuzz(func(t *testing.T, sent, cuts []byte, which uint8) {
		format := formats[int(which)%len(formats)]
		answers := func(sizes ...int) ([]serverFrame, bool) {
			b := newBench(t)
			c, s := b.conn(t, format)
			defer c.Closed(nil)
			rest := slices.Clone(sent)
			for i := 0; len(rest) > 0 && !s.paused; i++ {
				n := len(rest)
				if len(sizes) > 0 {
					n = min(n, 1+sizes[i%len(sizes)])
				}
				c.Read(rest[:n])
				rest = rest[n:]
				const longestHeader = 14
				held, limit := 0, b.shard.Settings().MaxFrameBytes
				if c.in != nil {
					held = len(c.in.pending) + len(c.in.message.content)
				}
				if !s.paused && held > limit+longestHeader {
					t.Fatalf("%d bytes are held, with a limit of %d", held, limit)
				}
			}
			return s.frames(), s.paused
		}
		sizes := make([]int, len(cuts))
		for i, n := range cuts {
			sizes[i] = int(n)
		}
		atOnce, paused := answers()
		inPieces, pausedToo := answers(sizes...)
		if paused || pausedToo {
			return // a connect frame with a token waits for a worker
		}
		if len(atOnce) != len(inPieces) {
			t.Fatalf("%d answers to the whole, %d to the pieces:\n%q\n%q", len(atOnce), len(inPieces), atOnce, inPieces)
		}
		for i := range atOnce {
			if a, b := atOnce[i], inPieces[i]; a.op != b.op || len(a.payload) != len(b.payload) {
				t.Fatalf("answer %d is %q to the whole, %q to the pieces", i, a, b)
			}
		}
	})
}
