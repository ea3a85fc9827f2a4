package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// printed are the messages that sub has printed as JSON, as "channel offset".
func printed(t *testing.T, output string) (all []string) {
	t.Helper()
	for _, line := range lines(output) {
		var m messageLine
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		all = append(all, fmt.Sprint(m.Channel, " ", m.Offset))
	}
	return all
}

// TestSubscribeToAPattern has a command follow channels that there are and channels that appear, and go on where it stopped.
func TestSubscribeToAPattern(t *testing.T) {
	_, url := startGateway(t, "127.0.0.1:0")
	say := func(channel string) { succeed(t, nil, "pub", channel, "1", "--url", url) }
	say("logs.old")
	say("chat.old")
	file := filepath.Join(t.TempDir(), "position")
	follow := func(count int) *process {
		return start(t, "sub", "logs.>", "--from", "0", "--count", fmt.Sprint(count), "--json", "--position-file", file, "--url", url)
	}
	live := follow(4)
	eventually(t, "the old message is printed", func() bool { return strings.Contains(live.stdout.String(), "logs.old") })
	say("logs.new")
	say("logs.deeply.new")
	say("logs.old")
	if status := live.status(); status != exitOK {
		t.Fatalf("sub ended with %d: %s", status, live.stderr.String())
	}
	if got, want := printed(t, live.stdout.String()), []string{"logs.old 1", "logs.new 1", "logs.deeply.new 1", "logs.old 2"}; !slices.Equal(got, want) {
		t.Errorf("printed %q, want %q", got, want)
	}
	say("logs.old")
	say("logs.newer")
	again := follow(2)
	if status := again.status(); status != exitOK {
		t.Fatalf("sub ended with %d: %s", status, again.stderr.String())
	}
	got := printed(t, again.stdout.String())
	if slices.Sort(got); !slices.Equal(got, []string{"logs.newer 1", "logs.old 3"}) {
		t.Errorf("printed %q then, want what was published meanwhile", got)
	}
	for _, wrong := range [][]string{{"logs.>.x"}, {"logs*"}, {"logs.>", "--from", "k3:4"}} {
		if _, stderr, status := command(t, nil, append([]string{"sub", "--url", url}, wrong...)...); status == exitOK || stderr == "" {
			t.Errorf("sub %v: status %d, %q", wrong, status, stderr)
		}
	}
}
