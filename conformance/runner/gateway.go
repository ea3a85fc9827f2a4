package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	magpie = "bin/magpie"
	python = ".cache/venv/bin/python"
	// patience is how long one thing that is quick may take on a busy machine.
	patience = 30 * time.Second
)

// field is what the clients play on: a gateway in development mode, a line to it that breaks, a gateway that wants
// tokens, and the tokens.
type field struct {
	dir    string // for files of this run
	open   *gateway
	flaky  *flakyLine
	secure *gateway
	jwt    string
	apiKey string
}

// newField starts all of it; l falsifies what comes through the flaky line, nil leaves it as it is.
func newField(ctx context.Context, l *liar) (_ *field, err error) {
	f := &field{}
	if f.dir, err = os.MkdirTemp("", "magpie-conformance-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.close())
		}
	}()
	// A file that does not exist keeps the machine's own logs out of this.
	if f.open, err = startGateway(ctx, "--dev", "--logs", filepath.Join(f.dir, "none.log")); err != nil {
		return nil, err
	}
	if f.flaky, err = newFlakyLine(ctx, f.open.address, l); err != nil {
		return nil, err
	}
	secret := secretText()
	f.apiKey = "mgp_" + secretText()
	f.jwt = signedToken(secret)
	config := filepath.Join(f.dir, "magpie.yaml")
	if err = os.WriteFile(config, []byte(secureConfig(secret, f.apiKey)), 0o600); err != nil {
		return nil, err
	}
	f.secure, err = startGateway(ctx, "--config", config)
	return f, err
}

func (f *field) close() error {
	var err error
	if f.flaky != nil {
		err = f.flaky.close()
	}
	for _, g := range []*gateway{f.open, f.secure} {
		if g != nil {
			err = errors.Join(err, g.stop())
		}
	}
	return errors.Join(err, os.RemoveAll(f.dir))
}

func secureConfig(secret, apiKey string) string {
	return fmt.Sprintf(`
auth:
  jwt:
    secret: %q
  api_keys:
    - name: conformance
      key: %q
      publish: [conformance.>]
`, secret, apiKey)
}

func secretText() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return hex.EncodeToString(b)
}

// signedToken is a JSON Web Token as any program would make it, which is why no code of the gateway does.
func signedToken(secret string) string {
	encode := base64.RawURLEncoding.EncodeToString
	claims := fmt.Sprintf(`{"sub":"alice","exp":%d,"magpie":{"publish":["conformance.>"]}}`, time.Now().Add(time.Hour).Unix())
	signed := encode([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + encode([]byte(claims))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(signed))
	return signed + "." + encode(mac.Sum(nil))
}

// gateway is a running bin/magpie.
type gateway struct {
	address string // host:port
	process *exec.Cmd
	exited  chan struct{} // closed when the process is gone

	mu     sync.Mutex // guards the fields below
	stderr bytes.Buffer
}

// startGateway starts a gateway on a free port and returns when it has told which.
func startGateway(ctx context.Context, args ...string) (*gateway, error) {
	args = append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)
	g := &gateway{exited: make(chan struct{})}
	g.process = exec.Command(magpie, args...) //nolint:gosec,noctx // our own binary; stop ends it, politely
	g.process.Stderr = g
	stdout, err := g.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := g.process.Start(); err != nil {
		return nil, err
	}
	told := make(chan string, 1)
	go func() {
		g.readAddress(stdout, told)
		g.process.Wait() //nolint:errcheck // stop tells what became of it
		close(g.exited)
	}()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case g.address = <-told:
		return g, nil
	case <-g.exited:
		return nil, fmt.Errorf("the gateway did not start: %s", g.log())
	case <-ctx.Done():
		return nil, errors.Join(fmt.Errorf("the gateway did not tell its address: %s", g.log()), g.stop())
	}
}

// readAddress finds the address in what the gateway prints, all of which has to be read.
func (g *gateway) readAddress(stdout io.Reader, told chan<- string) {
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if _, url, found := strings.Cut(lines.Text(), "ws://"); found {
			address, _, _ := strings.Cut(url, "/")
			told <- address
		}
	}
}

// Write takes what the gateway writes to stderr.
func (g *gateway) Write(b []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.stderr.Write(b)
}

func (g *gateway) log() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.stderr.String()
}

func (g *gateway) url() string { return "ws://" + g.address + "/ws" }

// stop ends the gateway as an operator would, and tells when it did not go by itself in good order.
func (g *gateway) stop() error {
	if err := g.process.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("the gateway had ended before: %s", g.log())
	}
	select {
	case <-g.exited:
	case <-time.After(patience):
		g.process.Process.Kill() //nolint:errcheck // it may be gone now
		<-g.exited
	}
	if state := g.process.ProcessState; !state.Success() {
		return fmt.Errorf("the gateway ended with %s: %s", state, g.log())
	}
	return nil
}

// publish publishes texts to a channel over HTTP.
func (g *gateway) publish(ctx context.Context, channel string, texts ...string) error {
	type message struct {
		Text string `json:"text"`
	}
	batch := make([]message, len(texts))
	for i, text := range texts {
		batch[i].Text = text
	}
	body, err := json.Marshal(map[string]any{"channel": channel, "messages": batch})
	if err != nil {
		return err
	}
	url := "http://" + g.address + "/magpie.v1.GatewayService/Publish"
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("publish was answered %s: %s", response.Status, answer)
	}
	return err
}
