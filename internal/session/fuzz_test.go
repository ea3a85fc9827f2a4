package session

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzFrames sends any lines as frames, over a line that takes little at a time: nothing panics, what comes back can be
// taken apart, and nothing is owed in the end.
func FuzzFrames(f *testing.F) {
	files, err := filepath.Glob("testdata/dialogues/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		var frames []string
		for line := range strings.SplitSeq(string(text), "\n") {
			if frame, ok := strings.CutPrefix(line, "-> "); ok {
				frames = append(frames, frame)
			}
		}
		f.Add(strings.Join(frames, "\n"), 100, true)
	}
	f.Fuzz(func(t *testing.T, text string, room int, known bool) {
		if len(text) > 10_000 {
			return
		}
		r := newRig(t, rigOptions{settings: Settings{MaxOutbox: 1000}})
		user := principal("alice")
		if !known {
			user = nil
		}
		c := r.open(user)
		rests := func() bool {
			x := r.shard.expansions[c.s.slot]
			return c.s.state != stateAuthenticating && (x == nil || len(x.listings) == 0)
		}
		c.line.room = max(room%500, 0)
		c.tell(strings.Split(text, "\n")...)
		for range 10_000 {
			r.await("a worker looks at the token, or for channels", rests)
			if !c.line.owing {
				break
			}
			c.take(1 + max(room%5000, 0))
		}
		c.take(endless)
		r.await("a worker looks at the token, or for channels", rests)
		c.hear()
		if c.line.owing || len(c.line.got) != c.read || len(c.pending) > 0 && !c.s.Closing() {
			t.Errorf("owing %t, %d bytes of a frame, %d frames not read", c.line.owing, len(c.line.got)-c.read, len(c.pending))
		}
		c.hang()
		if len(r.shard.topics) != 0 || r.shard.lent {
			t.Errorf("%d topics are left, scratch lent %t", len(r.shard.topics), r.shard.lent)
		}
	})
}
