package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/magpie-bridge/magpie/internal/selfsigned"
)

const examplePath = "../../deploy/magpie.example.yaml"

func TestExampleEqualsDefaults(t *testing.T) {
	t.Setenv("MAGPIE_AUTH_JWT_SECRET", testSecret)
	got := parsed(t, exampleText(t))
	want := Default()
	want.Auth.JWT.Secret = NewSecret(testSecret)
	equal(t, got, want)
}

func TestExampleHasEveryKeyWithAComment(t *testing.T) {
	key := regexp.MustCompile(`^\s*(?:- )?([a-z0-9_]+):`)
	keys := func(text string) string {
		var found []string
		for line := range strings.Lines(text) {
			if m := key.FindStringSubmatch(line); m != nil {
				found = append(found, m[1])
			}
		}
		return strings.Join(found, " ")
	}
	example := exampleText(t)
	var previous string
	for line := range strings.Lines(example) {
		if key.MatchString(line) && !strings.HasPrefix(strings.TrimSpace(previous), "#") {
			t.Errorf("no comment above %q", line)
		}
		previous = line
	}
	if got, want := keys(example), keys(Default().String()); got != want {
		t.Errorf("keys of the example:\n%s\nkeys of the configuration:\n%s", got, want)
	}
	for _, v := range variables() {
		if !strings.Contains(example, v.Name) {
			t.Errorf("the example does not tell of %s", v.Name)
		}
	}
}

func TestStringIsAFileOfTheSameSettings(t *testing.T) {
	const text = `
listen: 0.0.0.0:9000
node_id: n1
auth:
  jwt: {secret: ` + testSecret + `, issuer: me, leeway: 1500ms}
origins: [https://app.example.com]
data: /var/lib/magpie
disk: {max_bytes: 10GiB}
durability: memory
idempotency: {messages: 5}
limits: {frame_bytes: 3000}
memory: {log_bytes: 1GiB}
loops: 3
namespaces:
- {name: chat, pattern: chat.*, retention: {age: 36h}}
- {name: price, pattern: price.*, slow_consumer: latest}
- {name: order, pattern: order.*, slow_consumer: disconnect, max_lag: 99999}
logs: {globs: ["/var/log/*.log"], own_log: false}
`
	want := parsed(t, text)
	got := parsed(t, strings.Replace(want.String(), redacted, testSecret, 1))
	equal(t, got, want)
}

func TestNamespacesInheritAndKeepTheBuiltIn(t *testing.T) {
	c := parsed(t, withAuth("namespaces:\n- {name: chat, pattern: chat.>, retention: {age: 1h}}\nretention: {messages: 7, bytes: 1MiB}\ndurability: written\nidempotency: {age: 1m}\nslow_consumer: latest\nmax_lag: 3"))
	want := []Namespace{
		{
			Name: "chat", Pattern: "chat.>",
			Durability:  DurabilityWritten,
			Retention:   Retention{Messages: 7, Bytes: MiB, Age: time.Hour},
			Idempotency: Idempotency{Messages: 100_000, Age: time.Minute},

			SlowConsumer: SlowLatest,
			MaxLag:       3,
			Create:       true,
		},
		Default().Namespaces[0],
	}
	if !reflect.DeepEqual(c.Namespaces, want) {
		t.Errorf("got %+v, want %+v", c.Namespaces, want)
	}
	c = parsed(t, withAuth("namespaces:\n- {name: logs, pattern: logs.*}"))
	if len(c.Namespaces) != 1 || c.Namespaces[0].Pattern != "logs.*" || c.Namespaces[0].Retention != Default().Retention {
		t.Errorf("the built-in namespace was not replaced: %+v", c.Namespaces)
	}
}

func TestAPIKeysByKeyAndByHash(t *testing.T) {
	const key = "mgp_canary5d2a4936b7e0c5d1f2a3948b"
	t.Setenv("MAGPIE_TEST_KEY", key)
	hash := hashKey(NewSecret(key))
	c := parsed(t, fmt.Sprintf("auth:\n  api_keys:\n  - {name: a, key: '${ENV:MAGPIE_TEST_KEY}', user: u, publish: [x.*]}\n  - {name: b, sha256: '%x', call: [y]}\n", hash[:]))
	want := []APIKey{
		{Name: "a", SHA256: hash, User: "u", Rights: Rights{Publish: []string{"x.*"}}},
		{Name: "b", SHA256: hash, Rights: Rights{Call: []string{"y"}}},
	}
	if !reflect.DeepEqual(c.Auth.APIKeys, want) {
		t.Errorf("got %+v, want %+v", c.Auth.APIKeys, want)
	}
}

