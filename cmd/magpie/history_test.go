package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	magpieclient "github.com/magpie-bridge/magpie/sdk/go"
)

// historyOffsets are the offsets in what history printed for a person.
func historyOffsets(printed string) (offsets []string) {
	for _, line := range lines(printed) {
		_, rest, _ := strings.Cut(line, "#")
		offset, _, _ := strings.Cut(rest, " ")
		offsets = append(offsets, offset)
	}
	return offsets
}

func TestHistory(t *testing.T) {
	_, url := startGateway(t, "127.0.0.1:0")
	succeed(t, strings.NewReader("one\ntwo\nthree\nfour\nfive\n"), "pub", "a", "--lines", "--text", "--url", url)
	for flags, want := range map[string]string{
		"":                     "1 2 3 4 5",
		"--limit 2":            "1 2",
		"--reverse":            "5 4 3 2 1",
		"--reverse --limit 2":  "5 4",
		"--last 2":             "4 5",
		"--last 2 --reverse":   "5 4",
		"--from 3":             "4 5",
		"--from 3 --reverse":   "2 1",
		"--from 3 --limit 1":   "4",
		"--since 1h":           "1 2 3 4 5",
		"--since 1h --reverse": "5 4 3 2 1",
		"--since 1h --until 2100-01-01T00:00:00Z": "1 2 3 4 5",
		"--until 2100-01-01T00:00:00Z --reverse":  "5 4 3 2 1",
		"--last 9 --quiet":                        "1 2 3 4 5",
		"--until 1h":                              "",
		"--until 1h --reverse":                    "",
		"--from 5":                                "",
		"--from 1 --reverse":                      "",
		"--since 2100-01-01T00:00:00Z":            "",
	} {
		stdout, stderr, status := inProcess(t, nil, append([]string{"history", "a", "--url", url}, strings.Fields(flags)...)...)
		if got := strings.Join(historyOffsets(stdout), " "); got != want || status != exitOK {
			t.Errorf("history a %s: status %d, offsets %q, want %q; %s", flags, status, got, want, stderr)
		}
		if told := strings.Contains(stderr, "a keeps no message that was asked for"); told != (want == "") {
			t.Errorf("history a %s: stderr %q", flags, stderr)
		}
	}
	stdout, _, _ := inProcess(t, nil, "history", "a", "--last", "1", "--json", "--url", url)
	if !strings.Contains(stdout, `"channel":"a"`) || !strings.Contains(stdout, `"text":"five"`) || !strings.Contains(stdout, `"offset":5`) {
		t.Errorf("history --json printed %s", stdout)
	}
	_, stderr, status := inProcess(t, nil, "history", "a", "--from", "another:2", "--url", url)
	if status != exitOK || !strings.Contains(stderr, "the numbering began anew") {
		t.Errorf("from another epoch: status %d, stderr %q", status, stderr)
	}
	_, stderr, status = inProcess(t, nil, "history", "nobody", "--url", url)
	if status != exitOK || !strings.Contains(stderr, "nobody keeps no message") {
		t.Errorf("of an empty channel: status %d, stderr %q", status, stderr)
	}
}

// TestHistoryOfManyPages prints more than a page holds, in both directions.
func TestHistoryOfManyPages(t *testing.T) {
	const total = 2500
	_, url := startGateway(t, "127.0.0.1:0")
	succeed(t, nil, "pub", "a", "1", "--count", fmt.Sprint(total), "--url", url)
	for _, reverse := range []bool{false, true} {
		stdout, stderr, status := inProcess(t, nil, "history", "a", "--url", url, fmt.Sprintf("--reverse=%t", reverse))
		offsets := historyOffsets(stdout)
		if status != exitOK || len(offsets) != total || stderr != "" {
			t.Fatalf("reverse %t: status %d, %d messages, stderr %q", reverse, status, len(offsets), stderr)
		}
		for i, offset := range offsets {
			want := i + 1
			if reverse {
				want = total - i
			}
			if offset != fmt.Sprint(want) {
				t.Fatalf("reverse %t: line %d is #%s", reverse, i, offset)
			}
		}
	}
}

func TestHistorySpan(t *testing.T) {
	now := time.Date(2026, 1, 31, 10, 0, 0, 0, time.UTC)
	f := &historyFlags{since: "1h", until: "2026-01-31T09:30:00Z"}
	s, err := f.span(now)
	if err != nil || !s.since.Equal(now.Add(-time.Hour)) || !s.until.Equal(now.Add(-30*time.Minute)) {
		t.Errorf("%+v: %v", s, err)
	}
}

func TestHistoryTellsTheDate(t *testing.T) {
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.Local)
	p := &historyPrinter{today: now}
	for at, want := range map[time.Time]string{
		now.Add(-time.Minute): "11:59:00.000 a #1  \n",
		now.AddDate(0, 0, -1): "2026-01-30 12:00:00.000 a #1  \n",
	} {
		m := &magpieclient.Message{Channel: "a", Position: magpieclient.Position{Epoch: "k1", Offset: 1}, Time: at}
		if got, err := p.appendDated(nil, m); err != nil || string(got) != want {
			t.Errorf("%s is printed as %q, want %q: %v", at, got, want, err)
		}
	}
}
