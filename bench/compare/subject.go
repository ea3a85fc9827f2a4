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

	"github.com/magpie-bridge/magpie/internal/auth"
)

// subject is a server that is measured.
type subject struct {
	name    string
	target  string // what the load tool calls it
	scheme  string // of its lines' address; empty: ws://
	path    string // of its lines, where it is not the target's usual one
	command func(x *subject, s settings, folder string, port int) ([]string, error)
	version []string // the command that tells it; nil where it is that of this repository
	tls     bool     // its lines are wss://

	// What varies with Magpie.
	program string   // instead of magpie serve
	config  string   // its configuration, in YAML
	secret  string   // for tokens; "" lets everybody in
	env     []string // more of its environment
}

// subjects are all servers, Magpie first.
func subjects() []subject {
	return []subject{
		{name: magpie, target: "magpie", command: magpieCommand},
		{name: goroutines, target: "magpie", command: magpieCommand, config: "driver: goroutine\n"},
		{name: nats, target: "nats", command: natsCommand, version: []string{"nats-server", "--version"}},
		{name: socketIO, target: "socketio", command: socketIOCommand, version: []string{"node", "--version"}},
		{name: limit, target: "limit", command: limitCommand},
		{name: grpcRelay, target: "grpc", scheme: "http://", command: relayCommand, version: []string{"grpcrelay", "--version"}},
	}
}

// embedded has the gateway inside a program of net/http's.
func embedded(x *subject) { x.program = "embedded" }

// withTokens has every line show a JSON Web Token, which is checked.
func withTokens(x *subject) { x.secret = strings.Repeat("the secret of a benchmark ", 2) }

// frugal is withTokens, and has little garbage wait to be collected: what is left is what lines hold.
func frugal(x *subject) {
	withTokens(x)
	x.env = []string{"GOGC=5"}
}

// token is what the load tool shows; "" where nobody asks.
func (x *subject) token() (string, error) {
	if x.secret == "" {
		return "", nil
	}
	return auth.Mint([]byte(x.secret), auth.TokenClaims{
		UserID: "bench", ExpiresAt: time.Now().Add(time.Hour), Rights: &auth.Grants{Publish: []string{"bench.*"}, Subscribe: []string{"bench.*"}},
	})
}

func magpieCommand(x *subject, s settings, folder string, port int) ([]string, error) {
	if x.program != "" {
		return []string{filepath.Join(s.bin, x.program), "--listen", address(port)}, nil
	}
	tls, err := x.magpieTLS(folder, port)
	if err != nil {
		return nil, err
	}
	name := filepath.Join(folder, fmt.Sprintf("bench-magpie-%d.yaml", port))
	if err := os.WriteFile(name, []byte("logs: {own_log: false}\n"+x.config+tls), 0o600); err != nil {
		return nil, err
	}
	command := []string{filepath.Join(s.bin, "magpie"), "serve", "--config", name, "--listen", address(port)}
	if x.secret == "" {
		command = append(command, "--dev", "--logs", filepath.Join(folder, "no-logs-to-follow"))
	}
	return command, nil
}

func limitCommand(_ *subject, s settings, _ string, port int) ([]string, error) {
	return []string{filepath.Join(s.bin, "limit"), "--listen", address(port)}, nil
}

func relayCommand(_ *subject, s settings, _ string, port int) ([]string, error) {
	return []string{filepath.Join(s.bin, "grpcrelay"), "--listen", address(port)}, nil
}

func socketIOCommand(_ *subject, _ settings, _ string, port int) ([]string, error) {
	return []string{"node", "bench/socketio/server.mjs", strconv.Itoa(port)}, nil
}

// natsCommand writes the configuration that NATS needs for WebSocket. It is spared compression and a limit that slow
// readers would meet.
func natsCommand(x *subject, s settings, folder string, port int) ([]string, error) {
	tls, err := x.natsTLS(folder, port)
	if err != nil {
		return nil, err
	}
	text := fmt.Sprintf("listen: \"127.0.0.1:-1\"\nmax_connections: 100000\nmax_pending: 256MB\nping_interval: \"30s\"\n"+
		"websocket { listen: %q, %s, compression: false }\n", address(port), tls)
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
	command, err := x.command(x, s, folder, port)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "taskset", append([]string{"-c", s.server}, command...)...) //nolint:gosec // the commands are those above
	cmd.Env = append(os.Environ(), x.env...)
	if x.secret != "" {
		cmd.Env = append(cmd.Env, "MAGPIE_AUTH_JWT_SECRET="+x.secret)
	}
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
