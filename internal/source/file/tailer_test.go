package file

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// gateway is a publisher that takes each message id once, as the gateway does, and that fails now and then when asked
// to: before it took anything, after it took all, or in the middle.
type gateway struct {
	mu         sync.Mutex // guards the fields below
	failures   *rand.Rand // nil: never fails
	held       chan struct{}
	ids        map[string]bool
	duplicates int
	records    []record
}

type record struct {
	Message string
	Source  string
	Fields  map[string]any
}

func newGateway() *gateway { return &gateway{ids: map[string]bool{}} }

func (g *gateway) Publish(ctx context.Context, _ wire.ChannelName, batch []wire.Publication) ([]wire.PublishResult, error) {
	if g.held != nil {
		select {
		case <-g.held:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	lost, stop := false, len(batch)
	if g.failures != nil && g.failures.IntN(4) == 0 {
		lost = true
		stop = g.failures.IntN(len(batch) + 1)
	}
	results := make([]wire.PublishResult, len(batch))
	for i, pub := range batch[:stop] {
		if len(pub.MessageID) > wire.MaxMessageIDBytes {
			return nil, fmt.Errorf("message id of %d bytes", len(pub.MessageID))
		}
		if results[i].Duplicate = g.ids[pub.MessageID]; results[i].Duplicate {
			g.duplicates++
			continue
		}
		g.ids[pub.MessageID] = true
		var r record
		if err := json.Unmarshal(pub.Payload.Bytes, &r); err != nil {
			return nil, err
		}
		g.records = append(g.records, r)
	}
	if lost {
		return nil, errors.New("the answer was lost")
	}
	return results, nil
}

func (g *gateway) messages() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	messages := make([]string, len(g.records))
	for i, r := range g.records {
		messages[i] = r.Message
	}
	return messages
}

// logBuffer is a log that several goroutines write.
type logBuffer struct {
	mu sync.Mutex // guards b
	b  strings.Builder
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// following is a tailer that runs.
type following struct {
	*Tailer
	t       *testing.T
	gateway *gateway
	log     *logBuffer
	cancel  context.CancelFunc
	ended   chan error
}

// follow runs a tailer until the test ends. change, when not nil, may alter the tailer before.
func follow(t *testing.T, g *gateway, options Options, change func(*Tailer)) *following {
	t.Helper()
	log := &logBuffer{}
	options.Publisher = g
	options.Channel = "logs.test"
	options.Logger = slog.New(slog.NewTextHandler(log, nil))
	tailer, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(tailer)
	}
	ctx, cancel := context.WithCancel(t.Context())
	f := &following{Tailer: tailer, t: t, gateway: g, log: log, cancel: cancel, ended: make(chan error, 1)}
	go func() { f.ended <- tailer.Run(ctx) }()
	t.Cleanup(func() { cancel() })
	return f
}

// stop ends the tailer and waits for it.
func (f *following) stop() {
	f.t.Helper()
	f.cancel()
	select {
	case err := <-f.ended:
		if err != nil {
			f.t.Fatal(err)
		}
	case <-time.After(30 * time.Second):
		f.t.Fatal("Run did not end")
	}
}

// until waits for a condition.
func (f *following) until(what string, condition func() bool) {
	f.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !condition(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			messages := f.gateway.messages()
			f.t.Fatalf("never: %s; %d records, the last %q; stats %+v; log:\n%s", what, len(messages), messages[max(0, len(messages)-5):], f.Stats(), f.log)
		}
	}
}

// files waits until so many files are followed.
func (f *following) files(n int) {
	f.t.Helper()
	f.until(fmt.Sprintf("%d files are followed", n), func() bool { return f.Stats().Files == n })
}

// expect waits for as many records as want has, and compares.
func (f *following) expect(want ...string) {
	f.t.Helper()
	f.until(fmt.Sprintf("%d records", len(want)), func() bool { return len(f.gateway.messages()) >= len(want) })
	if got := f.gateway.messages(); !slices.Equal(got, want) {
		f.t.Fatalf("published %q, want %q", got, want)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err = f.Close(); err != nil {
		t.Fatal(err)
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// numbered makes the lines from to to-1.
func numbered(from, to int) (text string, lines []string) {
	var b strings.Builder
	for i := from; i < to; i++ {
		line := fmt.Sprintf("line %07d of a log that is written all the time", i)
		lines = append(lines, line)
		b.WriteString(line + "\n")
	}
	return b.String(), lines
}

// firstDifference compares many messages without printing them all.
func firstDifference(t *testing.T, got, want []string) {
	t.Helper()
	for i := range want {
		if i >= len(got) || got[i] != want[i] {
			t.Fatalf("record %d of %d is %q, want %q", i, len(got), append(got, "nothing")[min(i, len(got))], want[i])
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d records, want %d", len(got), len(want))
	}
}

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
