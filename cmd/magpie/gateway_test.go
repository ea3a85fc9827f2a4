package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/magpie-bridge/magpie/internal/selfsigned"
)

func TestPublishAndSubscribe(t *testing.T) {
	_, url := startGateway(t, "127.0.0.1:0")
	live := start(t, "sub", "chat.lobby", "--url", url, "--json", "--from", "0", "--count", "3")
	told := succeed(t, nil, "pub", "chat.lobby", `{"message":"hello"}`, "--key", "k", "--tag", "a=b", "--id", "m1", "--url", url)
	if !strings.HasPrefix(told, "published to chat.lobby at ") || !strings.HasSuffix(told, ":1\n") {
		t.Errorf("pub said %q", told)
	}
	told = succeed(t, nil, "pub", "chat.lobby", `{"message":"hello"}`, "--id", "m1", "--json", "--url", url)
	var again pubLine
	if err := json.Unmarshal([]byte(told), &again); err != nil || !again.Duplicate || again.Offset != 1 || again.MessageID != "m1" {
		t.Errorf("the same message again: %q", told)
	}
	succeed(t, strings.NewReader("one\n\ntwo\r\n"), "pub", "chat.lobby", "--lines", "--text", "--url", url)
	if status := live.status(); status != exitOK {
		t.Errorf("sub ended with %d: %s", status, live.stderr.String())
	}
	var got []messageLine
	for _, line := range lines(live.stdout.String()) {
		var m messageLine
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		got = append(got, m)
	}
	if len(got) != 3 {
		t.Fatalf("sub printed %d messages, want 3", len(got))
	}
	first := got[0]
	if string(first.Data) != `{"message":"hello"}` || first.Key != "k" || first.Tags["a"] != "b" || first.MessageID != "m1" || first.Publisher != "dev" {
		t.Errorf("the first message is %+v", first)
	}
	if *got[1].Text != "one" || *got[2].Text != "two" || got[2].Offset != 3 {
		t.Errorf("the lines are %+v", got[1:])
	}
	pretty := succeed(t, nil, "sub", "chat.lobby", "--last", "1", "--count", "1", "--url", url)
	if !strings.Contains(pretty, " chat.lobby #3 dev  two\n") {
		t.Errorf("sub printed %q", pretty)
	}
}

func TestSubscribeWithAFilter(t *testing.T) {
	_, url := startGateway(t, "127.0.0.1:0")
	for i := range 10 {
		succeed(t, nil, "pub", "order.update", fmt.Sprintf(`{"amount":%d}`, i*100), "--url", url)
	}
	got := succeed(t, nil, "sub", "order.update", "--last", "3", "--filter", "amount > 500", "--count", "3", "--json", "--url", url)
	for i, line := range lines(got) {
		if want := fmt.Sprintf(`"data":{"amount":%d}`, 700+i*100); !strings.Contains(line, want) {
			t.Errorf("line %d is %s, want %s", i, line, want)
		}
	}
	_, stderr, status := command(t, nil, "sub", "order.update", "--filter", "amount >", "--url", url)
	if status != exitFailed || !strings.Contains(stderr, "column 9") {
		t.Errorf("a wrong filter: status %d, %q", status, stderr)
	}
}

func TestBytesAreCarried(t *testing.T) {
	_, url := startGateway(t, "127.0.0.1:0")
	name := filepath.Join(t.TempDir(), "picture")
	if err := os.WriteFile(name, []byte{0, 1, 0xff}, 0o600); err != nil {
		t.Fatal(err)
	}
	succeed(t, nil, "pub", "image.new", "--bytes", name, "--url", url)
	got := succeed(t, nil, "sub", "image.new", "--from", "0", "--count", "1", "--json", "--url", url)
	if !strings.Contains(got, `"base64":"AAH/"`) {
		t.Errorf("sub printed %s", got)
	}
}

func TestInterruptEndsSubCleanly(t *testing.T) {
	_, url := startGateway(t, "127.0.0.1:0")
	succeed(t, nil, "pub", "a", "1", "--url", url)
	p := start(t, "sub", "a", "b", "--last", "1", "--url", url)
	eventually(t, "the message is printed", func() bool { return strings.Contains(p.stdout.String(), "#1") })
	if status := p.interrupt(); status != exitOK || p.stderr.String() != "" {
		t.Errorf("status %d, stderr %q", status, p.stderr.String())
	}
}

