package main

import (
	"strings"
	"testing"
	"time"

	magpiev1 "github.com/magpie-bridge/magpie/protocol/gen/magpie/v1"
)

func TestLagOfAGateway(t *testing.T) {
	_, url := startGateway(t, "127.0.0.1:0")
	succeed(t, nil, "pub", "a", "1", "--url", url)
	live := start(t, "sub", "a", "--last", "1", "--url", url)
	eventually(t, "the message is printed", func() bool { return strings.Contains(live.stdout.String(), "#1") })
	stdout, stderr, status := inProcess(t, nil, "lag", "--url", url)
	if status != exitOK || stdout != "" || stderr != "magpie: none of 1 subscriptions is behind\n" {
		t.Errorf("status %d, %q, %q", status, stdout, stderr)
	}
	if told := succeed(t, nil, "lag", "a", "--json", "--quiet", "--url", url); told != "" {
		t.Errorf("as JSON: %q", told)
	}
	live.interrupt()
}

func TestLagTable(t *testing.T) {
	now := time.UnixMilli(1_789_000_000_000)
	var out strings.Builder
	err := writeLag(&out, []*magpiev1.SubscriptionLag{
		{SessionId: "n1-0-0-ab", UserId: "ann\x1b[2J", Channel: "order.update", Position: &magpiev1.Position{Epoch: "k", Offset: 7}, Tail: 5007, Lag: 5000, Since: new(now.UnixMilli() - 90_000)},
		{SessionId: "n1-1-3-cd", Channel: "a", Position: &magpiev1.Position{}, Tail: 3, Lag: 3},
	}, now)
	const want = "SESSION    USER          CHANNEL       POSITION  TAIL  LAG   SINCE\n" +
		"n1-0-0-ab  ann\\u001b[2J  order.update  7         5007  5000  1m30s\n" +
		"n1-1-3-cd  -             a             0         3     3     -\n"
	if err != nil || out.String() != want {
		t.Errorf("%v\n%s", err, out.String())
	}
}

func TestServiceURL(t *testing.T) {
	for address, want := range map[string]string{
		"ws://127.0.0.1:8080/ws":     "http://127.0.0.1:8080",
		"wss://a.example/magpie/ws":  "https://a.example/magpie",
		"wss://a.example/ws?token=x": "https://a.example",
	} {
		if got := serviceURL(address); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
}
