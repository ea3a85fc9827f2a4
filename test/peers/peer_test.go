package peers_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

// frame has the fields of the gateway's frames that are looked at here.
type frame struct {
	Type      string            `json:"type"`
	SessionID string            `json:"sessionId"`
	Method    string            `json:"method"`
	TimeoutMs int64             `json:"timeoutMs"`
	Meta      map[string]string `json:"meta"`
	Data      json.RawMessage   `json:"data"`
	Caller    struct {
		UserID    string `json:"userId"`
		SessionID string `json:"sessionId"`
	} `json:"caller"`
	Error   *failure `json:"error"`
	Asked   int      `json:"asked"`
	Answers []answer `json:"answers"`
}

// failure is why a call has no reply.
type failure struct {
	Code      string          `json:"code"`
	Message   string          `json:"message"`
	Retryable bool            `json:"retryable"`
	Details   json.RawMessage `json:"details"`
}

// answer is what one of several has answered.
type answer struct {
	UserID    string          `json:"userId"`
	SessionID string          `json:"sessionId"`
	Device    string          `json:"device"`
	Data      json.RawMessage `json:"data"`
	Error     *failure        `json:"error"`
}

// code is the code of an error, or says what the frame is instead.
func (f frame) code() string {
	if f.Error == nil {
		return "no error but " + f.Type
	}
	return f.Error.Code
}

// told is one line that a program printed.
type told struct {
	raw    string
	number int // among all lines of the program
	at     time.Time
}

// peer is one of the programs. It is safe for concurrent use, so that tests with calls of their own can share it.
type peer struct {
	name    string
	cmd     *exec.Cmd
	session string // its session's id, once it is ready
	obey    func(line string) error

	mu    sync.Mutex // guards the fields below
	lines map[string][]told
	count int
}

// startGo starts the program in Go.
func startGo(t *testing.T, g *gateway, name string) *peer {
	t.Helper()
	return startPeer(t, name, exec.Command(filepath.Join(bin, "program"), name, g.url()))
}

// startJava starts the program in Java, from its one file of source.
func startJava(t *testing.T, g *gateway, name string) *peer {
	t.Helper()
	java := tool(t, "JDK 17 or newer", "java")
	return startPeer(t, name, exec.Command(java, "-XX:TieredStopAtLevel=1", "program/Peer.java", name, g.url()))
}

// startPeer starts a program that is commanded by its input and output.
func startPeer(t *testing.T, name string, cmd *exec.Cmd) *peer {
	t.Helper()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, stdout := io.Pipe()
	cmd.Stdout = stdout
	t.Cleanup(func() { stdout.Close() }) // after the process was killed
	p := &peer{name: name, cmd: cmd, lines: map[string][]told{}}
	p.obey = func(line string) error {
		_, err := fmt.Fprintln(stdin, line)
		return err
	}
	start(t, cmd)
	go func() {
		lines := bufio.NewScanner(output)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			p.tell(lines.Text())
		}
	}()
	return p
}

// tell takes a line that the program printed: a word, a name and a frame.
func (p *peer) tell(line string) {
	word, rest, _ := strings.Cut(line, " ")
	name, raw, _ := strings.Cut(rest, " ")
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count++
	key := word + " " + name
	p.lines[key] = append(p.lines[key], told{raw: raw, number: p.count, at: time.Now()})
}

// said returns what the program has told with that word about that name.
func (p *peer) said(word, name string) []told {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lines[word+" "+name]
}

// await waits for the first line with that word about that name.
func (p *peer) await(t *testing.T, word, name string) told {
	t.Helper()
	eventually(t, fmt.Sprintf("%s tells %s %s", p.name, word, name), func() bool { return len(p.said(word, name)) > 0 })
	return p.said(word, name)[0]
}

// frame reads the frame of a line.
func (l told) frame(t *testing.T) frame {
	t.Helper()
	var f frame
	if err := json.Unmarshal([]byte(l.raw), &f); err != nil {
		t.Fatalf("%q: %v", l.raw, err)
	}
	return f
}

// command gives the program a line to obey.
func (p *peer) command(t *testing.T, format string, args ...any) {
	t.Helper()
	if err := p.obey(fmt.Sprintf(format, args...)); err != nil {
		t.Fatalf("command %s: %v", p.name, err)
	}
}

// ready waits until the program is connected.
func (p *peer) ready(t *testing.T) {
	t.Helper()
	p.session = p.await(t, "connected", p.name).frame(t).SessionID
}

// serve lets the program serve methods, NAME.KIND each.
func (p *peer) serve(t *testing.T, concurrency int, kinds ...string) {
	t.Helper()
	for _, kind := range kinds {
		p.command(t, `send {"type":"serve","method":"%s.%s","concurrency":%d}`, p.name, kind, concurrency)
	}
	for _, kind := range kinds {
		p.await(t, "served", p.name+"."+kind)
	}
}

// call has the program call a method that somebody serves.
func (p *peer) call(t *testing.T, id, method string, timeout time.Duration, data string) {
	t.Helper()
	p.command(t, `call %s {"method":%q,"timeoutMs":%d,"data":%s}`, id, method, timeout.Milliseconds(), data)
}

// nothingElse fails the test when the program was sent anything it had no use for.
func (p *peer) nothingElse(t *testing.T) {
	t.Helper()
	for _, line := range p.said("other", "-") {
		t.Errorf("%s was sent: %s", p.name, line.raw)
	}
}

// sameJSON compares by meaning.
func sameJSON(t *testing.T, got json.RawMessage, want string) bool {
	t.Helper()
	var a, b any
	if err := json.Unmarshal(got, &a); err != nil {
		t.Errorf("%q: %v", got, err)
		return false
	}
	if err := json.Unmarshal([]byte(want), &b); err != nil {
		t.Fatalf("%q: %v", want, err)
	}
	return reflect.DeepEqual(a, b)
}
