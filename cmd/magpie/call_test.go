package main

import (
	"context"
	"strings"
	"testing"
	"time"

	magpieclient "github.com/magpie-bridge/magpie/sdk/go"
)

// peer is a client of a gateway which answers calls.
func peer(t *testing.T, url, device string) *magpieclient.Client {
	t.Helper()
	c, err := magpieclient.Dial(t.Context(), magpieclient.Options{URL: url, Device: device})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// serveReport serves a method whose result comes in parts, and which refuses what is no JSON.
func serveReport(t *testing.T, url string) {
	t.Helper()
	_, err := peer(t, url, "").Serve(t.Context(), "report.rows", func(ctx context.Context, r *magpieclient.Request) (magpieclient.Payload, error) {
		if r.Payload.Kind == magpieclient.PayloadText {
			return magpieclient.Payload{}, &magpieclient.Error{
				Code: magpieclient.CodeInvalidArgument, Message: "not a report", Retryable: true, RetryAfter: time.Second, Details: []byte(`{"want":"JSON"}`),
			}
		}
		for _, part := range []magpieclient.Payload{magpieclient.JSON([]byte(`{"row": 1}`)), magpieclient.Text("two\x1b[2J")} {
			if err := r.Progress(ctx, part); err != nil {
				return magpieclient.Payload{}, err
			}
		}
		return magpieclient.Text(r.Meta["trace"] + string(r.Payload.Bytes)), nil
	}, magpieclient.ServeOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

func TestCall(t *testing.T) {
	_, url := startGateway(t, "127.0.0.1:0")
	serveReport(t, url)
	for _, test := range []struct {
		args           string
		stdin          string
		stdout, stderr string
		status         int
	}{
		{`magpie.echo {"b":1,"a":[2]}`, "", `{"b":1,"a":[2]}` + "\n", "", exitOK},
		{"magpie.echo", "", "", "", exitOK},
		{"magpie.echo -", " {\n\"a\": 1}\n", `{"a":1}` + "\n", "", exitOK},
		{"magpie.echo - --text", "as it is\x1b\n", "as it is\x1b\n\n", "", exitOK},
		{"magpie.echo 1 --json", "", `{"type":"reply","data":1}` + "\n", "", exitOK},
		{"report.rows 7 --meta trace=t1", "", "t17\n", `{"row":1}` + "\n" + `two\u001b[2J` + "\n", exitOK},
		{"report.rows 7 --quiet", "", "7\n", "", exitOK},
		{"report.rows 7 --json", "", `{"type":"progress","data":{"row":1}}` + "\n" +
			`{"type":"progress","text":"two\u001b[2J"}` + "\n" + `{"type":"reply","text":"7"}` + "\n", "", exitOK},
		{"report.rows x --text", "", "", "magpie: call report.rows: invalid_argument: not a report\n", exitFailed},
		{"report.rows x --text --json", "", `{"type":"error","error":{"code":"invalid_argument","message":"not a report",` +
			`"retryable":true,"retryAfterMs":1000,"details":{"want":"JSON"}}}` + "\n", "", exitFailed},
		{"nobody.serves", "", "", "magpie: call nobody.serves: not_found: ", exitFailed},
		{"ui.confirm --to user:eve", "", "", "not_found: ", exitFailed},
	} {
		args := append([]string{"call"}, strings.Fields(test.args)...)
		stdout, stderr, status := command(t, strings.NewReader(test.stdin), append(args, "--url", url)...)
		if status != test.status || stdout != test.stdout || !strings.Contains(stderr, test.stderr) || (test.stderr == "") != (stderr == "") {
			t.Errorf("call %s: status %d, stdout %q, stderr %q", test.args, status, stdout, stderr)
		}
	}
}

func TestCallOfSeveral(t *testing.T) {
	_, url := startGateway(t, "127.0.0.1:0")
	phone, laptop := peer(t, url, "phone"), peer(t, url, "laptop")
	phone.Handle("ui.name", func(context.Context, *magpieclient.Request) (magpieclient.Payload, error) {
		return magpieclient.JSON([]byte(`{"name": "phone"}`)), nil
	})
	laptop.Handle("ui.name", func(context.Context, *magpieclient.Request) (magpieclient.Payload, error) {
		return magpieclient.Payload{}, &magpieclient.Error{Code: magpieclient.CodeFailedPrecondition, Message: "asleep"}
	})
	for _, c := range []*magpieclient.Client{phone, laptop} {
		if _, err := c.Subscribe(t.Context(), "room.7", magpieclient.SubscribeOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for args, want := range map[string]string{
		"ui.name --to user:dev --device phone":       `{"name":"phone"}`,
		"ui.name --to user:dev --device phone --all": `dev (phone)  {"name":"phone"}`,
		"ui.name --to channel:room.7":                `dev (laptop)  failed_precondition: asleep`,
		"ui.name --to channel:room.7 --json":         `"device":"laptop","error":{"code":"failed_precondition","message":"asleep"}}`,
	} {
		stdout, stderr, status := command(t, nil, append([]string{"call", "--url", url}, strings.Fields(args)...)...)
		if status != exitOK || !strings.Contains(stdout, want) || strings.Contains(args, "channel") != strings.Contains(stderr, "1 of 2 answered") {
			t.Errorf("call %s: status %d, stdout %q, stderr %q", args, status, stdout, stderr)
		}
	}
	stdout, stderr, status := command(t, nil, "call", "ui.name", "--to", "user:dev", "--device", "laptop", "--all", "--url", url)
	if status != exitFailed || stdout != "dev (laptop)  failed_precondition: asleep\n" || stderr != "magpie: 0 of 1 answered\n" {
		t.Errorf("nobody could answer: status %d, %q, %q", status, stdout, stderr)
	}
}

func TestCallThatTakesTooLong(t *testing.T) {
	_, url := startGateway(t, "127.0.0.1:0")
	begun := make(chan struct{}, 2)
	_, err := peer(t, url, "").Serve(t.Context(), "job.run", func(ctx context.Context, _ *magpieclient.Request) (magpieclient.Payload, error) {
		begun <- struct{}{}
		<-ctx.Done()
		return magpieclient.Payload{}, ctx.Err()
	}, magpieclient.ServeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, stderr, status := command(t, nil, "call", "job.run", "--timeout", "200ms", "--url", url)
	if status != exitFailed || !strings.Contains(stderr, "call job.run: deadline_exceeded: ") {
		t.Errorf("status %d, %q", status, stderr)
	}
	<-begun
	p := start(t, "call", "job.run", "--url", url)
	<-begun
	if status := p.interrupt(); status != exitFailed || p.stderr.String() != "magpie: call job.run: interrupted\n" {
		t.Errorf("interrupted: status %d, %q", status, p.stderr.String())
	}
}

func TestPartsOnATerminal(t *testing.T) {
	p := &callParts{quiet: true} // as on a terminal
	if shown := p.describe(); shown != "" {
		t.Errorf("before the first part it shows %q", shown)
	}
	p.take(magpieclient.Text("one\n"))
	p.take(magpieclient.Text(strings.Repeat("ä", 100)))
	if shown, want := p.describe(), "part 2: "+strings.Repeat("ä", progressWidth)+"…"; shown != want {
		t.Errorf("it shows %q, want %q", shown, want)
	}
}
