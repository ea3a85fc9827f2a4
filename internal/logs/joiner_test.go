package logs_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/magpie-bridge/magpie/internal/logs"
)

// take reads what the joiner has at a time, and checks that the texts lie one behind the other in the stream.
func take(t *testing.T, j *logs.Joiner, at time.Time) []string {
	t.Helper()
	var texts []string
	for {
		text, ok := j.Next(at)
		if !ok {
			return texts
		}
		if text.Offset+text.Length != j.Offset() {
			t.Errorf("text at %d of %d bytes, but the joiner stands at %d", text.Offset, text.Length, j.Offset())
		}
		texts = append(texts, string(text.Bytes))
	}
}

func want(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func TestJoinerJoinsStackTraces(t *testing.T) {
	j := logs.NewJoiner(100)
	j.Write([]byte("boom\n\tat A.b\r\n\t... 3 more\nCaused by: x\n\nnext\n{\"a\":1}\n  alone\n"), now)
	want(t, "at once", take(t, j, now), "boom\n\tat A.b\r\n\t... 3 more\nCaused by: x", "next", `{"a":1}`)
	want(t, "before the wait is over", take(t, j, now.Add(logs.JoinWait-1)))
	if !j.Waits() {
		t.Error("the joiner holds a line but does not say that it waits")
	}
	want(t, "after the wait", take(t, j, now.Add(logs.JoinWait)), "  alone")
	if j.Waits() {
		t.Error("the joiner holds nothing but says that it waits")
	}
}

func TestJoinerHoldsPartialLines(t *testing.T) {
	j := logs.NewJoiner(0)
	j.Write([]byte("on"), now)
	want(t, "a part", take(t, j, now.Add(logs.PartialWait-1)))
	later := now.Add(time.Second)
	j.Write([]byte("e\ntw"), later)
	want(t, "the rest", take(t, j, later.Add(logs.JoinWait)), "one")
	want(t, "after long quiet", take(t, j, later.Add(logs.PartialWait)), "tw")
	j.Write([]byte("o\nthree"), later)
	text, ok := j.Flush()
	if !ok || string(text.Bytes) != "o" {
		t.Errorf("flush: %q, %v, want the rest of the line given out before", text.Bytes, ok)
	}
	text, ok = j.Flush()
	if !ok || string(text.Bytes) != "three" {
		t.Errorf("flush: %q, %v, want the partial line", text.Bytes, ok)
	}
	if _, ok = j.Flush(); ok {
		t.Error("flush gave something from nothing")
	}
}

func TestJoinerBoundsWhatItJoins(t *testing.T) {
	j := logs.NewJoiner(0)
	j.Write([]byte("first\n"+strings.Repeat("\tat x\n", 3*logs.MaxJoinedLines)), now)
	texts := take(t, j, now.Add(logs.JoinWait))
	for _, text := range texts {
		if n := strings.Count(text, "\n") + 1; n > logs.MaxJoinedLines {
			t.Errorf("%d lines joined, want at most %d", n, logs.MaxJoinedLines)
		}
	}
	if len(texts) != 4 {
		t.Errorf("%d texts, want 4", len(texts))
	}

	j.Write([]byte("first\n"), now)
	for range 40 {
		j.Write([]byte("\t"+strings.Repeat("x", 5_000)+"\n"), now)
		for _, text := range take(t, j, now) {
			if len(text) > logs.MaxLineBytes {
				t.Errorf("%d bytes joined, want at most %d", len(text), logs.MaxLineBytes)
			}
		}
	}
}

func TestJoinerCutsLongLines(t *testing.T) {
	long := strings.Repeat("x", 5*logs.MaxLineBytes)
	for _, chunk := range []int{1 << 20, 100_000, 4096} {
		t.Run(fmt.Sprint(chunk), func(t *testing.T) {
			j := logs.NewJoiner(0)
			var texts []logs.Text
			for piece := range slices.Chunk([]byte("a\n"+long+"\nb\n"), chunk) {
				j.Write(piece, now)
				for text, ok := j.Next(now); ok; text, ok = j.Next(now) {
					text.Bytes = bytes.Clone(text.Bytes)
					texts = append(texts, text)
				}
			}
			for text, ok := j.Flush(); ok; text, ok = j.Flush() {
				texts = append(texts, text)
			}
			if len(texts) != 3 {
				t.Fatalf("%d texts, want 3", len(texts))
			}
			middle := texts[1]
			if len(middle.Bytes) != logs.MaxLineBytes || middle.Cut != 4*logs.MaxLineBytes || middle.Offset != 2 || middle.Length != int64(len(long)+1) {
				t.Errorf("%d bytes, %d cut, offset %d, length %d", len(middle.Bytes), middle.Cut, middle.Offset, middle.Length)
			}
			if last := texts[2]; string(last.Bytes) != "b" || last.Offset != int64(len(long)+3) {
				t.Errorf("then %q at %d, want b at %d", last.Bytes, last.Offset, len(long)+3)
			}
		})
	}
}

func TestJoinerSkipsHoles(t *testing.T) {
	j := logs.NewJoiner(0)
	j.Write(make([]byte, 200_000), now)
	j.Write([]byte("\x00\x00after\nnext\n"), now)
	text, ok := j.Next(now)
	if !ok || string(text.Bytes) != "after" || text.Offset != 200_002 {
		t.Errorf("%q at %d, want after at 200002", text.Bytes, text.Offset)
	}
}

// However the stream is cut into writes, the texts are the same and together cover it.
func FuzzJoiner(f *testing.F) {
	f.Add([]byte("a\n\tb\n\n{}\nc"), byte(1))
	f.Add([]byte("\x00\x00a\r\nCaused by: x\n"), byte(3))
	f.Add([]byte("a\njava.lang.IllegalStateException: x\n\tat A.b\n"), byte(2))
	f.Fuzz(func(t *testing.T, stream []byte, chunk byte) {
		texts := func(chunk int) (all []string) {
			j := logs.NewJoiner(0)
			for piece := range slices.Chunk(stream, chunk) {
				j.Write(piece, now)
				all = append(all, take(t, j, now)...)
			}
			for text, ok := j.Flush(); ok; text, ok = j.Flush() {
				all = append(all, string(text.Bytes))
			}
			if j.Offset() != int64(len(stream)) {
				t.Fatalf("the joiner ends at %d of %d", j.Offset(), len(stream))
			}
			return all
		}
		whole, pieces := texts(max(len(stream), 1)), texts(int(chunk)+1)
		if !slices.Equal(whole, pieces) && bytes.IndexByte(stream, 0) < 0 {
			t.Fatalf("in pieces %q, in one %q", pieces, whole)
		}
	})
}

func TestLevels(t *testing.T) {
	for word, level := range map[string]logs.Level{
		"INFO": logs.LevelInfo, "Warning": logs.LevelWarn, "dpanic": logs.LevelFatal, "ERROR+4": logs.LevelError,
		"": logs.LevelUnknown, "information!": logs.LevelUnknown, "x-ray": logs.LevelUnknown, "unbelievably long": logs.LevelUnknown,
	} {
		if got, _ := logs.ParseLevel(word); got != level {
			t.Errorf("ParseLevel(%q) = %q, want %q", word, got, level)
		}
	}
	ordered := []logs.Level{logs.LevelUnknown, logs.LevelTrace, logs.LevelDebug, logs.LevelInfo, logs.LevelWarn, logs.LevelError, logs.LevelFatal}
	if !slices.IsSorted(ordered) {
		t.Errorf("%v is not the order of the levels", ordered)
	}
}

func TestAnExceptionBelongsToTheLineBefore(t *testing.T) {
	for line, joined := range map[string]bool{
		"java.lang.IllegalStateException: no":        true,
		"java.lang.OutOfMemoryError":                 true,
		"com.shop.Order$Full_Exception: 7 of 7":      true,
		"Exception in thread \"main\" java.lang.Foo": false,
		"Error: it failed":                           false,
		"2026-11-20 order.Error: x":                  false,
		".Error":                                     false,
	} {
		now := time.Unix(1, 0)
		var j logs.Joiner
		j.Write([]byte("ERROR it failed\n"+line+"\nnext\n"), now)
		texts := []string{"ERROR it failed", line}
		if joined {
			texts = []string{"ERROR it failed\n" + line}
		}
		want(t, line, take(t, &j, now), texts...)
	}
}
