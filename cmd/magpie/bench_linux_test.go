package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/magpie-bridge/magpie/internal/bench"
)

func TestBenchOfAGateway(t *testing.T) {
	_, url := startGateway(t, "127.0.0.1:0")
	page := filepath.Join(t.TempDir(), "report.html")
	told := succeed(t, nil, "bench", "fanout", "--stages", "2,30", "--in-flight", "4", "--duration", "50ms", "--url", url, "--html", page)
	if rows := lines(told); len(rows) != 4 || !strings.Contains(rows[0], "per CPU s") || !strings.Contains(rows[3], "No message was lost") {
		t.Errorf("bench printed:\n%s", told)
	}
	if html, err := os.ReadFile(page); err != nil || !strings.Contains(string(html), "<svg") {
		t.Errorf("the page: %v, %d bytes", err, len(html))
	}
	told = succeed(t, nil, "bench", "call", "--connections", "3", "--servers", "2", "--duration", "50ms", "--url", url)
	if !strings.Contains(told, "Every call was answered once") {
		t.Errorf("bench call printed:\n%s", told)
	}
	told = succeed(t, nil, "bench", "filters", "--viewers", "0,3", "--filters", "2", "--rate", "5000", "--duration", "200ms", "--url", url)
	if rows := lines(told); len(rows) != 4 || !strings.Contains(rows[0], "CPU per message") || !strings.Contains(rows[3], "what their filter lets through") {
		t.Errorf("bench filters printed:\n%s", told)
	}
	told = succeed(t, nil, "bench", "echo", "--connections", "3", "--duration", "50ms", "--url", url, "--json")
	var report bench.Report
	if err := json.Unmarshal([]byte(told), &report); err != nil || len(report.Stages) != 1 || report.Stages[0].Operations == 0 {
		t.Errorf("bench --json printed %s: %v", told, err)
	}
}

func TestMistakesInBench(t *testing.T) {
	for line, want := range map[string]string{
		"bench":                                  "the scenario is missing",
		"bench fan":                              `there is no scenario "fan": choose one of idle, fanout`,
		"bench echo --target kafka":              `there is no target "kafka": choose one of magpie, nats`,
		"bench echo --connections 20000":         "expected 1 to 19000",
		"bench echo --stages 5,-1":               "expected 1 to 19000",
		"bench echo --stages 5 --connections 5":  "exclude each other",
		"bench echo --payload 8":                 "expected 56",
		"bench fanout --in-flight -1":            "expected 1 to",
		"bench fanout --rate -1":                 "expected more than 0",
		"bench echo --url http://localhost":      "expected ws:// or wss://",
		"bench echo --insecure":                  "wss:// alone",
		"bench echo --url nowhere":               "is no address",
		"bench echo --duration -1s --warmup 1ms": "less than no time",
		"bench call --target socketio":           "socketio has no calls",
		"bench echo --target grpc":               "with call alone",
		"bench filters --target nats":            "with the target magpie",
		"bench filters --filters 65":             "expected at most 64",
		"bench filters --channels 2":             "filters has one",
		"bench filters --viewers -1":             "expected 0 to 19000",
		"bench fanout --viewers 0":               "expected 1 to 19000",
		"bench filters --viewers 5 --stages 5":   "exclude each other",
		"bench call --servers -1":                "expected 1 to 1000",
		"bench call --servers 1 --stages 2,1001": "more than 1 servers take",
		"bench call --target grpc --url ws://x":  "expected http://",
	} {
		stdout, stderr, status := inProcess(t, nil, strings.Fields(line)...)
		if status != exitUsage || !strings.Contains(stderr, want) || stdout != "" {
			t.Errorf("%s: status %d, stdout %q, stderr %q; want %q", line, status, stdout, stderr, want)
		}
	}
	_, stderr, status := inProcess(t, nil, "bench", "echo", "--url", "ws://127.0.0.1:1")
	if status != exitFailed || !strings.Contains(stderr, "start the server, or name it with --url") {
		t.Errorf("nobody there: status %d, %q", status, stderr)
	}
}