func TestLoadLastOneWins(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "magpie.yaml")
	write(t, filepath.Join(dir, "secret"), "file-"+testSecret+"\r\n")
	write(t, path, "listen: 127.0.0.1:1\nauth: {jwt: {secret: 'file:secret', issuer: file, audience: file}}\nlog: {level: error}\nnode_id: n7")
	t.Setenv("MAGPIE_AUTH_JWT_ISSUER", "environment")
	t.Setenv("MAGPIE_AUTH_JWT_AUDIENCE", "") // counts as absent
	t.Setenv("MAGPIE_ORIGINS", "https://a.example, https://b.example")
	t.Setenv("MAGPIE_LOG_LEVEL", "debug")
	c, err := Load(path, func(c *Config) { c.Log.Level = "warn" })
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Listen, want.NodeID, want.Log.Level = "127.0.0.1:1", "n7", "warn"
	want.Auth.JWT.Secret = NewSecret("file-" + testSecret)
	want.Auth.JWT.Issuer, want.Auth.JWT.Audience = "environment", "file"
	want.Origins = []string{"https://a.example", "https://b.example"}
	want.Loops = runtime.GOMAXPROCS(0)
	want.Memory.LogBytes = c.Memory.LogBytes
	equal(t, c, want)
	if c.Memory.LogBytes < minLogBytes || c.Memory.LogBytes > maxLogBytes {
		t.Errorf("the log budget was not worked out: %s", c.Memory.LogBytes)
	}
}

func TestLoadWithoutAFile(t *testing.T) {
	t.Setenv("MAGPIE_DEVELOPMENT", "true")
	c, err := Load("")
	if err != nil {
		t.Fatal(err)
	}
	if !c.Development || c.NodeID == "" {
		t.Errorf("got %s", c)
	}
	other, err := Load("")
	if err != nil || other.NodeID == c.NodeID {
		t.Errorf("two nodes of one host are both called %q (%v)", c.NodeID, err)
	}
}

func TestLoadFaults(t *testing.T) {
	tests := map[string]struct {
		env      map[string]string
		override func(*Config)
		want     string
	}{
		"variable of the wrong type": {
			env:  map[string]string{"MAGPIE_DEVELOPMENT": "yes"},
			want: `MAGPIE_DEVELOPMENT: development: found "yes": expected true or false`,
		},
		"short secret in a variable": {
			env:  map[string]string{"MAGPIE_AUTH_JWT_SECRET": "canary"},
			want: "MAGPIE_AUTH_JWT_SECRET: auth.jwt.secret: the secret has 6 bytes: expected at least 32, for example from: openssl rand -base64 48",
		},
		"contradiction of a variable and a flag": {
			env:      map[string]string{"MAGPIE_LISTEN": ":80"},
			override: func(c *Config) { c.Development = true },
			want:     "command line: development: found true, and listen is :80 (MAGPIE_LISTEN): everybody would get in without a token, from other machines too; listen on 127.0.0.1 or turn development off",
		},
		"flag that is no address": {
			env:      map[string]string{"MAGPIE_DEVELOPMENT": "true"},
			override: func(c *Config) { c.Listen = "nowhere" },
			want:     `command line: listen: found "nowhere": expected host:port such as 127.0.0.1:8080, or :8080 for all addresses`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for variable, text := range test.env {
				t.Setenv(variable, text)
			}
			overrides := []func(*Config){}
			if test.override != nil {
				overrides = append(overrides, test.override)
			}
			_, err := Load("", overrides...)
			if err == nil || err.Error() != test.want {
				t.Errorf("got\n%v\nwant\n%s", err, test.want)
			}
		})
	}
	if _, err := Load(filepath.Join(t.TempDir(), "missing.yaml")); err == nil || !strings.Contains(err.Error(), "missing.yaml") {
		t.Errorf("a missing file: %v", err)
	}
}

