package session

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/engine"
	"github.com/magpie-bridge/magpie/internal/hub"
	"github.com/magpie-bridge/magpie/internal/hub/keep"
	"github.com/magpie-bridge/magpie/internal/hub/presence"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// rig is a loop with its sessions, of which the test moves every part: the time, the lines, the turns of the loop.
type rig struct {
	t       testing.TB
	clock   *testClock
	loop    *testLoop
	engine  engine.Engine
	hub     *hub.Hub
	shard   *Shard
	clients []*client
}

type rigOptions struct {
	settings  Settings
	retention channel.Retention
	keeps     func(wire.ChannelName) channel.Retention // nil: retention, whatever the channel
	wrap      func(engine.Engine) engine.Engine
	keep      *keep.Options // nil: no session outlives its line
	hooks     hub.Hooks
	presence  func(wire.ChannelName) bool // which channels have it; nil: none
}

func newRig(t testing.TB, opts rigOptions) *rig {
	t.Helper()
	clock := &testClock{at: time.UnixMilli(1_789_000_000_000)}
	if opts.retention == (channel.Retention{}) {
		opts.retention = channel.DefaultRetention()
	}
	if opts.keeps == nil {
		opts.keeps = func(wire.ChannelName) channel.Retention { return opts.retention }
	}
	space := channel.NewSpace(channel.NewBudget(0), clock.now, jsonLine, protobufLine)
	memory := engine.NewMemory(engine.MemoryOptions{
		Space:     space,
		Retention: opts.keeps,
	})
	t.Cleanup(func() {
		if err := memory.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	r := &rig{t: t, clock: clock, engine: memory, loop: &testLoop{}}
	if opts.wrap != nil {
		r.engine = opts.wrap(memory)
	}
	var here *presence.Registry
	if opts.presence != nil {
		here = presence.New(presence.Options{Engine: memory, Covers: opts.presence, Online: true})
		t.Cleanup(here.Close)
	}
	r.hub = hub.New(hub.Options{Engine: r.engine, Authenticator: tokens{}, NodeID: "n1", Hooks: opts.hooks, Presence: here})
	opts.settings.Hub, opts.settings.Now = r.hub, clock.now
	if opts.keep != nil {
		opts.keep.Now = clock.now
		keeper, err := keep.New(*opts.keep)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { keeper.Close(context.Background()) })
		opts.settings.Keeper = keeper
	}
	r.shard = NewShard(opts.settings, r.loop, 0)
	return r
}

// testClock is a time that the test moves.
type testClock struct {
	mu sync.Mutex // guards at
	at time.Time
}

func (c *testClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *testClock) set(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = at
}

// testLoop works only when it was woken, or had more to do: a wake-up that is forgotten is seen.
type testLoop struct {
	mu    sync.Mutex // guards tasks and woken
	tasks []func()
	woken bool

	more bool
}

func (l *testLoop) Post(f func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tasks = append(l.tasks, f)
	l.woken = true
	return true
}

func (l *testLoop) Wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.woken = true
}

// turn is one round of the loop; false when there was nothing to do.
func (l *testLoop) turn(sh *Shard, slice time.Duration) bool {
	l.mu.Lock()
	tasks, woken := l.tasks, l.woken
	l.tasks, l.woken = nil, false
	l.mu.Unlock()
	if !woken && !l.more {
		return false
	}
	for _, task := range tasks {
		task()
	}
	l.more = sh.Work(slice)
	return true
}

// settle turns the loop until it has nothing to do.
func (r *rig) settle() {
	for turns := 0; r.loop.turn(r.shard, time.Second); turns++ {
		if turns > 1_000_000 {
			r.t.Fatal("the loop never comes to rest")
		}
	}
}

// await turns the loop until ok, for what goroutines of the hub have to do first.
func (r *rig) await(what string, ok func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			r.t.Fatalf("waited too long: %s", what)
		}
		r.settle()
	}
	r.settle()
}

// advance moves the time on and calls each timer when it is due.
func (r *rig) advance(d time.Duration) {
	end := r.clock.now().Add(d)
	for range 100_000 {
		var due *client
		for _, c := range r.clients {
			if !c.gone && !c.line.timer.IsZero() && !c.line.timer.After(end) && (due == nil || c.line.timer.Before(due.line.timer)) {
				due = c
			}
		}
		if due == nil {
			r.clock.set(end)
			r.settle()
			return
		}
		if due.line.timer.After(r.clock.now()) {
			r.clock.set(due.line.timer)
		}
		due.line.timer = time.Time{}
		due.s.Timer(r.clock.now())
		r.settle()
	}
	r.t.Fatal("a timer is set for now again and again")
}

