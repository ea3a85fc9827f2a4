package channel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// clock is a time that the test moves.
type clock struct {
	mu sync.Mutex // guards now
	at time.Time
}

func newClock() *clock { return &clock{at: time.UnixMilli(1_789_000_000_000)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// plainFormat lays an entry down as its length, its offset and its payload, so that a test can take frames apart.
type plainFormat struct{ overhead int }

const plainHeader = 4 + 8

func (p plainFormat) AppendMessage(dst []byte, m *wire.Message) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(plainHeader+len(m.Payload.Bytes)+p.overhead))
	dst = binary.BigEndian.AppendUint64(dst, uint64(m.Offset))
	dst = append(dst, m.Payload.Bytes...)
	return append(dst, make([]byte, p.overhead)...)
}

// plainFrame is one frame of plainFormat taken apart.
type plainFrame struct {
	offset  wire.Offset
	payload string
	size    int
}

func parsePlain(t testing.TB, b []byte) []plainFrame {
	t.Helper()
	var frames []plainFrame
	for len(b) > 0 {
		if len(b) < plainHeader || len(b) < int(binary.BigEndian.Uint32(b)) {
			t.Fatalf("%d bytes are no whole frame: %x", len(b), b)
		}
		size := int(binary.BigEndian.Uint32(b))
		frames = append(frames, plainFrame{
			offset:  wire.Offset(binary.BigEndian.Uint64(b[4:])),
			payload: string(b[plainHeader:size]),
			size:    size,
		})
		b = b[size:]
	}
	return frames
}

// keepAll is a retention that a test does not reach.
func keepAll() Retention { return Retention{Messages: 1 << 30, Bytes: 1 << 40, Age: 1000 * time.Hour} }

func testLog(r Retention) (*Log, *clock) {
	c := newClock()
	space := NewSpace(NewBudget(0), c.now, plainFormat{}, plainFormat{overhead: 40})
	return space.NewLog("test.log", "e1", r), c
}

func text(payload string) Record {
	return Record{Publication: wire.Publication{Payload: wire.Payload{Kind: wire.PayloadText, Bytes: []byte(payload)}}}
}

func identified(publisher, id, payload string) Record {
	r := text(payload)
	r.Publisher, r.MessageID = publisher, id
	return r
}

// numbered is the payload that fill gives the entry at offset.
func numbered(offset wire.Offset) string { return fmt.Sprintf("entry %d", offset) }

// fill appends n entries, one by one.
func fill(t testing.TB, l *Log, n int) {
	t.Helper()
	for range n {
		add(t, l, text(numbered(l.Tail()+1)))
	}
}

func add(t testing.TB, l *Log, records ...Record) []Placed {
	t.Helper()
	placed, err := l.Append(records, nil)
	if err != nil {
		t.Fatalf("Append: %v", err)
	}
	return placed
}

func TestAppendNumbersFromOne(t *testing.T) {
	l, _ := testLog(keepAll())
	if l.Head() != 1 || l.Tail() != 0 {
		t.Fatalf("an empty log has head %d and tail %d, want 1 and 0", l.Head(), l.Tail())
	}
	add(t, l, text("a"))
	placed := add(t, l, text("b"), text("c"))
	if len(placed) != 2 || placed[0] != (Placed{Offset: 2}) || placed[1] != (Placed{Offset: 3}) {
		t.Errorf("placed %+v, want offsets 2 and 3", placed)
	}
	var m wire.Message
	for offset, want := range map[wire.Offset]string{1: "a", 2: "b", 3: "c"} {
		if !l.Read(offset, &m) || string(m.Payload.Bytes) != want || m.Offset != offset || m.Channel != "test.log" {
			t.Errorf("entry %d is %+v, want payload %q", offset, m, want)
		}
	}
	if l.Read(0, &m) || l.Read(4, &m) {
		t.Error("entries outside of head and tail are readable")
	}
}

func TestAppendKeepsWhatWasPlacedBefore(t *testing.T) {
	l, _ := testLog(keepAll())
	placed, err := l.Append([]Record{text("a")}, []Placed{{Offset: 99}})
	if err != nil || len(placed) != 2 || placed[0].Offset != 99 || placed[1].Offset != 1 {
		t.Errorf("placed %+v, %v: want 99 and then 1", placed, err)
	}
}

