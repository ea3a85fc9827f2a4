package server

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// following is a development gateway that follows the files of a pattern.
func following(pattern string) string {
	return fmt.Sprintf("development: true\nlogs: {own_log: false, globs: [%q]}\n", pattern)
}

// appendTo writes to the end of a log file.
func appendTo(t *testing.T, name, text string) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// logLine is what a subscriber gets of a line.
type logLine struct {
	Message, Source, Level, Service string
	Fields                          struct{ N int }
}

func (c *client) logLine() logLine {
	c.t.Helper()
	m := c.until("message")
	var l logLine
	if err := json.Unmarshal(m.Data, &l); err != nil {
		c.t.Fatalf("%s: %v", m.Data, err)
	}
	return l
}

func TestLinesOfFilesReachSubscribers(t *testing.T) {
	dir := t.TempDir()
	first := filepath.Join(dir, "first.log")
	appendTo(t, first, "one\ntwo\n")
	r := start(t, following(filepath.Join(dir, "*.log")))
	c := r.dial(t, "")
	c.subscribe("logs.local")
	for _, want := range []string{"one", "two"} {
		if l := c.logLine(); l.Message != want || l.Source != first {
			t.Errorf("got %+v, want %q", l, want)
		}
	}
	written := time.Now()
	appendTo(t, first, `{"level":"error","msg":"three","service":"order"}`+"\n")
	if l := c.logLine(); l.Message != "three" || l.Level != "error" || l.Service != "order" {
		t.Errorf("got %+v", l)
	}
	if took := time.Since(written); took > time.Second {
		t.Errorf("a line took %s to its reader", took)
	}
	second := filepath.Join(dir, "second.log")
	appendTo(t, second, "four\n")
	if l := c.logLine(); l.Message != "four" || l.Source != second {
		t.Errorf("of a file that appears later came %+v", l)
	}
}

func TestBurstOfLinesIsCompleteAndOnce(t *testing.T) {
	const lines = 50_000
	name := filepath.Join(t.TempDir(), "busy.log")
	appendTo(t, name, "begin\n")
	r := start(t, following(name))
	c := r.dial(t, "")
	c.subscribe("logs.local")
	if l := c.logLine(); l.Message != "begin" {
		t.Fatalf("got %+v", l)
	}
	var text strings.Builder
	for i := range lines {
		fmt.Fprintf(&text, "request %d was served\n", i)
		if i%10_000 == 9_999 {
			appendTo(t, name, text.String())
			text.Reset()
		}
	}
	appendTo(t, name, "end\n")
	for i := range lines {
		if l := c.logLine(); l.Message != fmt.Sprintf("request %d was served", i) {
			t.Fatalf("got %q, want line %d", l.Message, i)
		}
	}
	if l := c.logLine(); l.Message != "end" {
		t.Errorf("after all of the lines came %q", l.Message)
	}
}

// What was written before the end is seen by those who watch, also when the end comes at once.
func TestLastLinesAreSeenBeforeTheGoodbye(t *testing.T) {
	name := filepath.Join(t.TempDir(), "app.log")
	appendTo(t, name, "begin\n")
	r := start(t, following(name))
	c := r.dial(t, "")
	c.subscribe("logs.local")
	c.logLine()
	appendTo(t, name, "last words\n")
	r.stop()
	seen := false
	for {
		f := c.read()
		if f.Type == "goodbye" {
			break
		}
		seen = seen || strings.Contains(string(f.Data), "last words")
	}
	if !seen {
		t.Error("the goodbye came before the last line")
	}
	_ = c.end()
}

// Publishing the gateway's own log must not lead to more of it.
func TestOwnLogIsPublishedOnce(t *testing.T) {
	r := start(t, "development: true\nlogs: {globs: [/nowhere/*.log]}\n")
	c := r.dial(t, "")
	c.subscribe("logs.local")
	const records = 20
	for i := range records {
		r.Gateway().log.Warn("record", slog.Int("n", i))
	}
	for i := range records {
		m := c.until("message")
		var l logLine
		if err := json.Unmarshal(m.Data, &l); err != nil {
			t.Fatal(err)
		}
		if l.Message != "record" || l.Fields.N != i || l.Level != "warn" || l.Service != "magpie" || m.Publisher != "magpie" {
			t.Fatalf("got %+v of %s, want record %d", l, m.Publisher, i)
		}
	}
	// What was delivered is counted after it.
	published := &r.Gateway().hub.Metrics.Published
	eventually(t, "every record is counted", func() bool { return published.Load() >= records })
	if n := published.Load(); n != records {
		t.Errorf("%d messages were published for %d records", n, records)
	}
	if n := strings.Count(r.log.String(), `"msg":"record"`); n != records {
		t.Errorf("the log itself has %d of %d records", n, records)
	}
}