// publish appends to a channel from outside of the loop and returns the offset.
func (r *rig) publish(name wire.ChannelName, payload string) (offset wire.Offset) {
	record := channel.Record{Publication: wire.Publication{Payload: wire.Payload{Kind: wire.PayloadText, Bytes: []byte(payload)}}}
	r.engine.Append(name, []channel.Record{record}, func(_ wire.Epoch, placed []channel.Placed, err error) {
		if err != nil {
			r.t.Errorf("publish to %s: %v", name, err)
			return
		}
		offset = placed[0].Offset
	})
	return offset
}

// tokens knows one token for each user, "token-<user>", and whoever comes without one.
type tokens struct{}

func (tokens) Authenticate(_ context.Context, c auth.Credential) (*auth.Principal, error) {
	user, ok := strings.CutPrefix(c.Token, "token-")
	if !ok {
		return nil, wire.Errorf(wire.CodeUnauthenticated, "the token is not one of this gateway")
	}
	return principal(user), nil
}

// principal may do everything that can be granted, but with channels whose first word is secret.
func principal(user string) *auth.Principal {
	may := []string{"a", "b", "c", "chat.>", "order.>", "t.*"}
	rights, err := auth.NewRights(auth.Grants{Publish: may, Subscribe: may, Call: []string{">"}, Presence: may})
	if err != nil {
		panic(err)
	}
	return &auth.Principal{UserID: user, Method: auth.MethodDevelopment, Rights: rights}
}

// client is the far end of a line, and the transport on the near one.
type client struct {
	rig     *rig
	s       *Session
	line    *testLine
	format  lineFormat
	pending []string // frames that the session had no room for
	read    int      // bytes of the line that hear has taken apart
	gone    bool
}

// open begins a session that the request has authenticated as p, or not at all when p is nil.
func (r *rig) open(p *auth.Principal) *client { return r.openAs(p, jsonLine) }

func (r *rig) openAs(p *auth.Principal, format lineFormat) *client {
	if err := r.hub.Enter(); err != nil {
		r.t.Fatal(err)
	}
	c := &client{rig: r, format: format, line: &testLine{room: endless, reading: true}}
	c.line.resumed = func() { r.loop.Post(c.feed) }
	c.s = r.shard.begin(c.line, format, p)
	r.clients = append(r.clients, c)
	return c
}

// joined is a client that has connected; what it heard of it is behind.
func (r *rig) joined(user string) *client {
	r.t.Helper()
	c := r.open(principal(user))
	c.say(`{"type":"connect","requestId":"c"}`)
	if events := c.hear(); len(events) != 1 || events[0].body().Type() != wire.TypeConnected {
		r.t.Fatalf("connect was answered with %v", events)
	}
	return c
}

// say sends frames in one read, as JSON, and lets the loop come to rest.
func (c *client) say(frames ...string) {
	c.tell(frames...)
	c.rig.settle()
}

// tell sends frames in one read.
func (c *client) tell(frames ...string) {
	if c.gone {
		return
	}
	c.s.Heard()
	c.pending = append(c.pending, frames...)
	c.feed()
}

// feed passes on what the session has room for, as a transport does.
func (c *client) feed() {
	if c.gone {
		return
	}
	for len(c.pending) > 0 && !c.s.Full() && !c.s.Closing() {
		data := []byte(c.pending[0])
		c.pending = c.pending[1:]
		if c.format.codec == wire.Protobuf {
			data = recode(c.rig.t, data)
		}
		c.s.Frame(data)
		clear(data) // it was the transport's
	}
	c.s.Flush()
}

// recode turns a JSON frame into the same in Protobuf.
func recode(t testing.TB, data []byte) []byte {
	var d wire.Decoder
	var f wire.Frame
	if err := d.Decode(wire.JSON, data, &f); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return wire.Protobuf.Append(nil, &f)
}

// take makes room for n more bytes, or for all when n is endless, and tells the session if it waits for room.
func (c *client) take(n int) {
	if c.gone {
		return
	}
	if n == endless {
		c.line.room = endless
	} else {
		c.line.room = max(c.line.room, 0) + n
	}
	if c.line.owing && c.line.room != 0 {
		c.line.owing = false
		c.s.Writable()
	}
}

// stop makes the line take nothing more.
func (c *client) stop() { c.line.room = 0 }

// hang ends the line from the far end.
func (c *client) hang() {
	if !c.gone {
		c.gone = true
		c.s.Closed(nil)
	}
}

// hear returns what has arrived since it was called last.
func (c *client) hear() []event {
	c.rig.t.Helper()
	events, rest, err := c.format.parse(c.line.got[c.read:])
	if err != nil {
		c.rig.t.Fatal(err)
	}
	c.read = len(c.line.got) - len(rest)
	return events
}

// messages are the offsets among events that are messages of a channel.
func messages(events []event, name wire.ChannelName) []wire.Offset {
	var offsets []wire.Offset
	for _, e := range events {
		if m, ok := e.body().(*wire.Message); ok && m.Channel == name {
			offsets = append(offsets, m.Offset)
		}
	}
	return offsets
}

