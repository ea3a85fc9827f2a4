package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

const (
	firstDir     = "conformance/first"
	firstAddress = "127.0.0.1:8080" // as the first clients have it
	firstChannel = "chat.lobby"
)

// runFirstClients runs the clients that the README shows, as they stand there but for the gateway's address: each has
// to print what is published.
func runFirstClients(ctx context.Context, f *field) []result {
	python, err := filepath.Abs(python)
	if err != nil {
		return []result{once("first clients", err)}
	}
	var results []result
	for _, first := range []struct {
		file    string
		command []string
	}{
		{"first.mjs", []string{"node", "--experimental-websocket", "--no-warnings"}},
		{"First.java", []string{"java"}},
		{"first.py", []string{python}},
		{"first.go", []string{"go", "run"}},
	} {
		results = append(results, once(first.file, runFirst(ctx, f, first.file, first.command)))
	}
	return results
}

func runFirst(ctx context.Context, f *field, file string, command []string) error {
	source, err := os.ReadFile(filepath.Join(firstDir, file)) //nolint:gosec // the files are named above
	if err != nil {
		return err
	}
	if !bytes.Contains(source, []byte(firstAddress)) {
		return fmt.Errorf("the address %s is not in it", firstAddress)
	}
	source = bytes.ReplaceAll(source, []byte(firstAddress), []byte(f.open.address))
	changed := filepath.Join(f.dir, file)
	if err := os.WriteFile(changed, source, 0o600); err != nil { //nolint:gosec // likewise
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*patience) // with compiling
	defer cancel()
	printed := &lockedBuffer{}
	cmd := exec.CommandContext(ctx, command[0], append(command[1:], changed)...) //nolint:gosec // the commands are above
	cmd.Stdout, cmd.Stderr = printed, printed
	endTogether(cmd)
	if err := cmd.Start(); err != nil {
		return err
	}
	err = watchFirst(ctx, f, "hello "+file, printed)
	cancel()
	cmd.Wait() //nolint:errcheck // it was killed, so it is an error
	if err != nil {
		return fmt.Errorf("%w; it printed:\n%s", err, printed)
	}
	return nil
}

// watchFirst publishes once the client is subscribed, and expects it to print that.
func watchFirst(ctx context.Context, f *field, text string, printed *lockedBuffer) error {
	prints := func(part string) error {
		return poll(ctx, 2*patience, "not printed: "+part, func() bool { return strings.Contains(printed.String(), part) })
	}
	if err := prints(`"type":"subscribed"`); err != nil {
		return err
	}
	if err := f.open.publish(ctx, firstChannel, text); err != nil {
		return err
	}
	return prints(`"text":"` + text + `"`)
}

// lockedBuffer collects what a process prints. It is safe for concurrent use.
type lockedBuffer struct {
	mu      sync.Mutex // guards the fields below
	content bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.content.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.content.String()
}
