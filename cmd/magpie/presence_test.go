package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	magpieclient "github.com/magpie-bridge/magpie/sdk/go"
)

// presenceConfig has rooms with presence, whose members are told of soon after they have left.
const presenceConfig = `
development: true
listen: 127.0.0.1:0
logs: {own_log: false}
presence: {grace: 50ms}
namespaces:
  - {name: rooms, pattern: "room.*", presence: true}
`

func TestPresenceOfAChannel(t *testing.T) {
	file := filepath.Join(t.TempDir(), "magpie.yaml")
	if err := os.WriteFile(file, []byte(presenceConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	_, url := serving(t, "--config", file)
	if _, stderr, status := inProcess(t, nil, "presence", "room.7", "--url", url); status != exitOK || stderr != "magpie: nobody is in room.7\n" {
		t.Errorf("of nobody: status %d, %q", status, stderr)
	}
	live := start(t, "sub", "room.7", "--url", url)
	var table string
	eventually(t, "the member is listed", func() bool {
		table = succeed(t, nil, "presence", "room.7", "--quiet", "--url", url)
		return table != ""
	})
	if rows := lines(table); len(rows) != 2 || !strings.HasPrefix(rows[0], "USER  SESSION ") || !strings.HasPrefix(rows[1], "dev   ") {
		t.Errorf("got %q", table)
	}
	watching := start(t, "presence", "room.7", "--watch", "--json", "--url", url)
	eventually(t, "the member is printed", func() bool { return strings.Contains(watching.stdout.String(), "sessionId") })
	live.kill()
	eventually(t, "it has left", func() bool { return strings.Contains(watching.stdout.String(), `"leave"`) })
	told := lines(watching.stdout.String())
	var member, leave struct{ Event, UserID, SessionID string }
	for i, into := range []any{&member, &leave} {
		if err := json.Unmarshal([]byte(told[i]), into); err != nil {
			t.Fatalf("%s: %v", told[i], err)
		}
	}
	if member.SessionID == "" || member.SessionID != leave.SessionID || leave.Event != "leave" || leave.UserID != "dev" {
		t.Errorf("printed %q", told)
	}
	if _, stderr, status := inProcess(t, nil, "presence", "order.update", "--url", url); status != exitFailed || !strings.Contains(stderr, "presence: true") {
		t.Errorf("of a channel without presence: status %d, %q", status, stderr)
	}
}

func TestPresenceForAPerson(t *testing.T) {
	now := time.UnixMilli(1_789_000_000_000)
	row := memberRow(&magpieclient.Member{
		UserID: "ann\x1b[2J", SessionID: "s1", NodeID: "n1", Since: now.Add(-90 * time.Second), Info: json.RawMessage(`{"a":1}`),
	}, now)
	if want := "ann\\u001b[2J\ts1\t-\tn1\t1m30s\t{\"a\":1}"; row != want {
		t.Errorf("got %q, want %q", row, want)
	}
	at := now.Local().Format(time.TimeOnly)
	for data, want := range map[string]string{
		`{"event":"join","userId":"ann","sessionId":"s1","device":"phone","info":{"a":1}}`: at + " join  ann s1 phone {\"a\":1}\n",
		`{"event":"leave","userId":"ann\u001b","sessionId":"s1"}`:                          at + " leave ann\\u001b s1 - -\n",
		`{"event":"count","count":1200,"joined":[{"userId":"ann"}],"left":[{},{}]}`:        at + " 1200 members: 1 named who joined, 2 who left\n",
	} {
		var out strings.Builder
		m := &magpieclient.Message{Time: now, Payload: magpieclient.Payload{Bytes: []byte(data)}}
		if err := new(presenceFlags).printChange(environment{stdout: &out}, m); err != nil || out.String() != want {
			t.Errorf("%s: %q, %v, want %q", data, out.String(), err, want)
		}
	}
}

func TestPresenceIsChecked(t *testing.T) {
	for want, args := range map[string][]string{
		"the channel is missing":         {"presence"},
		"empty word":                     {"presence", "a..b"},
		"--limit -1: expected 0 or more": {"presence", "a", "--limit", "-1"},
	} {
		if _, stderr, status := inProcess(t, nil, args...); status != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("%q: status %d, %q, want %q", args, status, stderr, want)
		}
	}
}
