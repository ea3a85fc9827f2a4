package main

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	magpiev1 "github.com/magpie-bridge/magpie/protocol/gen/magpie/v1"
)

func TestChannelsOfAGateway(t *testing.T) {
	_, url := startGateway(t, "127.0.0.1:0")
	for _, name := range []string{"order.a", "order.b", "order.c", "price.a"} {
		succeed(t, nil, "pub", name, "1", "--url", url)
	}
	stdout, stderr, status := inProcess(t, nil, "channels", "order.*", "--limit", "2", "--url", url)
	table := regexp.MustCompile(`^CHANNEL  EPOCH     HEAD  TAIL  MESSAGES  BYTES  SUBSCRIBERS  FOR  TTL\n` +
		`order.a  [a-z2-7]{8}  1     1     1         \d+     0            \d+s +-\norder.b  [a-z2-7]{8}  1     1     1         \d+     0            \d+s +-\n$`)
	if status != exitOK || !table.MatchString(stdout) || stderr != "magpie: 2 of 3; the next: --after order.b\n" {
		t.Errorf("status %d, %q, %q", status, stdout, stderr)
	}
	told := succeed(t, nil, "channels", "order.*", "--after", "order.b", "--json", "--url", url)
	var one struct {
		Channel    string
		Tail, Head int
	}
	if err := json.Unmarshal([]byte(told), &one); err != nil || one.Channel != "order.c" || one.Tail != 1 || one.Head != 1 {
		t.Errorf("as JSON: %q", told)
	}
	if _, stderr, _ := inProcess(t, nil, "channels", "none.*", "--url", url); stderr != "magpie: there are no such channels\n" {
		t.Errorf("of none: %q", stderr)
	}
}

func TestSessionsOfAGateway(t *testing.T) {
	_, url := startGateway(t, "127.0.0.1:0")
	succeed(t, nil, "pub", "a", "1", "--url", url)
	live := start(t, "sub", "a", "--last", "1", "--url", url)
	eventually(t, "the message is printed", func() bool { return strings.Contains(live.stdout.String(), "#1") })
	told := succeed(t, nil, "sessions", "--channel", "a", "--url", url)
	if rows := lines(told); len(rows) != 2 || !strings.HasPrefix(rows[0], "SESSION ") || !strings.Contains(rows[1], " dev ") || !strings.Contains(rows[1], "websocket/") {
		t.Errorf("got %q", told)
	}
	var one struct {
		SessionID     string `json:"sessionId"`
		Subscriptions int
	}
	told = succeed(t, nil, "sessions", "--user", "dev", "--json", "--url", url)
	if err := json.Unmarshal([]byte(told), &one); err != nil || one.Subscriptions != 1 || one.SessionID == "" {
		t.Errorf("as JSON: %q", told)
	}
	if _, stderr, _ := inProcess(t, nil, "sessions", "--user", "eve", "--url", url); stderr != "magpie: there are no such sessions\n" {
		t.Errorf("of nobody: %q", stderr)
	}

	if told := succeed(t, nil, "disconnect", "--user", "eve", "--url", url); told != "sessions ended: 0\n" {
		t.Errorf("nobody: %q", told)
	}
	if told := succeed(t, nil, "disconnect", "--session", one.SessionID, "--reason", "maintenance", "--json", "--url", url); told != "{\"sessions\":1}\n" {
		t.Errorf("as JSON: %q", told)
	}
	if status := live.status(); status != exitFailed || !strings.Contains(live.stderr.String(), "maintenance") {
		t.Errorf("sub ended with %d: %s", status, live.stderr.String())
	}
}

func TestSessionRow(t *testing.T) {
	now := time.UnixMilli(1_789_000_000_000)
	got := sessionRow(&magpiev1.SessionInfo{
		SessionId: "n1-0-0-ab", UserId: "ann\x1b[2J", Device: new("phone"), Transport: "websocket", Format: "json",
		Since: now.UnixMilli() - 90_000, LastActive: now.UnixMilli() + 5, Subscriptions: 2,
	}, now)
	if want := "n1-0-0-ab\tann\\u001b[2J\tphone\t-\twebsocket/json\t1m30s\t0s\t2"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestOperatorsCommandsAreChecked(t *testing.T) {
	for want, args := range map[string][]string{
		"--limit 0: expected 1 to 1000":                 {"channels", "--limit", "0"},
		"nothing can follow it":                         {"channels", "a.>.b"},
		"--limit 1001: expected 1 to 1000":              {"sessions", "--limit", "1001"},
		"empty word":                                    {"sessions", "--channel", "a..b"},
		"whom to disconnect is missing":                 {"disconnect"},
		"--session and --user exclude each other":       {"disconnect", "--session", "a", "--user", "b"},
		"is one argument too many: magpie disconnect":   {"disconnect", "ann"},
		"expected a gateway's address, such as":         {"sessions", "--url", "nowhere"},
		"is one argument too many: magpie channels [PA": {"channels", "a", "b"},
	} {
		if _, stderr, status := inProcess(t, nil, args...); status != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("%q: status %d, %q, want %q", args, status, stderr, want)
		}
	}
	_, stderr, status := inProcess(t, nil, "sessions", "--url", "ws://127.0.0.1:1/ws")
	if status != exitFailed || !strings.Contains(stderr, "no gateway at 127.0.0.1:1") {
		t.Errorf("without a gateway: status %d, %q", status, stderr)
	}
}

func TestOperatorsCommandsHaveExamples(t *testing.T) {
	for _, name := range []string{"channels", "sessions", "disconnect"} {
		help := succeed(t, nil, name, "--help")
		if !strings.Contains(help, "Examples:\n  magpie "+name) || !strings.Contains(help, "sys."+name) || !strings.Contains(help, "--json") {
			t.Errorf("%s: %s", name, help)
		}
	}
}
