package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/magpie-bridge/magpie"
)

const (
	patience = 20 * time.Second
	serving  = "serving pricing.quote" // what a service says once it does
)

// Both services give the same answers, by whatever they were written with.
func TestTheServicesAnswer(t *testing.T) {
	for name, start := range map[string]func(t *testing.T, address string, out *output){"Go": startGo, "plain": startPlain} {
		t.Run(name, func(t *testing.T) {
			gw, err := magpie.New(magpie.Options{Development: true, NoConsole: true})
			if err != nil {
				t.Fatal(err)
			}
			server := httptest.NewServer(gw.Handler())
			t.Cleanup(func() {
				server.Close()
				if err := gw.Shutdown(context.WithoutCancel(t.Context())); err != nil {
					t.Error(err)
				}
			})
			out := &output{serving: make(chan struct{})}
			start(t, strings.TrimPrefix(server.URL, "http://"), out)
			out.await(t)

			for _, test := range []struct{ argument, want, code string }{
				{`{"sku":"lantern","count":3}`, `{"cents":3897}`, ""},
				{`{"sku":"bridge","count":1}`, "", "not_found"},
				{`{"sku":7}`, "", "invalid_argument"},
			} {
				got, code := ask(t, gw, test.argument)
				if got != test.want || code != test.code {
					t.Errorf("%s: got %s %s, want %s %s", test.argument, got, code, test.want, test.code)
				}
			}
		})
	}
}

// ask calls pricing.quote, and returns the reply or the code of the error. Of an order that can be read, progress comes first.
func ask(t *testing.T, gw *magpie.Gateway, argument string) (reply, code string) {
	t.Helper()
	var parts []string
	r, err := gw.Call(t.Context(), magpie.Service(), "pricing.quote", json.RawMessage(argument), magpie.CallOptions{
		Timeout: patience, OnProgress: func(part magpie.Payload) { parts = append(parts, string(part.Bytes())) },
	})
	failure, _ := errors.AsType[*magpie.Error](err)
	if err != nil && failure == nil {
		t.Fatal(err)
	}
	if failure != nil {
		code = string(failure.Code)
	} else {
		reply = string(r.Bytes())
	}
	if code != "invalid_argument" && (len(parts) != 1 || !strings.HasPrefix(parts[0], "looking for a ")) {
		t.Errorf("%s: the parts were %q", argument, parts)
	}
	return reply, code
}

func startGo(t *testing.T, address string, out *output) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, "ws://"+address+"/ws", out) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the program ended with %v", err)
		}
	})
}

// startPlain runs the program as it stands there, but for the gateway's address.
func startPlain(t *testing.T, address string, out *output) {
	const file, written = "plain.mjs", "127.0.0.1:8080"
	source, err := os.ReadFile(file)
	if err != nil || !bytes.Contains(source, []byte(written)) {
		t.Fatalf("%s has no address %s (%v)", file, written, err)
	}
	changed := filepath.Join(t.TempDir(), file)
	if err := os.WriteFile(changed, bytes.ReplaceAll(source, []byte(written), []byte(address)), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	node := exec.CommandContext(ctx, "node", "--experimental-websocket", "--no-warnings", changed)
	node.Stdout, node.Stderr = out, out
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = node.Wait() // it was killed, so it is an error
	})
}

// output is what a service prints. serving is closed once that says that it serves.
type output struct {
	mu      sync.Mutex // guards the fields below
	text    []byte
	serving chan struct{}
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	before := bytes.Contains(o.text, []byte(serving))
	o.text = append(o.text, p...)
	if !before && bytes.Contains(o.text, []byte(serving)) {
		close(o.serving)
	}
	return len(p), nil
}

func (o *output) await(t *testing.T) {
	t.Helper()
	select {
	case <-o.serving:
	case <-time.After(patience):
		o.mu.Lock()
		defer o.mu.Unlock()
		t.Fatalf("the service does not say that it serves; it says:\n%s", o.text)
	}
}
