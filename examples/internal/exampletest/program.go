// Package exampletest tries examples as their users do: it starts the real program on a free port, and speaks to it over HTTP
// and WebSocket.
//
//   - program.go: a running example
//   - line.go: a WebSocket to it, frame by frame
package exampletest

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// asProgram makes the test binary behave as the example it tests.
const asProgram = "MAGPIE_TEST_AS_EXAMPLE"

// Patience bounds every wait of a test.
const Patience = 20 * time.Second

// Main is for the TestMain of an example: it runs the tests, or the example's main in the process that [Start] made.
func Main(m *testing.M, main func()) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	m.Run() // its status is that of the process
}

// Program is an example that runs as a process of its own.
type Program struct {
	// URL is that of its page, with a slash at the end.
	URL string

	cmd    *exec.Cmd
	output output
	ended  chan struct{} // closed when the field below is set
	err    error
}

// output can be read while a process writes to it.
type output struct {
	mu  sync.Mutex // guards the field below
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// Start starts the example on a free port, and waits until it says where it is. At the end of the test it is interrupted, as by
// Ctrl-C, and must end well.
func Start(t *testing.T, args ...string) *Program {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args = append([]string{"-listen", "127.0.0.1:0"}, args...)
	p := &Program{cmd: exec.CommandContext(context.WithoutCancel(t.Context()), executable, args...)} //nolint:gosec // it is this test
	p.cmd.Env = append(os.Environ(), asProgram+"=1")
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.ended = make(chan struct{})
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() { p.stop(t) })

	address := regexp.MustCompile(`url=(http://[0-9.:]+/)`)
	late := time.After(Patience)
	for {
		if match := address.FindStringSubmatch(p.output.String()); match != nil {
			p.URL = match[1]
			return p
		}
		select {
		case <-p.ended:
			t.Fatal("the program ended before it said where it is")
		case <-late:
			t.Fatalf("the program does not say where it is:\n%s", p.output.String())
		case <-time.After(time.Millisecond):
		}
	}
}

func (p *Program) stop(t *testing.T) {
	_ = p.cmd.Process.Signal(os.Interrupt) // if it has ended already, its status tells why
	select {
	case <-p.ended:
		if p.err != nil {
			t.Errorf("the program ended with %v:\n%s", p.err, p.output.String())
		}
	case <-time.After(Patience):
		_ = p.cmd.Process.Kill() // the test has failed in any case
		t.Errorf("the program goes on after an interrupt:\n%s", p.output.String())
	}
}

// Answer is what came of a request.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}

// Do sends a request to the program, in the name of whoever has the cookie; nil: nobody.
func (p *Program) Do(t *testing.T, cookie *http.Cookie, method, path, body string) Answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, p.URL+strings.TrimPrefix(path, "/"), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if cookie != nil {
		request.AddCookie(cookie)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var text bytes.Buffer
	if _, err := text.ReadFrom(response.Body); err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return Answer{Status: response.StatusCode, Header: response.Header, Body: text.String()}
}

// SignIn gets the cookie of a person from the example's login.
func (p *Program) SignIn(t *testing.T, name string) *http.Cookie {
	t.Helper()
	answer := p.Do(t, nil, http.MethodPost, "/login", `{"name":"`+name+`"}`)
	cookies := (&http.Response{Header: answer.Header}).Cookies()
	if answer.Status != http.StatusOK || len(cookies) != 1 {
		t.Fatalf("signing in as %q: status %d, %d cookies: %s", name, answer.Status, len(cookies), answer.Body)
	}
	return cookies[0]
}