func TestNothingShowsASecret(t *testing.T) {
	const key = "mgp_canary5d2a4936b7e0c5d1f2a3948b"
	c := parsed(t, withAuth("")+"  # {}\n")
	c.Auth.APIKeys = []APIKey{{Name: "a", SHA256: hashKey(NewSecret(key))}}
	hash := c.Auth.APIKeys[0].SHA256
	var out bytes.Buffer
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		fmt.Fprintf(&out, format+"\n", c)
		fmt.Fprintf(&out, format+"\n", c.Auth)
		fmt.Fprintf(&out, format+"\n", c.Auth.JWT.Secret)
	}
	encoded, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(encoded)
	for _, handler := range []slog.Handler{slog.NewJSONHandler(&out, nil), slog.NewTextHandler(&out, nil)} {
		slog.New(handler).Info("start", "config", c, "auth", c.Auth, "secret", c.Auth.JWT.Secret, "keys", c.Auth.APIKeys)
	}
	text := out.String()
	for _, canary := range []string{"canary", fmt.Sprintf("%x", "canary"), fmt.Sprintf("%x", hash[:])} {
		if at := strings.Index(text, canary); at >= 0 {
			t.Errorf("%q is shown: ...%s", canary, text[max(0, at-100):at+20])
		}
	}
	if !strings.Contains(text, redacted) {
		t.Error("nothing was redacted: the test shows nothing")
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]Size{"0": 0, "1": 1, "1B": 1, "64KiB": 65536, "16 MiB": 16 << 20, "3GiB": 3 << 30, "1TiB": 1 << 40} {
		got, err := parseSize(text)
		if err != nil || got != want {
			t.Errorf("%q: got %d, %v, want %d", text, got, err, want)
		}
		if again, err := parseSize(got.String()); err != nil || again != got {
			t.Errorf("%q is shown as %q, which is read as %d, %v", text, got, again, err)
		}
	}
	for _, text := range []string{"", "KiB", "-1", "1.5MiB", "1MB", "1 k", "8388608TiB", "9223372036854775808", "1KiBKiB"} {
		if got, err := parseSize(text); err == nil {
			t.Errorf("%q was read as %d", text, got)
		}
	}
}

func TestLogBudget(t *testing.T) {
	for memory, want := range map[Size]Size{0: 64 * MiB, 100 * MiB: 64 * MiB, GiB: 256 * MiB, 64 * GiB: 4 * GiB} {
		if got := logBudget(memory); got != want {
			t.Errorf("of %s: got %s, want %s", memory, got, want)
		}
	}
	if got, want := totalMemory("MemFree: 1 kB\nMemTotal:        8041452 kB\n"), 8041452*KiB; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := totalMemory("MemTotal: many kB"); got != 0 {
		t.Errorf("got %s from nonsense", got)
	}
}

func TestNodeID(t *testing.T) {
	for host, want := range map[string]string{"Web-1.example.com": "web-1-example-com-", "": "node-", "...": "node-", strings.Repeat("a", 99): strings.Repeat("a", 48) + "-"} {
		got := nodeID(host, nil)
		if !strings.HasPrefix(got, want) || len(got) != len(want)+6 || checkNodeID(got) != nil {
			t.Errorf("%q: got %q, want %q and six characters", host, got, want)
		}
	}
	if got := nodeID("", os.ErrInvalid); !strings.HasPrefix(got, "node-") {
		t.Errorf("got %q", got)
	}
}

// equal compares settings, but not where they were made.
func equal(t *testing.T, got, want *Config) {
	t.Helper()
	g, w := *got, *want
	g.places, w.places = nil, nil
	if !reflect.DeepEqual(g, w) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func parsed(t *testing.T, text string) *Config {
	t.Helper()
	c, err := Parse("f.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func exampleText(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(examplePath)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTLSFiles(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile, err := selfsigned.Write(dir)
	if err != nil {
		t.Fatal(err)
	}
	other := t.TempDir()
	_, otherKey, err := selfsigned.Write(other)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "magpie.yaml")
	write(t, path, withAuth("tls: {cert: cert.pem, key: ./key.pem}"))
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if c.TLS != (TLS{certFile, keyFile}) || !c.TLS.Enabled() {
		t.Errorf("got %+v, want the files beside the configuration", c.TLS)
	}
	t.Setenv("MAGPIE_TLS_KEY", otherKey)
	want := "MAGPIE_TLS_KEY: tls.key: the key in " + otherKey + " does not go with the certificate in " + certFile + ": tls: private key does not match public key"
	if _, err := Load(path); err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestFaultsOfTLSFiles(t *testing.T) {
	dir := t.TempDir()
	if _, _, err := selfsigned.Write(dir); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "magpie.yaml")
	for name, test := range map[string]struct{ text, want string }{
		"no key":                  {"tls: {cert: cert.pem}", ":2:1: tls.key: missing: a certificate needs its key"},
		"no certificate":          {"tls: {key: key.pem}", ":2:1: tls.cert: missing: a key needs its certificate"},
		"missing file":            {"tls:\n  cert: gone.pem\n  key: key.pem", ":3:3: tls.cert: the certificate cannot be read: open " + filepath.Join(dir, "gone.pem") + ": no such file or directory"},
		"both missing":            {"tls:\n  cert: gone.pem\n  key: lost.pem", "lost.pem: no such file"},
		"a key for a certificate": {"tls:\n  cert: key.pem\n  key: key.pem", ":3:3: tls.cert: found no certificate in " + filepath.Join(dir, "key.pem")},
		"a certificate for a key": {"tls:\n  cert: cert.pem\n  key: cert.pem", ":4:3: tls.key: the key in " + filepath.Join(dir, "cert.pem")},
	} {
		write(t, path, withAuth(test.text))
		if _, err := Load(path); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got\n%v\nwant\n%s", name, err, test.want)
		}
	}
}