const endless = -1

// testLine takes as many bytes as the test allows.
type testLine struct {
	room    int // bytes taken before writes are cut short; endless
	most    int // taken in one write; 0 is no bound
	fail    error
	pause   time.Duration // of each write, in a bubble: writes take time
	discard bool

	got     []byte
	writes  int
	owing   bool // a write was cut short: Writable must follow
	timer   time.Time
	reading bool
	resumed func() // reading was switched on
	shut    int
	closed  bool
}

// begin makes a session of its own.
func (sh *Shard) begin(line Line, format Format, p *auth.Principal) *Session {
	s := &Session{}
	s.Begin(sh, line, format, p)
	return s
}

func (l *testLine) Write(parts [][]byte) (int, error) {
	b := parts[0]
	if len(parts) > 1 {
		b = slices.Concat(parts...)
	}
	l.writes++
	if l.pause > 0 {
		time.Sleep(l.pause)
	}
	if l.fail != nil {
		return 0, l.fail
	}
	n := len(b)
	if l.most > 0 {
		n = min(n, l.most)
	}
	if l.room != endless {
		n = min(n, l.room)
		l.room -= n
	}
	if !l.discard {
		l.got = append(l.got, b[:n]...)
	}
	l.owing = n < len(b)
	return n, nil
}

func (l *testLine) SetTimer(at time.Time) { l.timer = at }

func (l *testLine) SetReading(on bool) {
	l.reading = on
	if on && l.resumed != nil {
		l.resumed()
	}
}

func (l *testLine) Shutdown() { l.shut++ }
func (l *testLine) Close()    { l.closed = true }

// lineFormat puts a kind and a length before everything, so that a test can take a line's bytes apart.
type lineFormat struct {
	id    channel.FormatID
	codec wire.Codec
}

var (
	jsonLine     = lineFormat{0, wire.JSON}
	protobufLine = lineFormat{1, wire.Protobuf}
)

const (
	kindFrame = 'F'
	kindPing  = 'P'
	kindClose = 'C'

	kindHeader = 1 + 4
)

func (f lineFormat) ID() channel.FormatID { return f.id }
func (f lineFormat) Codec() wire.Codec    { return f.codec }

func (f lineFormat) AppendFrame(dst []byte, frame *wire.Frame) []byte {
	start := len(dst)
	return seal(f.codec.Append(append(dst, kindFrame, 0, 0, 0, 0), frame), start)
}

func (f lineFormat) AppendMessage(dst []byte, m *wire.Message) []byte {
	start := len(dst)
	return seal(f.codec.AppendMessage(append(dst, kindFrame, 0, 0, 0, 0), m), start)
}

func (lineFormat) AppendPing(dst []byte) []byte { return append(dst, kindPing, 0, 0, 0, 0) }

func (lineFormat) AppendClose(dst []byte, code wire.CloseCode, reason string) []byte {
	start := len(dst)
	dst = append(dst, kindClose, 0, 0, 0, 0, byte(code>>8), byte(code))
	return seal(append(dst, reason...), start)
}

func seal(b []byte, start int) []byte {
	binary.BigEndian.PutUint32(b[start+1:], uint32(len(b)-start-kindHeader))
	return b
}

// event is one thing that arrived on a line.
type event struct {
	kind  byte
	frame wire.Frame // of kindFrame
	code  wire.CloseCode
	raw   []byte
}

// body is the frame's, or nil.
func (e event) body() wire.Body { return e.frame.Body }

func (e event) String() string {
	switch e.kind {
	case kindFrame:
		return string(wire.JSON.Append(nil, &e.frame))
	case kindClose:
		return fmt.Sprintf("close %d", e.code)
	}
	return "ping"
}

// parse takes bytes apart, and returns what is not whole yet.
func (f lineFormat) parse(b []byte) (events []event, rest []byte, err error) {
	for len(b) >= kindHeader {
		size := kindHeader + int(binary.BigEndian.Uint32(b[1:]))
		if size > 1<<20 {
			return events, b, errors.New("the line is out of step")
		}
		if len(b) < size {
			break
		}
		e := event{kind: b[0], raw: b[:size]}
		switch e.kind {
		case kindFrame:
			var d wire.Decoder
			if err := d.Decode(f.codec, b[kindHeader:size], &e.frame); err != nil {
				return events, b, fmt.Errorf("%q: %w", b[:size], err)
			}
		case kindClose:
			e.code = wire.CloseCode(binary.BigEndian.Uint16(b[kindHeader:]))
		case kindPing:
		default:
			return events, b, fmt.Errorf("the line is out of step at %q", b[:size])
		}
		events = append(events, e)
		b = b[size:]
	}
	return events, b, nil
}
