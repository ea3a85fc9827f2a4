package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// asCommand makes the test binary behave as the command it tests, so that tests can run real processes, and kill them.
const asCommand = "MAGPIE_TEST_AS_COMMAND"

// patience bounds every wait of a test that is not about time.
const patience = 20 * time.Second

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// process is a running magpie.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdout lockedBuffer
	stderr lockedBuffer
	wait   func() error
}

// lockedBuffer can be read while a process writes to it.
type lockedBuffer struct {
	mu  sync.Mutex // guards the field below
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// prepare makes a process that is killed at the end of the test, if it still runs then.
func prepare(t *testing.T, args ...string) *process {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: exec.CommandContext(context.WithoutCancel(t.Context()), executable, args...)}
	p.cmd.Env = append(os.Environ(), asCommand+"=1", "MAGPIE_URL=", "MAGPIE_TOKEN=")
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	return p
}

func (p *process) start() *process {
	p.t.Helper()
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.wait = sync.OnceValue(p.cmd.Wait)
	p.t.Cleanup(p.kill)
	return p
}

func start(t *testing.T, args ...string) *process {
	t.Helper()
	return prepare(t, args...).start()
}

// kill ends the process as kill -9 does.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	_ = p.wait()             // it was killed
}

// interrupt ends the process as Ctrl-C does, and gives its exit status.
func (p *process) interrupt() int {
	p.t.Helper()
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		p.t.Fatalf("interrupt: %v", err)
	}
	return p.status()
}

// status waits for the end of the process, and gives its exit status.
func (p *process) status() int {
	p.t.Helper()
	done := make(chan error, 1)
	go func() { done <- p.wait() }()
	select {
	case err := <-done:
		if exited, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
			p.t.Fatalf("%v: %v", p.cmd.Args, err)
		} else if ok {
			return exited.ExitCode()
		}
		return 0
	case <-time.After(patience):
		p.t.Fatalf("%v is still running; stderr:\n%s", p.cmd.Args[1:], p.stderr.String())
		return -1
	}
}

// command runs a command to its end.
func command(t *testing.T, stdin io.Reader, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	p := prepare(t, args...)
	p.cmd.Stdin = stdin
	status = p.start().status()
	return p.stdout.String(), p.stderr.String(), status
}

// succeed runs a command that must end with status 0.
func succeed(t *testing.T, stdin io.Reader, args ...string) string {
	t.Helper()
	stdout, stderr, status := command(t, stdin, args...)
	if status != exitOK {
		t.Fatalf("magpie %s: status %d, stderr:\n%s", strings.Join(args, " "), status, stderr)
	}
	return stdout
}

// eventually polls until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// startGateway runs a real gateway, and gives its WebSocket address.
func startGateway(t *testing.T, listen string) (p *process, url string) {
	t.Helper()
	quietLog := filepath.Join(t.TempDir(), "nothing.log") // or it would follow the logs of the machine
	return serving(t, "--dev", "--listen", listen, "--logs", quietLog)
}

// serving runs magpie serve with these flags.
func serving(t *testing.T, flags ...string) (p *process, url string) {
	t.Helper()
	p = start(t, append([]string{"serve"}, flags...)...)
	address := regexp.MustCompile(`ws://[0-9.:]+/ws`)
	eventually(t, "the gateway tells its address", func() bool {
		url = address.FindString(p.stdout.String())
		return url != ""
	})
	return p, url
}

// lines splits a text into its lines.
func lines(s string) []string {
	var all []string
	scanner := bufio.NewScanner(strings.NewReader(s))
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		all = append(all, scanner.Text())
	}
	return all
}
