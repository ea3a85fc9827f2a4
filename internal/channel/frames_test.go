package channel

import (
	"bytes"
	"testing"
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

func TestFramesFromEveryOffsetWithinEveryLimit(t *testing.T) {
	l, _ := testLog(keepAll())
	fill(t, l, 100) // several chunks
	for f := range FormatID(2) {
		for first := wire.Offset(1); first <= l.Tail(); first++ {
			for limit := range 400 {
				b, ok := l.Frames(f, first, limit)
				if !ok || b.First != first || b.After <= first || b.After > l.Tail()+1 {
					t.Fatalf("Frames(%d, %d, %d): First %d, After %d, %t", f, first, limit, b.First, b.After, ok)
				}
				if n := b.After - b.First; n > 1 && len(b.Bytes) > limit {
					t.Fatalf("%d frames have %d bytes, more than %d", n, len(b.Bytes), limit)
				}
				if limit%50 != 0 {
					continue
				}
				checkRun(t, b, parsePlain(t, b.Bytes))
			}
		}
	}
}

// checkRun checks that frames are those from b.First to b.After of a log that fill made.
func checkRun(t testing.TB, b Batch, frames []plainFrame) {
	t.Helper()
	if len(frames) != int(b.After-b.First) {
		t.Fatalf("%d frames from %d to %d", len(frames), b.First, b.After)
	}
	for i, frame := range frames {
		offset := b.First + wire.Offset(i)
		if frame.offset != offset || frame.payload[:len(numbered(offset))] != numbered(offset) {
			t.Fatalf("frame %d of the run from %d is entry %d, %q", i, b.First, frame.offset, frame.payload)
		}
	}
}

func TestFramesFillTheirLimit(t *testing.T) {
	l, _ := testLog(keepAll())
	for range 10 {
		add(t, l, text("0123456789"))
	}
	size := len("0123456789") + plainHeader
	for _, test := range []struct{ limit, want int }{
		{0, 1}, {1, 1}, {size, 1}, {2*size - 1, 1}, {2 * size, 2}, {3*size - 1, 2}, {9*size + 1, 9}, {10 * size, 10}, {1 << 20, 10},
	} {
		b, _ := l.Frames(0, 1, test.limit)
		if got := int(b.After - b.First); got != test.want {
			t.Errorf("a limit of %d bytes gives %d frames, want %d", test.limit, got, test.want)
		}
	}
}

func TestFramesBehindTheTailAreEmpty(t *testing.T) {
	l, _ := testLog(keepAll())
	for range 2 {
		b, ok := l.Frames(0, l.Tail()+1, 100)
		if !ok || len(b.Bytes) != 0 || b.First != l.Tail()+1 || b.After != b.First {
			t.Errorf("behind the tail: %+v, %t", b, ok)
		}
		fill(t, l, 3)
	}
}

func TestCutAtEveryByte(t *testing.T) {
	l, _ := testLog(keepAll())
	fill(t, l, 40)
	for first := wire.Offset(1); first <= l.Tail(); first++ {
		b, _ := l.Frames(0, first, 200)
		frames := parsePlain(t, b.Bytes)
		end, whole := 0, 0 // of the frames that end at or before n
		for n := range len(b.Bytes) + 1 {
			if whole < len(frames) && n == end+frames[whole].size {
				end += frames[whole].size
				whole++
			}
			wantNext, wantRest := first+wire.Offset(whole), []byte(nil)
			if n > end {
				wantNext++
				wantRest = b.Bytes[n : end+frames[whole].size]
			}
			next, rest := b.Cut(n)
			if next != wantNext || !bytes.Equal(rest, wantRest) {
				t.Fatalf("Cut(%d) of the run from %d: %d and %d bytes, want %d and %d", n, first, next, len(rest), wantNext, len(wantRest))
			}
		}
	}
}

// TestABatchOutlivesItsLog holds frames while everything beneath them is dropped.
func TestABatchOutlivesItsLog(t *testing.T) {
	l, _ := testLog(keepAll())
	fill(t, l, 30)
	b, _ := l.Frames(0, 2, 300)
	before := bytes.Clone(b.Bytes)
	l.Sweep()
	l.Sweep()
	for l.DropOldest() {
		continue
	}
	fill(t, l, 100)
	l.Close(true)
	if !bytes.Equal(b.Bytes, before) {
		t.Error("a batch changed while it was held")
	}
	checkRun(t, b, parsePlain(t, b.Bytes))
}

func TestViewsLastAsLongAsTheyAreRead(t *testing.T) {
	l, _ := testLog(keepAll())
	fill(t, l, 50)
	bare := l.Cost()
	l.Frames(0, 1, 1<<20)
	l.Frames(1, 1, 1<<20)
	if l.Cost() <= bare {
		t.Fatal("views cost nothing")
	}
	l.Sweep()
	l.Frames(0, 1, 1)
	both := l.Cost()
	l.Sweep()
	if one := l.Cost(); one <= bare || one >= both {
		t.Errorf("cost %d after one of two formats fell idle: want between %d and %d", one, bare, both)
	}
	l.Sweep()
	if got := l.Cost(); got != bare {
		t.Errorf("cost %d after both fell idle, want %d", got, bare)
	}
	b, ok := l.Frames(0, 1, 1<<20)
	if !ok {
		t.Fatal("no frames after a sweep")
	}
	checkRun(t, b, parsePlain(t, b.Bytes))
}

func TestViewsGrowWithTheirChunk(t *testing.T) {
	l, c := testLog(keepAll())
	for range 300 {
		fill(t, l, 1)
		c.advance(time.Millisecond)
		b, ok := l.Frames(1, l.Tail(), 1<<20)
		if !ok || b.After != l.Tail()+1 {
			t.Fatalf("the newest entry %d cannot be read: After %d, %t", l.Tail(), b.After, ok)
		}
		checkRun(t, b, parsePlain(t, b.Bytes))
	}
}

func TestHotFramesAllocateNothing(t *testing.T) {
	l, _ := testLog(keepAll())
	fill(t, l, 200)
	next := wire.Offset(1)
	for next <= l.Tail() {
		b, _ := l.Frames(0, next, 1<<20)
		next = b.After
	}
	sum := 0
	if n := testing.AllocsPerRun(1000, func() {
		b, _ := l.Frames(0, 150, 4096)
		_, rest := b.Cut(len(b.Bytes) / 2)
		sum += len(rest)
	}); n != 0 {
		t.Errorf("frames of a hot view allocate %v times, want never", n)
	}
	var m wire.Message
	if n := testing.AllocsPerRun(1000, func() { l.Read(150, &m) }); n != 0 {
		t.Errorf("reading an entry allocates %v times, want never", n)
	}
}
