package file

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestRotationByRename(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		noEvents bool
		rotation int // lines in a file
		pause    time.Duration
	}{
		{"events", false, 500, 0},
		{"polling", true, 500, 300 * time.Millisecond},
		{"polling, faster than it", true, 200, 20 * time.Millisecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "app.log")
			write(t, path, "")
			g := newGateway()
			g.failures = rand.New(rand.NewPCG(3, 4))
			f := follow(t, g, Options{Paths: []string{path}, NoEvents: tt.noEvents}, nil)
			f.files(1)
			const files = 8
			var want []string
			for n := range files {
				if n > 0 {
					time.Sleep(tt.pause) // sets the pace; what is checked does not depend on it
					for old := n - 1; old >= 1; old-- {
						rename(t, fmt.Sprintf("%s.%d", path, old), fmt.Sprintf("%s.%d", path, old+1))
					}
					rename(t, path, path+".1")
				}
				for i := 0; i < tt.rotation; i += 20 {
					text, lines := numbered(n*tt.rotation+i, n*tt.rotation+i+20)
					write(t, path, text)
					want = append(want, lines...)
					time.Sleep(time.Millisecond / 2)
				}
			}
			f.until("all lines", func() bool { return len(g.messages()) >= len(want) })
			f.stop()
			firstDifference(t, g.messages(), want)
		})
	}
}

// A program writes to the file that was renamed until it is told to open the new one.
func TestRotationWithALateWriter(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "app.log")
	write(t, path, "")
	f := follow(t, newGateway(), Options{Paths: []string{path}}, func(t *Tailer) { t.quiet = 500 * time.Millisecond })
	f.files(1)
	write(t, path, "1\n")
	rename(t, path, path+".1")
	write(t, path, "")
	f.files(2)
	write(t, path+".1", "2\n")
	f.expect("1", "2")
	write(t, path+".1", "3\n")
	write(t, path, "4\n")
	f.expect("1", "2", "3", "4")
	f.files(1) // the old file is let go
	write(t, path, "5\n")
	f.expect("1", "2", "3", "4", "5")
}

// What was written to the old file before the new one had its first line comes first, even if nobody told of it.
func TestOldFileIsReadToItsEndFirst(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "app.log")
	g := newGateway()
	tailer, err := New(Options{Paths: []string{path}, Publisher: g, Channel: "logs.test", NoEvents: true})
	if err != nil {
		t.Fatal(err)
	}
	w, r := newWatcher(tailer), newReader(tailer)
	pass := func() {
		if _, err := r.pass(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	write(t, path, "1\n")
	w.scan()
	pass()
	rename(t, path, path+".1")
	write(t, path, "")
	w.scan()
	pass()
	write(t, path+".1", "2\n")
	write(t, path, "3\n")
	write(t, path, "4\n") // so that 3 does not wait to be continued
	tailer.listed()[1].dirty.Store(true)
	pass()
	r.finish(t.Context())
	tailer.batcher.Close()
	if err := tailer.batcher.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := g.messages(); !slices.Equal(got, []string{"1", "2", "3", "4"}) {
		t.Errorf("published %q, want 1, 2, 3, 4", got)
	}
	for _, g := range tailer.listed() {
		if err := g.file.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A pattern that also matches rotated files must not read them a second time.
func TestRotationWithinAPattern(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "app.log")
	write(t, path, "1\n")
	f := follow(t, newGateway(), Options{Paths: []string{path + "*"}}, nil)
	f.expect("1")
	rename(t, path, path+".1")
	write(t, path, "2\n")
	f.expect("1", "2")
	rename(t, path+".1", path+".2")
	rename(t, path, path+".1")
	write(t, path, "3\n")
	f.expect("1", "2", "3")
	f.files(3)
}

func TestCopyTruncate(t *testing.T) {
	t.Parallel()
	for _, noEvents := range []bool{false, true} {
		t.Run(fmt.Sprint("polling ", noEvents), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "app.log")
			write(t, path, "first\nsecond\n")
			f := follow(t, newGateway(), Options{Paths: []string{path}, NoEvents: noEvents}, nil)
			f.expect("first", "second")
			for _, step := range []struct{ text, want string }{
				{"short\n", "short"},
				{"other\n", "other"}, // as long as before
				{"longer than it was before\n", "longer than it was before"}, // and longer
			} {
				before := f.gateway.messages()
				if err := os.WriteFile(path, []byte(step.text), 0o600); err != nil {
					t.Fatal(err)
				}
				f.expect(append(before, step.want)...)
			}
			if n := f.Stats().Truncations; n != 3 {
				t.Errorf("%d truncations counted, want 3", n)
			}
		})
	}
}

// Programs that begin each log with the same long greeting leave the first bytes as they were.
func TestCopyTruncateWithTheSameBeginning(t *testing.T) {
	t.Parallel()
	banner := strings.Repeat("=", headBytes)
	path := filepath.Join(t.TempDir(), "app.log")
	f := follow(t, newGateway(), Options{Paths: []string{path}}, nil)
	var want []string
	for _, line := range []string{"first line", "other line", "a line that is longer", "short"} {
		if err := os.WriteFile(path, []byte(banner+"\n"+line+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		want = append(want, banner, line)
		f.expect(want...)
	}
	if n := f.Stats().Truncations; n != 3 {
		t.Errorf("%d truncations counted, want 3", n)
	}
}

// The same lines after a truncation are new lines, although they stand at the same offsets of the same file.
func TestTruncationWithTheSameText(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "app.log")
	write(t, path, "begin\nend\n")
	f := follow(t, newGateway(), Options{Paths: []string{path}}, nil)
	f.expect("begin", "end")
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	f.until("the truncation is seen", func() bool { return f.Stats().Truncations == 1 })
	write(t, path, "begin\nend\n")
	f.expect("begin", "end", "begin", "end")
}

// A writer that keeps its offset leaves a hole where the truncated text was.
func TestTruncationUnderAWriterThatKeepsItsOffset(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "app.log")
	w, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	f := follow(t, newGateway(), Options{Paths: []string{path}}, nil)
	f.files(1)
	text, want := numbered(0, 5000)
	if _, err = w.WriteString(text); err != nil {
		t.Fatal(err)
	}
	f.expect(want...)
	if err = os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	if _, err = w.WriteString("after\n"); err != nil {
		t.Fatal(err)
	}
	f.expect(append(want, "after")...)
}

func TestDeletionAndInodeReuse(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "app.log")
	var want []string
	f := follow(t, newGateway(), Options{Paths: []string{path}}, func(t *Tailer) { t.quiet = 50 * time.Millisecond })
	f.until("it is told", func() bool { return strings.Contains(f.log.String(), "not there yet") })
	for range 5 { // with the same text, and most likely the same inode, each time
		write(t, path, "a\nb\n")
		want = append(want, "a", "b")
		f.expect(want...)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		f.files(0)
	}
}
