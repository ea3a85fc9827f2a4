package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// subject is a server that is measured.
type subject struct {
	name    string
	target  string // what the load tool calls it
	path    string // of its lines, where it is not the target's usual one
	command func(s settings, folder string, port int) ([]string, error)
	version []string // the command that tells it; nil where it is that of this repository
}

// subjects are all servers, Magpie first.
func subjects() []subject {
	return []subject{
		{name: "Magpie", target: "magpie", command: magpieCommand},
		{name: "NATS", target: "nats", command: natsCommand, version: []string{"nats-server", "--version"}},
		{name: "Socket.IO", target: "socketio", command: socketIOCommand, version: []string{"node", "--version"}},
		{name: "limit", target: "limit", command: limitCommand},
	}
}

func magpieCommand(s settings, folder string, port int) ([]string, error) {
	none := filepath.Join(folder, "no-logs-to-follow")
	return []string{filepath.Join(s.bin, "magpie"), "serve", "--dev", "--listen", address(port), "--logs", none}, nil
}

func limitCommand(s settings, _ string, port int) ([]string, error) {
	return []string{filepath.Join(s.bin, "limit"), "--listen", address(port)}, nil
}

func socketIOCommand(_ settings, _ string, port int) ([]string, error) {
	return []string{"node", "bench/socketio/server.mjs", strconv.Itoa(port)}, nil
}

// natsCommand writes the configuration that NATS needs for WebSocket. It is spared compression and a limit that slow
// readers would meet.
func natsCommand(s settings, folder string, port int) ([]string, error) {
	text := fmt.Sprintf("listen: \"127.0.0.1:-1\"\nmax_connections: 100000\nmax_pending: 256MB\n"+
		"websocket { listen: %q, no_tls: true, compression: false }\n", address(port))
	name := filepath.Join(folder, fmt.Sprintf("bench-nats-%d.conf", port))
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		return nil, err
	}
	return []string{filepath.Join(s.bin, "nats-server"), "-c", name}, nil
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// server is a subject that runs.
type server struct {
	cmd  *exec.Cmd
	port int
}

// start runs a subject on its processors and waits until it listens.
func (x *subject) start(ctx context.Context, s settings, folder string) (*server, error) {
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	command, err := x.command(s, folder, port)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "taskset", append([]string{"-c", s.server}, command...)...) //nolint:gosec // the commands are those above
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	srv := &server{cmd: cmd, port: port}
	if err := srv.await(ctx); err != nil {
		srv.stop()
		return nil, fmt.Errorf("start %s (%s): %w", x.name, strings.Join(command, " "), err)
	}
	return srv, nil
}

// await waits until the server takes connections.
func (s *server) await(ctx context.Context) error {
	for range 200 {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address(s.port))
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
	return errors.New("it does not listen")
}

// stop ends the server without ceremony: every line of it is gone already.
func (s *server) stop() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait() // it was killed, and says so
}

func freePort(ctx context.Context) (int, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil //nolint:forcetypeassert // it listens on TCP
}
