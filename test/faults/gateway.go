package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// patience bounds every wait for something that must happen.
const patience = 60 * time.Second

// build compiles a gateway; flags are those of go build.
func build(ctx context.Context, binary string, flags ...string) error {
	args := append([]string{"build", "-o", binary}, flags...)
	out, err := exec.CommandContext(ctx, "go", append(args, "./cmd/magpie")...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("build the gateway: %w\n%s", err, out)
	}
	return nil
}

// gateway is the process that is broken, and started again at the same address with the same store.
type gateway struct {
	binary  string
	address string
	config  string // file
	data    string // directory

	cmd  *exec.Cmd
	log  lockedBuffer
	gone func() error // waits for the end
}

// lockedBuffer can be read while a process writes to it.
type lockedBuffer struct {
	mu  sync.Mutex // guards buf
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

// newGateway prepares a gateway with a store of its own below dir. settings are added to its configuration.
func (b *bench) newGateway(name, settings string) (*gateway, error) {
	dir := filepath.Join(b.dir, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	g := &gateway{
		binary: b.binary, address: ln.Addr().String(), config: filepath.Join(dir, "magpie.yaml"), data: filepath.Join(dir, "data"),
	}
	text := "development: true\nengine: disk\nlogs: {own_log: false, globs: [/nowhere/*.log]}\n" +
		"retention: {messages: 10000000, bytes: 4GiB, age: 24h}\nidempotency: {messages: 1000000, age: 24h}\n" + settings
	return g, cmpErr(ln.Close(), os.WriteFile(g.config, []byte(text), 0o644))
}

func cmpErr(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// start starts the process, and returns when it is ready.
func (g *gateway) start() error {
	g.log.mu.Lock()
	g.log.buf.Reset()
	g.log.mu.Unlock()
	g.cmd = exec.Command(g.binary, "serve", "--config", g.config, "--listen", g.address, "--data", g.data)
	g.cmd.Stdout, g.cmd.Stderr = &g.log, &g.log
	if err := g.cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	var cause error
	wait := g.cmd.Wait
	go func() {
		cause = wait()
		close(ended)
	}()
	g.gone = func() error {
		select {
		case <-ended:
			return cause
		case <-time.After(patience):
			return fmt.Errorf("the gateway has not ended after %s", patience)
		}
	}
	for begun := time.Now(); ; time.Sleep(2 * time.Millisecond) {
		if res, err := http.Get("http://" + g.address + "/readyz"); err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ended:
			return fmt.Errorf("the gateway ended: %w\n%s", cause, g.log.String())
		default:
		}
		if time.Since(begun) > patience {
			g.kill()
			return fmt.Errorf("the gateway is not ready after %s:\n%s", patience, g.log.String())
		}
	}
}

func (g *gateway) url() string { return "ws://" + g.address + "/ws" }

// signal sends a signal to the process.
func (g *gateway) signal(s syscall.Signal) { _ = g.cmd.Process.Signal(s) }

// kill ends the process as nothing could prevent.
func (g *gateway) kill() {
	_ = g.cmd.Process.Kill()
	_ = g.gone()
}

// memory is what the process has in memory that is its own, in bytes.
func (g *gateway) memory() int64 {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.cmd.Process.Pid))
	return field(string(status), "RssAnon:") << 10
}

// kernelMemory is what the kernel holds for TCP on this machine, in bytes.
func kernelMemory() int64 {
	stat, _ := os.ReadFile("/proc/net/sockstat")
	for line := range strings.Lines(string(stat)) {
		if strings.HasPrefix(line, "TCP:") {
			return field(line, "mem") * int64(os.Getpagesize())
		}
	}
	return 0
}

// field reads the number behind a word.
func field(text, word string) int64 {
	fields := strings.Fields(text)
	for i := range len(fields) - 1 {
		if fields[i] == word {
			n, _ := strconv.ParseInt(fields[i+1], 10, 64)
			return n
		}
	}
	return 0
}