func TestCredentials(t *testing.T) {
	config := filepath.Join(t.TempDir(), "magpie.yaml")
	text := "listen: 127.0.0.1:0\nauth:\n  jwt:\n    secret: " + testSecret + "\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, url := serving(t, "--config", config)
	minted, _, _ := inProcess(t, map[string]string{secretVariable: testSecret}, "token", "--user", "ann", "--publish", "order.*")
	token := strings.TrimSpace(minted)
	for _, test := range []struct {
		token, channel, want string
		status               int
	}{
		{"", "order.update", "wants to know who you are: give a credential with --token or MAGPIE_TOKEN", exitFailed},
		{token + "x", "order.update", "refused the credential; give a valid one with --token or MAGPIE_TOKEN", exitFailed},
		{token, "price.update", "does not allow it; use a credential with the right", exitFailed},
		{token, "order.update", "", exitOK},
	} {
		variables := map[string]string{"MAGPIE_URL": url, "MAGPIE_TOKEN": test.token}
		_, stderr, status := inProcess(t, variables, "pub", test.channel, "{}")
		if status != test.status || !strings.Contains(stderr, test.want) || len(lines(stderr)) > 1 {
			t.Errorf("pub to %s: status %d, %q; want %q", test.channel, status, stderr, test.want)
		}
		if test.token != "" && strings.Contains(stderr, test.token) {
			t.Errorf("the error shows the credential: %q", stderr)
		}
	}
}

func TestPortInUse(t *testing.T) {
	_, address := startGateway(t, "127.0.0.1:0")
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	_, stderr, status := command(t, nil, "serve", "--dev", "--listen", u.Host)
	if status != exitFailed || !strings.Contains(stderr, "in use") {
		t.Errorf("a second gateway: status %d, %q", status, stderr)
	}
}

