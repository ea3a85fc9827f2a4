package main

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/magpie-bridge/magpie/internal/auth"
)

const testSecret = "0123456789abcdef0123456789abcdef"

// inProcess runs a command line in this process.
func inProcess(t *testing.T, variables map[string]string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	var out, err strings.Builder
	status = run(t.Context(), args, environment{
		stdin:  strings.NewReader(""),
		stdout: &out,
		stderr: &err,
		getenv: func(name string) string { return variables[name] },
	})
	return out.String(), err.String(), status
}

func TestMistakesInTheCommandLine(t *testing.T) {
	for line, want := range map[string]string{
		"nope":                             `there is no command "nope"`,
		"subb":                             `did you mean "sub"?`,
		"sub":                              "the channel is missing",
		"pub a b c":                        `"c" is one argument too many`,
		"sub a --lst 3":                    "unknown flag: --lst",
		"sub a --last x":                   "invalid argument",
		"sub a --last 1 --since 10m":       "--last and --since exclude each other",
		"sub a --count -1":                 "expected 0 or more",
		"sub a --from x":                   "expected an offset",
		"sub a --from k3:":                 "expected an offset",
		"sub a --since yesterday":          "expected a duration",
		"sub a..b":                         "empty word",
		"sub a --url ftp://host/ws":        "expected a gateway's address",
		"pub a":                            "there is no data",
		"pub a {":                          "not JSON: add --text",
		"pub a b --lines":                  "leave DATA out",
		"pub a b --bytes c":                "leave DATA out",
		"pub a --bytes c --text":           "--text and --bytes exclude each other",
		"pub a --lines --id m":             "--lines and --id exclude each other",
		"pub a --count 2 --id m":           "--count and --id exclude each other",
		"pub a --count 0":                  "expected at least 1",
		"pub a --bytes /does/not/exist":    "no such file",
		"pub a --tag b":                    "must be formatted as key=value",
		"history":                          "the channel is missing",
		"history a b":                      `"b" is one argument too many`,
		"history a --limit -1":             "expected 0 or more",
		"history a --last 1 --from 3":      "--last and --from exclude each other",
		"history a --last 1 --until 1m":    "--last and --until exclude each other",
		"history a --since never":          "--since \"never\": expected a duration",
		"history a --until never":          "--until \"never\": expected a duration",
		"history a --from x":               "expected an offset",
		"history a..b":                     "empty word",
		"call":                             "the method is missing",
		"call a b c":                       `"c" is one argument too many`,
		"call a..b":                        "empty word",
		"call a {":                         "not JSON: add --text",
		"call a --to 42":                   "expected user:<id>",
		"call a --device phone":            "device goes with",
		"call a --all":                     "goes with",
		"call a --timeout 10m":             "expected 1ms to 5m0s",
		"call a --meta b":                  "must be formatted as key=value",
		"tail":                             "the file is missing",
		"tail a --lines -1":                "expected 0 or more",
		"tail a --from-start --lines 3":    "exclude each other",
		"tail a[":                          "pattern",
		"tail a --channel .":               "empty word",
		"token":                            "name the user with --user",
		"token --user a":                   "no secret: set MAGPIE_AUTH_JWT_SECRET",
		"token --user a --ttl -1s":         "above zero",
		"token --user a --secret-file /no": "no such file",
		"check-config":                     "the file is missing",
		"check-config /does/not/exist":     "no such file",
		"lag a b":                          `"b" is one argument too many`,
		"lag a..b":                         "empty word",
		"lag --limit 0":                    "expected 1 to 1000",
		"lag --url ftp://host/ws":          "expected a gateway's address",
		"version now":                      `"now" is one argument too many`,
	} {
		stdout, stderr, status := inProcess(t, nil, strings.Fields(line)...)
		if status != exitUsage || stdout != "" || !strings.Contains(stderr, want) {
			t.Errorf("magpie %s: status %d, stdout %q, stderr %q; want %q", line, status, stdout, stderr, want)
		}
	}
}

func TestNoGateway(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host := listener.Addr().String()
	listener.Close() // now nobody listens there
	want := "magpie: no gateway at " + host + ": start one with `make run` or name it with --url\n"
	for _, line := range []string{"sub a", "history a", "pub a {}", "call a {}", "tail a.log", "lag"} {
		stdout, stderr, status := inProcess(t, map[string]string{"MAGPIE_URL": "ws://" + host + "/ws"}, strings.Fields(line)...)
		if status != exitFailed || stdout != "" || stderr != want {
			t.Errorf("magpie %s: status %d, stdout %q, stderr %q", line, status, stdout, stderr)
		}
	}
}

func TestEveryCommandExplainsItself(t *testing.T) {
	root := newRootCommand(environment{getenv: os.Getenv})
	for _, cmd := range append(root.Commands(), root) {
		if cmd.Short == "" || cmd.Long == "" || cmd.Example == "" {
			t.Errorf("%s has no Short, no Long or no Example", cmd.CommandPath())
		}
		stdout, _, status := inProcess(t, nil, append(strings.Fields(cmd.CommandPath())[1:], "--help")...)
		if status != exitOK || !strings.Contains(stdout, cmd.Example) {
			t.Errorf("%s --help: status %d, %s", cmd.CommandPath(), status, stdout)
		}
	}
}

