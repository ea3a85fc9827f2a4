package file

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
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