// Killed again and again, sub prints each message exactly once into a file.
func TestPositionFileSurvivesKills(t *testing.T) {
	const messages = 10_000
	const kills = 12
	_, url := startGateway(t, "127.0.0.1:0")
	succeed(t, nil, "pub", "order.update", `{"state":"paid"}`, "--count", fmt.Sprint(messages), "--url", url, "--quiet")
	folder := t.TempDir()
	output, positions := filepath.Join(folder, "out.jsonl"), filepath.Join(folder, "position")
	subscribe := func() *process {
		f, err := os.OpenFile(output, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		p := prepare(t, "sub", "order.update", "--from", "0", "--json", "--position-file", positions, "--url", url)
		p.cmd.Stdout = f
		return p.start()
	}
	printed := func() int {
		info, err := os.Stat(output)
		if err != nil {
			return 0
		}
		return int(info.Size())
	}
	p := subscribe()
	lineBytes := 0
	eventually(t, "the first line is printed", func() bool { lineBytes = printed(); return lineBytes > 0 })
	p.kill()
	lineBytes = len(strings.SplitAfterN(readFile(t, output), "\n", 2)[0])
	for n := 1; n <= kills; n++ {
		p := subscribe()
		enough := messages * lineBytes * n / (kills + 1)
		eventually(t, "more is printed", func() bool { return printed() >= enough })
		p.kill()
	}
	p = subscribe()
	eventually(t, "everything is printed", func() bool { return strings.Count(readFile(t, output), "\n") >= messages })
	if status := p.interrupt(); status != exitOK {
		t.Errorf("sub ended with %d: %s", status, p.stderr.String())
	}
	got := lines(readFile(t, output))
	if len(got) != messages {
		t.Errorf("%d lines were printed, want %d", len(got), messages)
	}
	for i, line := range got {
		var m messageLine
		if err := json.Unmarshal([]byte(line), &m); err != nil || m.Offset != uint64(i+1) {
			t.Fatalf("line %d is %q, %v", i+1, line, err)
		}
	}
}

func TestSubTellsThatTheNumberingBeganAnew(t *testing.T) {
	g, address := startGateway(t, "127.0.0.1:0")
	succeed(t, nil, "pub", "a", `"before"`, "--url", address)
	p := start(t, "sub", "a", "--last", "1", "--json", "--url", address)
	eventually(t, "the first message is printed", func() bool { return strings.Contains(p.stdout.String(), "before") })
	g.kill()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	startGateway(t, u.Host)
	succeed(t, nil, "pub", "a", `"after"`, "--url", address)
	eventually(t, "the second message is printed", func() bool { return strings.Contains(p.stdout.String(), "after") })
	if status := p.interrupt(); status != exitOK {
		t.Errorf("sub ended with %d", status)
	}
	for _, said := range []string{"no line to the gateway", "is back", "the numbering began anew"} {
		if !strings.Contains(p.stderr.String(), said) {
			t.Errorf("stderr does not say %q:\n%s", said, p.stderr.String())
		}
	}
	if n := len(lines(p.stdout.String())); n != 2 {
		t.Errorf("%d messages were printed, want 2", n)
	}
}

func TestTail(t *testing.T) {
	g, address := startGateway(t, "127.0.0.1:0")
	log := filepath.Join(t.TempDir(), "app.log")
	write := func(text string) {
		f, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	write("first line\n{\"level\":\"warn\",\"msg\":\"second line\"}\n")
	p := start(t, "tail", log, "--from-start", "--service", "order", "--channel", "logs.test", "--url", address)
	got := lines(succeed(t, nil, "sub", "logs.test", "--from", "0", "--count", "2", "--json", "--url", address))
	if !strings.Contains(got[0], `"message":"first line"`) || !strings.Contains(got[1], `"tags":{"level":"warn","service":"order"}`) {
		t.Errorf("the records are %s", got)
	}
	g.kill()
	var missed strings.Builder
	for n := range 3000 {
		fmt.Fprintf(&missed, "line %d was written while there was no gateway\n", n)
	}
	write(missed.String())
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	startGateway(t, u.Host)
	got = lines(succeed(t, nil, "sub", "logs.test", "--from", "0", "--count", "3000", "--json", "--url", address))
	for n, line := range got {
		if !strings.Contains(line, fmt.Sprintf(`"message":"line %d was`, n)) {
			t.Fatalf("record %d is %s", n, line)
		}
	}
	if status := p.interrupt(); status != exitOK || !strings.Contains(p.stderr.String(), "3002 records published") {
		t.Errorf("tail ended with %d: %s", status, p.stderr.String())
	}
}

func TestTailReadsStdin(t *testing.T) {
	_, address := startGateway(t, "127.0.0.1:0")
	stdout, stderr, status := command(t, strings.NewReader("one\ntwo\n"), "tail", "-", "--channel", "logs.test", "--url", address, "--quiet")
	if status != exitOK || stdout != "" || stderr != "" {
		t.Fatalf("tail: status %d, %q, %q", status, stdout, stderr)
	}
	got := lines(succeed(t, nil, "sub", "logs.test", "--from", "0", "--count", "2", "--json", "--url", address))
	if !strings.Contains(got[1], `"message":"two"`) {
		t.Errorf("the records are %s", got)
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestAddressesOverTLS(t *testing.T) {
	certFile, keyFile, err := selfsigned.Write(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("MAGPIE_TLS_CERT", certFile)
	t.Setenv("MAGPIE_TLS_KEY", keyFile)
	t.Setenv("SSL_CERT_FILE", certFile)
	gateway := start(t, "serve", "--dev", "--listen", "127.0.0.1:0", "--logs", filepath.Join(t.TempDir(), "nothing.log"))
	told := regexp.MustCompile(`console    (https://[0-9.:]+)/\n  WebSocket  (wss://[0-9.:]+/ws)\n`)
	var found []string
	eventually(t, "the gateway tells its addresses", func() bool {
		found = told.FindStringSubmatch(gateway.stdout.String())
		return found != nil
	})
	for _, url := range found[1:] {
		succeed(t, nil, "pub", "--url", url, "order.update", `{"a":1}`)
	}
	if status := gateway.interrupt(); status != exitOK {
		t.Errorf("status %d, stderr:\n%s", status, gateway.stderr.String())
	}
}
