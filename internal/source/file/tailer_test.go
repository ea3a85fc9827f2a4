package file

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestBurstIsCompleteInOrderAndOnce(t *testing.T) {
	t.Parallel()
	const lines = 50_000
	path := filepath.Join(t.TempDir(), "app.log")
	write(t, path, "")
	g := newGateway()
	g.failures = rand.New(rand.NewPCG(1, 2))
	f := follow(t, g, Options{Paths: []string{path}}, nil)
	f.files(1)
	text, want := numbered(0, lines)
	write(t, path, text)
	f.until("all lines", func() bool { return len(g.messages()) >= lines })
	f.stop()
	firstDifference(t, g.messages(), want)
	if g.duplicates == 0 {
		t.Error("no batch was published twice: the test's gateway did not fail")
	}
	if s := f.Stats(); s.Records != lines || s.Bytes != int64(len(text)) || s.Published != lines || s.Retries == 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestNewFilesJoin(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.log"), "old\n")
	f := follow(t, newGateway(), Options{Paths: []string{filepath.Join(dir, "*.log"), filepath.Join(dir, "*", "*.log")}, From: FromEnd}, nil)
	f.files(1)
	write(t, filepath.Join(dir, "b.log"), "new\n")
	f.expect("new")
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "sub", "c.log"), "deep\n")
	f.expect("new", "deep")
	write(t, filepath.Join(dir, "a.log"), "more\n")
	f.expect("new", "deep", "more")
	if got, want := f.gateway.records[1].Source, filepath.Join(dir, "sub", "c.log"); got != want {
		t.Errorf("source %q, want %q", got, want)
	}
}

func TestPartialLines(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "app.log")
	write(t, path, "whole\nbegun")
	f := follow(t, newGateway(), Options{Paths: []string{path}, From: FromEnd}, nil)
	f.files(1)
	write(t, path, " and ended\npart")
	f.expect("begun and ended")
	f.expect("begun and ended", "part") // after some seconds of quiet
	write(t, path, " two\nlast")
	f.until("it is read", func() bool { return f.Stats().Bytes == int64(len("begun and ended\npart two\nlast")) })
	f.stop()
	f.expect("begun and ended", "part", " two", "last")
}

func TestStackTracesAreOneRecord(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "app.log")
	write(t, path, "ERROR boom\n\tat A.b(A.java:1)\nCaused by: x\n\t... 2 more\nINFO next\n")
	f := follow(t, newGateway(), Options{Paths: []string{path}}, nil)
	f.expect("boom\n\tat A.b(A.java:1)\nCaused by: x\n\t... 2 more", "next")
}

func TestFrom(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "app.log")
	text, lines := numbered(0, 3000)
	write(t, path, text)
	for _, tt := range []struct {
		from From
		want []string
	}{
		{FromDefault, lines[2000:]},
		{FromBeginning, lines},
		{3, lines[2997:]},
		{2500, lines[500:]},
		{5000, lines},
		{FromEnd, nil},
	} {
		t.Run(fmt.Sprint(tt.from), func(t *testing.T) {
			f := follow(t, newGateway(), Options{Paths: []string{path}, From: tt.from}, nil)
			f.files(1)
			f.until("the start", func() bool { return len(f.gateway.messages()) >= len(tt.want) })
			f.stop()
			firstDifference(t, f.gateway.messages(), tt.want)
		})
	}
}

// What is read again after a restart has the same ids.
func TestRestartPublishesTheSameIDs(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "app.log")
	text, lines := numbered(0, 1500)
	write(t, path, text)
	g := newGateway()
	f := follow(t, g, Options{Paths: []string{path}}, nil)
	f.expect(lines[500:]...)
	f.stop()
	more, moreLines := numbered(1500, 1600)
	write(t, path, more)
	f = follow(t, g, Options{Paths: []string{path}}, nil)
	f.expect(append(lines[500:], moreLines...)...)
	if g.duplicates != 900 {
		t.Errorf("%d duplicates, want the 900 lines that were read twice", g.duplicates)
	}
}

func TestWhatIsNoLogIsSkipped(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"app.log": "yes\n", "old.log.gz": "x", "wtmp": "x\n", "image": "a\x00b\n", "x.journal": "x",
	} {
		write(t, filepath.Join(dir, name), text)
	}
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	f := follow(t, newGateway(), Options{Paths: []string{filepath.Join(dir, "*")}}, nil)
	f.expect("yes")
	f.until("two more scans", func() bool { return strings.Contains(f.log.String(), "binary") })
	f.touch(dir)
	if n := strings.Count(f.log.String(), "\n"); n != 1 {
		t.Errorf("%d sentences, want one: %s", n, f.log)
	}
	for _, reason := range []string{"old.log.gz (compressed)", "wtmp (a table of logins)", "image (binary)", "x.journal (a systemd journal)", "sub (a directory)"} {
		if !strings.Contains(f.log.String(), reason) {
			t.Errorf("the log does not tell %q: %s", reason, f.log)
		}
	}
}

// touch makes a file and waits until it is followed, so that at least one more scan was done.
func (f *following) touch(dir string) {
	f.t.Helper()
	before := f.Stats().Files
	write(f.t, filepath.Join(dir, "touch.log"), "")
	f.files(before + 1)
}