func TestAppendCopies(t *testing.T) {
	l, _ := testLog(keepAll())
	payload := []byte("before")
	r := Record{Publication: wire.Publication{Payload: wire.Payload{Kind: wire.PayloadText, Bytes: payload}}}
	add(t, l, r)
	copy(payload, "after!")
	var m wire.Message
	l.Read(1, &m)
	if string(m.Payload.Bytes) != "before" {
		t.Errorf("the log holds %q: it kept the caller's bytes", m.Payload.Bytes)
	}
}

func TestEntriesOfEverySizeAreReadable(t *testing.T) {
	l, _ := testLog(keepAll())
	var want []string
	for _, size := range []int{0, 1, 900, 1000, 1024, 1025, 63, 64, 5000, 2 * maxChunkBytes, 3, 0, 0} {
		want = append(want, string(bytes.Repeat([]byte{'a' + byte(len(want))}, size)))
		add(t, l, text(want[len(want)-1]))
	}
	var m wire.Message
	next := wire.Offset(1)
	for i, payload := range want {
		if !l.Read(wire.Offset(i+1), &m) || string(m.Payload.Bytes) != payload {
			t.Errorf("entry %d of %d bytes is not what was appended", i+1, len(payload))
		}
	}
	for next <= l.Tail() {
		b, ok := l.Frames(0, next, 1)
		if !ok || b.First != next || b.After != next+1 {
			t.Fatalf("Frames(%d): First %d, After %d, %t", next, b.First, b.After, ok)
		}
		if got := parsePlain(t, b.Bytes); len(got) != 1 || got[0].payload != want[next-1] {
			t.Fatalf("the frame at %d is not what was appended", next)
		}
		next = b.After
	}
}

func TestTimestampsNeverGoBack(t *testing.T) {
	l, c := testLog(keepAll())
	var m wire.Message
	last := int64(0)
	for i, jump := range []time.Duration{0, time.Second, -time.Hour, time.Millisecond, 30 * time.Minute, 31 * time.Minute, -time.Nanosecond} {
		c.advance(jump)
		add(t, l, text("x"))
		l.Read(l.Tail(), &m)
		if m.Timestamp < last {
			t.Errorf("entry %d is stamped %d, the one before %d", i+1, m.Timestamp, last)
		}
		last = m.Timestamp
	}
	if want := c.now().UnixMilli(); last < want {
		t.Errorf("the newest entry is stamped %d, before the clock's %d", last, want)
	}
}

func TestClosedLogRefuses(t *testing.T) {
	l, _ := testLog(keepAll())
	add(t, l, text("a"))
	if l.Close(false) {
		t.Fatal("a log with an entry was evicted without force")
	}
	if !l.Close(true) || !l.Close(false) {
		t.Fatal("a log did not close by force, or not twice")
	}
	if _, err := l.Append([]Record{text("b")}, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("Append after Close: %v, want ErrClosed", err)
	}
	if l.Watch(NewWatch(func(*Watch) {})) {
		t.Error("a closed log took a watch")
	}
	if _, ok := l.Frames(0, 1, 100); ok {
		t.Error("a closed log still hands out frames")
	}
}

func TestWatchKeepsALogOpen(t *testing.T) {
	l, c := testLog(keepAll())
	w := NewWatch(func(*Watch) {})
	l.Watch(w)
	if since := l.Sweep(); !since.IsZero() {
		t.Errorf("a watched log is idle since %v", since)
	}
	if l.Close(false) {
		t.Fatal("a watched log was evicted")
	}
	c.advance(time.Minute)
	l.Unwatch(w)
	if since := l.Sweep(); !since.Equal(c.now()) {
		t.Errorf("idle since %v, want since the watch ended at %v", since, c.now())
	}
	if !l.Close(false) {
		t.Error("an empty log that nobody watches was not evicted")
	}
}

func TestWatchIsToldOnceUntilCleared(t *testing.T) {
	l, _ := testLog(keepAll())
	told := 0
	w := NewWatch(func(*Watch) { told++ })
	l.Watch(w)
	add(t, l, text("a"))
	add(t, l, text("b"), text("c"))
	if told != 1 {
		t.Errorf("told %d times before Clear, want once", told)
	}
	w.Clear()
	add(t, l, identified("p", "1", "d"))
	if told != 2 {
		t.Errorf("told %d times after Clear, want twice", told)
	}
	w.Clear()
	add(t, l, identified("p", "1", "d"))
	if told != 2 {
		t.Error("told of a tail that did not move: the message was a duplicate")
	}
	l.Unwatch(w)
	add(t, l, text("e"))
	if told != 2 {
		t.Error("told after Unwatch")
	}
}
