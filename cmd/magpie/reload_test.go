package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// reloadable runs a gateway with a configuration of its own, and gives how to change it.
func reloadable(t *testing.T) (p *process, url string, write func(text string)) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "magpie.yaml")
	write = func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte("logs: {globs: [/nowhere/*.log]}\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("")
	p, url = serving(t, "--dev", "--listen", "127.0.0.1:0", "--config", file)
	return p, url, write
}

func TestReloadTellsWhatHasChanged(t *testing.T) {
	p, url, write := reloadable(t)
	if _, stderr, status := command(t, nil, "reload", "--url", url); status != exitOK || stderr != "magpie: nothing has changed\n" {
		t.Errorf("status %d, %q", status, stderr)
	}
	write("limits: {connections: 9, handshakes: 8}\nnamespaces:\n- {name: room, pattern: room.*, ttl: 1m}\n")
	want := `SETTING             BEFORE  AFTER    NOW
limits.connections  100000  9        in use
limits.handshakes   1024    8        takes a restart
namespaces[room]    -       present  in use
`
	if got := succeed(t, nil, "reload", "--url", url); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	write("limits: {connection: 9}\n")
	stdout, stderr, status := command(t, nil, "reload", "--url", url)
	if status != exitFailed || stdout != "" || !strings.Contains(stderr, "did you mean connections?") {
		t.Errorf("a wrong one: status %d, %q, %q", status, stdout, stderr)
	}
	if told := p.stderr.String(); !strings.Contains(told, `"key":"limits.connections"`) || strings.Count(told, "runs on with the one before") != 1 {
		t.Errorf("the gateway's log:\n%s", told)
	}
}

func TestAHangupReadsTheConfigurationAgain(t *testing.T) {
	p, url, write := reloadable(t)
	live := start(t, "sub", "order.a", "--url", url)
	eventually(t, "somebody has subscribed", func() bool {
		return strings.Contains(succeed(t, nil, "sessions", "--channel", "order.a", "--url", url), "dev")
	})
	write("log: {level: debug}\nnamespaces:\n- {name: order, pattern: order.*, ttl: 1h}\n")
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the log tells of it", func() bool { return strings.Contains(p.stderr.String(), "the configuration was read again") })
	succeed(t, nil, "pub", "order.a", "1", "--url", url)
	eventually(t, "the line is there still", func() bool { return strings.Contains(live.stdout.String(), "#1") })
	if told := succeed(t, nil, "channels", "order.*", "--url", url); !strings.Contains(told, "1h0m0s") {
		t.Errorf("the channel does not have the new setting:\n%s", told)
	}
}

func TestChannelsAreWatched(t *testing.T) {
	_, url, write := reloadable(t)
	write("namespaces:\n- {name: room, pattern: room.*, ttl: 1s}\n")
	succeed(t, nil, "reload", "--url", url)
	watching := start(t, "channels", "room.*", "--watch", "--every", "100ms", "--url", url)
	succeed(t, nil, "pub", "room.a", "1", "--url", url)
	row := func(messages string) func() bool {
		return func() bool {
			return strings.Contains(strings.Join(strings.Fields(watching.stdout.String()), " "), " "+messages+" ")
		}
	}
	eventually(t, "the channel is told", row("1 1 1"))
	succeed(t, nil, "pub", "room.a", "2", "--url", url)
	eventually(t, "its second message is told", row("1 2 2"))
	eventually(t, "it is gone", func() bool { return strings.Contains(watching.stderr.String(), "room.a is not listed any more") })
	if status := watching.interrupt(); status != exitOK {
		t.Errorf("status %d", status)
	}
}
