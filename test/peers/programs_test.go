package peers_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait for something that must happen; Maven has more of it.
const (
	patience      = 30 * time.Second
	buildPatience = 3 * time.Minute
)

// bin is where TestMain puts the gateway and the Go program.
var bin string

func TestMain(m *testing.M) {
	status, err := buildAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

func buildAndRun(m *testing.M) (int, error) {
	var err error
	if bin, err = os.MkdirTemp("", "magpie-peers-"); err != nil {
		return 0, err
	}
	defer os.RemoveAll(bin)
	for name, folder := range map[string]string{"magpie": "../../cmd/magpie", "program": "./program"} {
		if out, err := exec.Command("go", "build", "-o", filepath.Join(bin, name), folder).CombinedOutput(); err != nil {
			return 0, fmt.Errorf("build %s: %w\n%s", folder, err, out)
		}
	}
	return m.Run(), nil
}

// lookAtSources looks at all that the programs are made of, so that go test does not take an older result for a newer
// program's: it knows of what a test itself reads.
func lookAtSources(t *testing.T) {
	t.Helper()
	for _, root := range []string{"../../cmd/magpie", "../../internal", "../../protocol/magpie", "program", "grpc/pom.xml", "grpc/src"} {
		if err := filepath.WalkDir(root, func(_ string, _ fs.DirEntry, err error) error { return err }); err != nil {
			t.Fatal(err)
		}
	}
}

// tool finds a command under one of its names.
func tool(t *testing.T, install string, names ...string) string {
	t.Helper()
	for _, name := range names {
		if found, err := exec.LookPath(name); err == nil {
			return found
		}
	}
	t.Fatalf("%s is missing: install %s, or run scripts/setup", names[0], install)
	return ""
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

// start starts a process of a group of its own, and ends the group with the test, as kill -9 does. What it wrote to
// stderr is shown when the test has failed.
func start(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	stderr := &lockedBuffer{}
	cmd.Stderr = stderr
	endTogether(cmd)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		kill(t, cmd)
		if said := stderr.String(); t.Failed() && said != "" {
			t.Logf("%s said:\n%s", filepath.Base(cmd.Path), said)
		}
	})
}

// endTogether lets the processes that a command starts be killed with it: those of a browser, or of Maven.
func endTogether(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = time.Second
	if cmd.Cancel != nil { // it was made with a context
		cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	}
}

// kill ends a process and those that it has started.
func kill(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if cmd.ProcessState != nil {
		return
	}
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		t.Errorf("kill %s: %v", cmd.Path, err)
	}
	_ = cmd.Wait() // it was killed
}

// eventually polls until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// gateway is a process that runs magpie serve.
type gateway struct {
	address string // HOST:PORT
}

// startGateway starts a gateway that lets the pages of an origin in, if one is named.
func startGateway(t *testing.T, origin string) *gateway {
	t.Helper()
	lookAtSources(t)
	noLogs := filepath.Join(t.TempDir(), "nothing.log") // or it would follow the logs of the machine
	cmd := exec.Command(filepath.Join(bin, "magpie"), "serve", "--dev", "--listen", "127.0.0.1:0", "--logs", noLogs)
	cmd.Env = append(os.Environ(), "MAGPIE_ORIGINS="+origin)
	stdout := &lockedBuffer{}
	cmd.Stdout = stdout
	start(t, cmd)
	g := &gateway{}
	address := regexp.MustCompile(`ws://([0-9.:]+)/ws`)
	eventually(t, "the gateway tells its address", func() bool {
		if found := address.FindStringSubmatch(stdout.String()); found != nil {
			g.address = found[1]
		}
		return g.address != ""
	})
	return g
}

func (g *gateway) url() string { return "ws://" + g.address + "/ws" }

func (g *gateway) goroutines(t *testing.T) int { return g.metric(t, "go_goroutines") }

// metric reads a number of the gateway's, on a connection that is gone when the next one comes.
func (g *gateway) metric(t *testing.T, name string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+g.address+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	metrics, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(metrics)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			n, err := strconv.Atoi(strings.TrimSpace(value))
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("no %s in the metrics:\n%s", name, metrics)
	return 0
}