func TestSymbolicLinks(t *testing.T) {
	t.Parallel()
	dir, elsewhere := t.TempDir(), t.TempDir()
	target := filepath.Join(elsewhere, "one")
	write(t, target, "1\n")
	link := filepath.Join(dir, "app.log")
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	f := follow(t, newGateway(), Options{Paths: []string{link, target}}, nil)
	f.expect("1")
	write(t, target, "2\n")
	f.expect("1", "2")
	second := filepath.Join(elsewhere, "two")
	write(t, second, "3\n")
	if err := os.Symlink(second, link+".new"); err != nil {
		t.Fatal(err)
	}
	rename(t, link+".new", link)
	f.expect("1", "2", "3")
	if got := f.gateway.records[2].Source; got != link {
		t.Errorf("source %q, want the link's path %q", got, link)
	}
}

func TestUnreadableFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "app.log")
	loop := path // a link to itself cannot be opened by anyone, not even by root
	if err := os.Symlink(loop, path); err != nil {
		t.Fatal(err)
	}
	f := follow(t, newGateway(), Options{Paths: []string{path}}, nil)
	f.until("it is told", func() bool { return strings.Contains(f.log.String(), "cannot read a log file") })
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	write(t, path, "readable\n")
	f.expect("readable")
	if n := strings.Count(f.log.String(), "cannot read"); n != 1 || f.Stats().Errors != 1 {
		t.Errorf("told %d times, %d errors counted, want 1 and 1: %s", n, f.Stats().Errors, f.log)
	}
}

// While publishing is held up, nothing is read ahead, and files that are rotated meanwhile are not lost.
func TestBackPressure(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "app.log")
	write(t, path, "")
	g := newGateway()
	g.held = make(chan struct{})
	f := follow(t, g, Options{Paths: []string{path}}, nil)
	f.files(1)
	text, want := numbered(0, 20_000)
	write(t, path, text)
	f.until("two batches are read", func() bool { return f.Stats().Records > 512 })
	for n := range 3 {
		rename(t, path, fmt.Sprintf("%s.%d", path, n))
		text, lines := numbered(20_000+100*n, 20_100+100*n)
		write(t, path, text)
		want = append(want, lines...)
		f.files(n + 2)
	}
	if s := f.Stats(); s.Bytes > int64(len(text))/2 {
		t.Errorf("%d bytes of %d were read while nothing could be published", s.Bytes, len(text))
	}
	close(g.held)
	f.until("all lines", func() bool { return len(g.messages()) >= len(want) })
	f.stop()
	firstDifference(t, g.messages(), want)
}

func TestTooManyFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i := range 5 {
		write(t, filepath.Join(dir, fmt.Sprint(i, ".log")), "x\n")
	}
	f := follow(t, newGateway(), Options{Paths: []string{filepath.Join(dir, "*")}, MaxFiles: 3}, func(t *Tailer) { t.quiet = 10 * time.Millisecond })
	f.expect("x", "x", "x")
	f.until("it is told", func() bool { return strings.Contains(f.log.String(), "too many files") })
	for i := range 3 {
		if err := os.Remove(filepath.Join(dir, fmt.Sprint(i, ".log"))); err != nil {
			t.Fatal(err)
		}
	}
	f.expect("x", "x", "x", "x", "x")
}

func TestStandardInput(t *testing.T) {
	t.Parallel()
	g := newGateway()
	f := follow(t, g, Options{Paths: []string{Stdin}, Stdin: strings.NewReader("one\n  more of one\ntwo")}, nil)
	if err := <-f.ended; err != nil {
		t.Fatal(err)
	}
	f.expect("one\n  more of one", "two")
	if got := g.records[0].Source; got != "stdin" {
		t.Errorf("source %q, want stdin", got)
	}
}

func TestRunTellsWhatWasNotPublished(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "app.log")
	write(t, path, "x\n")
	g := newGateway()
	g.held = make(chan struct{})
	f := follow(t, g, Options{Paths: []string{path}, DrainTimeout: 50 * time.Millisecond}, nil)
	f.until("it is read", func() bool { return f.Stats().Records == 1 })
	f.cancel()
	if err := <-f.ended; err == nil || !strings.Contains(err.Error(), "1 records were read but not published") {
		t.Errorf("Run ended with %v, want how many records remain", err)
	}
}

func TestNewRefusesBadOptions(t *testing.T) {
	for want, options := range map[string]Options{
		"no publisher":      {Paths: []string{"x"}, Channel: "logs.x"},
		"channel is":        {Paths: []string{"x"}, Publisher: newGateway()},
		"no path":           {Publisher: newGateway(), Channel: "logs.x"},
		"no standard input": {Paths: []string{Stdin}, Publisher: newGateway(), Channel: "logs.x"},
		"no pattern":        {Paths: []string{"[x"}, Publisher: newGateway(), Channel: "logs.x"},
	} {
		if _, err := New(options); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one that tells %q", err, want)
		}
	}
}

func TestParseFrom(t *testing.T) {
	for s, want := range map[string]From{"": FromDefault, "end": FromEnd, "0": FromEnd, "beginning": FromBeginning, "25": 25} {
		if got, err := ParseFrom(s); err != nil || got != want {
			t.Errorf("ParseFrom(%q) = %v, %v, want %v", s, got, err, want)
		}
	}
	for _, s := range []string{"-1", "some", "1.5"} {
		if _, err := ParseFrom(s); err == nil {
			t.Errorf("ParseFrom(%q) has no error", s)
		}
	}
}