// A record about the channel of the log, or about log delivery, stays in the log: publishing it would lead to the next.
func TestOwnLogLeavesItselfOut(t *testing.T) {
	r := start(t, "development: true\nlogs: {globs: [/nowhere/*.log]}\n")
	c := r.dial(t, "")
	c.subscribe("logs.local")
	r.sources.log.Warn("of the delivery")
	r.Gateway().log.Warn("of the channel", slog.String("channel", "logs.local"))
	r.Gateway().log.Warn("of something else")
	if l := c.logLine(); l.Message != "of something else" {
		t.Errorf("published was %q", l.Message)
	}
	for _, want := range []string{"of the delivery", "of the channel"} {
		if !strings.Contains(r.log.String(), want) {
			t.Errorf("the log itself lacks %q", want)
		}
	}
}

// The link leads to itself, which nobody may read, not even root.
func TestFileThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	bad, good := filepath.Join(dir, "bad.log"), filepath.Join(dir, "good.log")
	if err := os.Symlink(bad, bad); err != nil {
		t.Fatal(err)
	}
	appendTo(t, good, "hello\n")
	r := start(t, following(filepath.Join(dir, "*.log")))
	c := r.dial(t, "")
	c.subscribe("logs.local")
	if l := c.logLine(); l.Message != "hello" {
		t.Errorf("got %+v", l)
	}
	eventually(t, "the log tells of the file", func() bool { return strings.Contains(r.log.String(), bad) })
	told := 0
	for line := range strings.Lines(r.log.String()) {
		if strings.Contains(line, bad) {
			told++
			if !strings.Contains(line, `"level":"WARN"`) || !strings.Contains(line, "cannot read a log file") || !strings.Contains(line, `"advice":`) {
				t.Errorf("the log says %s", line)
			}
		}
	}
	if told != 1 {
		t.Errorf("the log tells %d times of the file:\n%s", told, r.log)
	}
}

func TestSystemLogsAreForDevelopmentOnly(t *testing.T) {
	for text, want := range map[string]bool{
		"development: true\n":                                    true,
		"auth: {jwt: {secret: " + jwtSecret + "}}\n":             false,
		"development: true\nlogs: {globs: [/nowhere/*]}\n":       true,
		"development: true\nlogs: {globs: [], own_log: false}\n": true,
	} {
		g := newGateway(t, development)
		s, _ := prepareSources(Options{Config: parse(t, text)})
		if err := s.open(g); err != nil {
			t.Error(err)
		}
		if (s.tail != nil) != want {
			t.Errorf("%q: files are followed: %t, want %t", text, s.tail != nil, want)
		}
	}
}

func TestRetentionOfNamespaces(t *testing.T) {
	book, err := newRulebook(parse(t, development+
		"retention: {messages: 10, bytes: 1MiB, age: 1m}\n"+
		"namespaces:\n- {name: late, pattern: order.late, retention: {messages: 8}}\n- {name: orders, pattern: order.>, retention: {messages: 7}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	of := book.of
	for name, want := range map[wire.ChannelName]int64{
		"order.update": 7,
		"order.late":   8, // the first that covers it counts
		"order":        10,
		"chat.lobby":   10,
		"logs.local":   200_000, // the built-in one
		"logs":         10,
	} {
		if got := of(name).retention; got.Messages != want {
			t.Errorf("%s keeps %d messages, want %d", name, got.Messages, want)
		}
	}
	if got := of("order.update").retention; got.Age != time.Minute || got.Bytes != 1<<20 {
		t.Errorf("what the namespace leaves out is %+v", got)
	}
}

func TestLogsKeep200000Lines(t *testing.T) {
	const kept, more, batch = 200_000, 3_000, 1_000
	r := start(t, development)
	messages := make([]wire.Publication, batch)
	for i := range messages {
		messages[i].Payload = wire.Payload{Kind: wire.PayloadJSON, Bytes: []byte(`1`)}
	}
	for range (kept + more) / batch {
		if _, err := r.Gateway().Publish(t.Context(), &wire.Publish{Channel: "logs.local", Messages: messages}); err != nil {
			t.Fatal(err)
		}
	}
	c := r.dial(t, "")
	c.write(`{"type":"subscribe","requestId":"s","channel":"logs.local","from":{"offset":1}}`)
	if gap := c.until("gap"); gap.ToOffset != more {
		t.Errorf("the gap is %+v, want it to end at %d", gap, more)
	}
	if m := c.until("message"); m.Offset != more+1 {
		t.Errorf("the first message is %d, want %d", m.Offset, more+1)
	}
}