// Examples that do not parse would teach mistakes.
func TestExamplesUseFlagsThatExist(t *testing.T) {
	root := newRootCommand(environment{getenv: os.Getenv})
	for _, cmd := range append(root.Commands(), root) {
		for word := range strings.FieldsSeq(cmd.Example) {
			name, isFlag := strings.CutPrefix(word, "--")
			if isFlag && name != "" && !anyHasFlag(root, strings.TrimRight(name, ")")) {
				t.Errorf("an example of %s has --%s, which no command knows", cmd.CommandPath(), name)
			}
		}
	}
}

func anyHasFlag(root *cobra.Command, name string) bool {
	for _, cmd := range root.Commands() {
		if cmd.Flags().Lookup(name) != nil {
			return true
		}
	}
	return false
}

func TestVersion(t *testing.T) {
	stdout, _, status := inProcess(t, nil, "version", "--json")
	var facts buildFacts
	if err := json.Unmarshal([]byte(stdout), &facts); err != nil || status != exitOK || facts.Version == "" || facts.Go == "" {
		t.Errorf("version --json: %q, %v", stdout, err)
	}
	var text strings.Builder
	facts = buildFacts{Version: "v1.2.3", Commit: "0123456789abcdef", Changed: true, Go: "go1.26", System: "linux/amd64"}
	if err := printVersion(&text, facts, false); err != nil {
		t.Fatal(err)
	}
	if want := "magpie v1.2.3 (go1.26, linux/amd64, commit 0123456789ab with changes)\n"; text.String() != want {
		t.Errorf("version is %q, want %q", text.String(), want)
	}
}

func TestToken(t *testing.T) {
	secretFile := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secretFile, []byte(testSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	gateway, err := auth.NewJWT(auth.JWTOptions{Secret: []byte(testSecret)})
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{}, {"--secret-file", secretFile}, {"--secret-env", "OTHER"}} {
		args = append([]string{"token", "--user", "alice", "--publish", "order.*", "--json", "--ttl", "2h"}, args...)
		stdout, stderr, status := inProcess(t, map[string]string{secretVariable: testSecret, "OTHER": testSecret}, args...)
		var line tokenLine
		if err := json.Unmarshal([]byte(stdout), &line); err != nil || status != exitOK {
			t.Fatalf("%v: status %d, %q, %q", args, status, stdout, stderr)
		}
		if left := time.Until(line.ExpiresAt); left < time.Hour || left > 2*time.Hour {
			t.Errorf("the token expires in %v, want 2h", left)
		}
		principal, err := gateway.Authenticate(t.Context(), auth.Credential{Token: line.Token})
		if err != nil {
			t.Fatalf("the gateway refuses the token: %v", err)
		}
		if principal.UserID != "alice" {
			t.Errorf("the token is for %q", principal.UserID)
		}
	}
	if _, stderr, status := inProcess(t, map[string]string{secretVariable: "short"}, "token", "--user", "a"); status != exitUsage || !strings.Contains(stderr, "at least") {
		t.Errorf("a short secret: status %d, %q", status, stderr)
	}
}

func TestCheckConfig(t *testing.T) {
	folder := t.TempDir()
	good, bad := filepath.Join(folder, "good.yaml"), filepath.Join(folder, "bad.yaml")
	for name, text := range map[string]string{
		good: "auth:\n  jwt:\n    secret: " + testSecret + "\n",
		bad:  "listen: 127.0.0.1:8080\nlisten_on: x\nlimits:\n  frame_bytes: -1\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if stdout, stderr, status := inProcess(t, nil, "check-config", good); status != exitOK || stdout != good+": no mistakes\n" {
		t.Errorf("a good file: status %d, %q, %q", status, stdout, stderr)
	}
	stdout, stderr, status := inProcess(t, nil, "check-config", bad)
	if status != exitUsage || stderr != "" || !strings.Contains(stdout, bad+":2:") || !strings.Contains(stdout, "limits.frame_bytes") {
		t.Errorf("a bad file: status %d, %q, %q", status, stdout, stderr)
	}
	stdout, _, status = inProcess(t, nil, "check-config", bad, "--json")
	var report configReport
	if err := json.Unmarshal([]byte(stdout), &report); err != nil || status != exitUsage || report.OK || len(report.Problems) < 2 {
		t.Fatalf("--json: status %d, %q, %v", status, stdout, err)
	}
	if p := report.Problems[0]; p.Line != 2 || p.Key != "listen_on" || p.Message == "" {
		t.Errorf("the first problem is %+v", p)
	}
	stdout, _, _ = inProcess(t, nil, "check-config", good, "--json")
	if err := json.Unmarshal([]byte(stdout), &report); err != nil || !report.OK || len(report.Problems) != 0 {
		t.Errorf("--json: %q, %v", stdout, err)
	}
}

func TestLineURL(t *testing.T) {
	for typed, want := range map[string]string{
		"ws://host:8080/ws":      "ws://host:8080/ws",
		"ws://host:8080":         "ws://host:8080/ws",
		"http://127.0.0.1:8080/": "ws://127.0.0.1:8080/ws",
		"https://host":           "wss://host/ws",
		"wss://host/line/ws":     "wss://host/line/ws",
	} {
		if got := lineURL(typed); got != want {
			t.Errorf("%s: %s, want %s", typed, got, want)
		}
	}
}
