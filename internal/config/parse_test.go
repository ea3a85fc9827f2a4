package config

import (
	"errors"
	"strings"
	"testing"
)

const testSecret = "canary-8c1f0b7e5d2a4936b7e0c5d1f2a3948b"

// withAuth makes a file complete, so that only what a test is about is wrong. It takes the first line.
func withAuth(text string) string { return "auth: {jwt: {secret: " + testSecret + "}}\n" + text }

func TestFaultsNameKeyPlaceAndWhatIsAllowed(t *testing.T) {
	const pattern = "expected dot-separated words of letters, digits, '_' and '-', with '*' for one word and a last '>' for the rest, such as order.*"
	const origin = "expected an origin such as https://app.example.com, or https://*.example.com for its subdomains"
	tests := map[string]struct{ text, want string }{
		"unknown key, near":       {"limits:\n  frame_byte: 1KiB", "f.yaml:3:3: limits.frame_byte: unknown key: did you mean frame_bytes?"},
		"unknown key, far":        {"log:\n  colour: true", "f.yaml:3:3: log.colour: unknown key: expected one of level, format"},
		"unknown key, swapped":    {"dirver: auto", "f.yaml:2:1: dirver: unknown key: did you mean driver?"},
		"unknown key, other case": {"log: {Level: info}", "f.yaml:2:7: log.Level: unknown key: did you mean level?"},
		"key with control bytes":  {`log: {"a\x1b[2Jb\n": 1}`, `f.yaml:2:7: log.a\x1b[2Jb\n: unknown key: expected one of level, format`},
		"merge key":               {"log:\n  <<: {level: info}", "f.yaml:3:3: log.<<: unknown key: expected one of level, format"},

		"yes is no boolean":     {"development: yes", `f.yaml:2:14: development: found "yes": expected true or false`},
		"number for a boolean":  {"console: {enabled: 1}", "f.yaml:2:20: console.enabled: found 1: expected true or false"},
		"number for text":       {"node_id: 7", "f.yaml:2:10: node_id: found 7: expected text: put it in quotes"},
		"list for text":         {"node_id: [a]", "f.yaml:2:10: node_id: found a list: expected text"},
		"text for a list":       {"origins: https://a.example", `f.yaml:2:10: origins: found "https://a.example": expected a list`},
		"text for a section":    {"log: info", "f.yaml:2:6: log: found text: expected keys with values"},
		"list for the file":     {"", "f.yaml:1:1: found a list: expected keys with values"},
		"nothing for a number":  {"loops: # none", "f.yaml:2:8: loops: found nothing: expected a whole number from 0 to 1024"},
		"fraction for a number": {"loops: 1.5", "f.yaml:2:8: loops: found 1.5: expected a whole number from 0 to 1024"},
		"text for a number":     {`loops: "2"`, `f.yaml:2:8: loops: found "2": expected a whole number from 0 to 1024`},

		"number out of range":       {"loops: 1025", "f.yaml:2:8: loops: found 1025: expected a whole number from 0 to 1024"},
		"number beyond 64 bits":     {"loops: 99999999999999999999", "f.yaml:2:8: loops: found \"99999999999999999999\": expected a whole number from 0 to 1024"},
		"negative number":           {"limits: {connections: -1}", "f.yaml:2:23: limits.connections: found -1: expected a whole number from 1 to 10000000"},
		"size out of range":         {"limits: {frame_bytes: 1GiB}", `f.yaml:2:23: limits.frame_bytes: found "1GiB": expected a size from 1KiB to 16MiB, in B, KiB, MiB or GiB`},
		"size in a decimal unit":    {"limits: {frame_bytes: 64kB}", `f.yaml:2:23: limits.frame_bytes: found "64kB": expected a size from 1KiB to 16MiB, in B, KiB, MiB or GiB`},
		"size that overflows":       {"memory: {log_bytes: 9000000000GiB}", `f.yaml:2:21: memory.log_bytes: found "9000000000GiB": expected a size from 64MiB to 1TiB, in B, KiB, MiB or GiB`},
		"duration without a unit":   {"heartbeat: {interval: 30}", "f.yaml:2:23: heartbeat.interval: found 30: expected a duration from 1s to 1h, with its unit: 500ms, 30s, 10m, 24h"},
		"duration out of range":     {"heartbeat: {interval: 2h}", `f.yaml:2:23: heartbeat.interval: found "2h": expected a duration from 1s to 1h, with its unit: 500ms, 30s, 10m, 24h`},
		"word that is near another": {"log: {level: warning}", `f.yaml:2:14: log.level: found "warning": expected debug, info, warn or error; did you mean warn?`},
		"word that is near none":    {"driver: kqueue", `f.yaml:2:9: driver: found "kqueue": expected auto, epoll or goroutine`},

		"listen without a port":  {"listen: localhost", `f.yaml:2:9: listen: found "localhost": expected host:port such as 127.0.0.1:8080, or :8080 for all addresses`},
		"listen with a number":   {"listen: 8080", `f.yaml:2:9: listen: found 8080: expected host:port such as 127.0.0.1:8080, or :8080 for all addresses`},
		"node id with a space":   {"node_id: a b", `f.yaml:2:10: node_id: found "a b": expected at most 128 letters, digits, '_', '-' and dots`},
		"origin with a path":     {"origins: [https://a.example/x]", `f.yaml:2:11: origins[0]: found "https://a.example/x": ` + origin},
		"origin for everybody":   {`origins: ["*"]`, `f.yaml:2:11: origins[0]: found "*": ` + origin},
		"long list":              {"origins: [" + strings.Repeat("a,", 257) + "]", "f.yaml:2:10: origins: found 257 items: expected at most 256"},
		"long list of sections":  {"namespaces: [" + strings.Repeat("{},", 1001) + "]", "f.yaml:2:13: namespaces: found 1001 items: expected at most 1000"},
		"second item of a list":  {"origins:\n- null\n- https://a.example\n- a", `f.yaml:3:3: origins[0]: found nothing: ` + origin + "\n" + `f.yaml:5:3: origins[2]: found "a": ` + origin},
		"log channel elsewhere":  {"logs: {channel: chat.lobby}", `f.yaml:2:17: logs.channel: found "chat.lobby": expected a channel whose name begins with logs., such as logs.local`},
		"glob that is none":      {`logs: {globs: ["["]}`, `f.yaml:2:16: logs.globs[0]: found "[": expected a file pattern such as /var/log/app/*.log`},
		"pattern of a namespace": {"namespaces:\n- name: a\n  pattern: a.>.b", `f.yaml:4:12: namespaces[0].pattern: found "a.>.b": ` + pattern},
		"namespace without both": {"namespaces:\n- retention: {age: 1h}", "f.yaml:3:3: namespaces[0].name: missing\nf.yaml:3:3: namespaces[0].pattern: missing"},
		"long text":              {"driver: " + strings.Repeat("x", 100), `f.yaml:2:9: driver: found "` + strings.Repeat("x", 60) + `...": expected auto, epoll or goroutine`},

		"duplicate key":    {"loops: 1\nloops: 2", `f.yaml:3:1: the file is not YAML: mapping key "loops" already defined at [2:1]`},
		"not YAML":         {"log: {", "f.yaml:2:6: the file is not YAML: could not find flow mapping end token '}'"},
		"anchor":           {"log: &a {level: info}", "f.yaml:2:6: anchor is not supported: write the value itself"},
		"second document":  {"---\nloops: 1", "f.yaml:3:1: a second YAML document: expected one"},
		"nested too deep":  {"log: {level: [[[[[[[[1]]]]]]]]}", "f.yaml:2:14: log.level: found a list: expected debug, info, warn or error\nf.yaml:2:21: nested deeper than 8 levels"},
		"several problems": {"loops: -1\nlog: {level: x, fromat: json}\ndriver: 1", "f.yaml:2:8: loops: found -1: expected a whole number from 0 to 1024\n" + `f.yaml:3:14: log.level: found "x": expected debug, info, warn or error` + "\nf.yaml:3:17: log.fromat: unknown key: did you mean format?\nf.yaml:4:9: driver: found 1: expected auto, epoll or goroutine"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			text := withAuth(test.text)
			if name == "list for the file" {
				text = "- a"
			}
			wantError(t, text, test.want)
		})
	}
}

func TestFaultsOfCredentials(t *testing.T) {
	const key = "mgp_canary5d2a4936b7e0c5d1f2a3948b"
	tests := map[string]struct{ text, want string }{
		"short secret":          {"auth: {jwt: {secret: canary}}", "f.yaml:1:22: auth.jwt.secret: the secret has 6 bytes: expected at least 32, for example from: openssl rand -base64 48"},
		"number for a secret":   {"auth: {jwt: {secret: 777}}", "f.yaml:1:22: auth.jwt.secret: found a whole number: expected a secret in quotes, ${ENV:NAME} or file:path"},
		"variable not set":      {"auth: {jwt: {secret: \"${ENV:MAGPIE_TEST_UNSET}\"}}", `f.yaml:1:22: auth.jwt.secret: the environment variable "MAGPIE_TEST_UNSET" is not set`},
		"variable without name": {"auth: {jwt: {secret: \"${ENV:}\"}}", "f.yaml:1:22: auth.jwt.secret: expected ${ENV:NAME} with the name of an environment variable"},
		"file that is missing":  {"auth: {jwt: {secret: \"file:/nonexistent/secret\"}}", "f.yaml:1:22: auth.jwt.secret: the file of the secret cannot be read: open /nonexistent/secret: no such file or directory"},
		"secret one level up":   {"auth: {jwt: canary-secret}", "f.yaml:1:13: auth.jwt: found text: expected keys with values"},
		"key without prefix":    {"auth:\n  api_keys:\n  - name: a\n    key: canary7e5d2a4936b7e0c5d1f2a3948b", "f.yaml:4:10: auth.api_keys[0].key: the key must begin with mgp_ and have at least 24 bytes: expected such as mgp_$(openssl rand -hex 24) gives"},
		"keys as plain text":    {"auth:\n  api_keys:\n  - " + key, "f.yaml:3:5: auth.api_keys[0]: found text: expected keys with values"},
		"hash too short":        {"auth:\n  api_keys:\n  - name: a\n    sha256: abcd", "f.yaml:4:13: auth.api_keys[0].sha256: found text: expected the SHA-256 of the key as 64 hex digits in quotes"},
		"key and hash": {
			"auth:\n  api_keys:\n  - name: a\n    key: " + key + "\n    sha256: " + strings.Repeat("ab", 32),
			"f.yaml:3:5: auth.api_keys[0]: key (line 4) and sha256 (line 5) are both given: give one",
		},
		"neither key nor hash": {"auth:\n  api_keys:\n  - name: a", "f.yaml:3:5: auth.api_keys[0]: neither key nor sha256 is given: give one"},
		"key without a name":   {"auth:\n  api_keys:\n  - key: " + key, "f.yaml:3:5: auth.api_keys[0].name: missing"},
		"key is empty":         {"auth:\n  api_keys:\n  - name: a\n    key: \"\"", "f.yaml:4:10: auth.api_keys[0].key: the key must begin with mgp_ and have at least 24 bytes: expected such as mgp_$(openssl rand -hex 24) gives"},
		"pattern of a right": {
			"auth:\n  api_keys:\n  - name: a\n    key: " + key + "\n    subscribe: [order.>, order..x]",
			"f.yaml:5:26: auth.api_keys[0].subscribe[1]: found \"order..x\": expected dot-separated words of letters, digits, '_' and '-', with '*' for one word and a last '>' for the rest, such as order.*",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := wantError(t, test.text, test.want)
			if err != nil && strings.Contains(err.Error(), "canary") {
				t.Errorf("the error shows a secret: %v", err)
			}
		})
	}
}

func TestSyntaxErrorShowsNoSecret(t *testing.T) {
	for _, text := range []string{
		"auth:\n  jwt:\n    secret: \"" + testSecret + "\n",
		"auth:\n  jwt:\n    secret: {" + testSecret + "\n",
		"auth:\n  jwt:\n    secret: " + testSecret + "\n   x: 1\n",
		"auth:\n  jwt:\n    secret: @" + testSecret + "\n",
		"auth:\n  jwt:\n    secret: !!x " + testSecret + "\n",
		"auth:\n  jwt:\n    secret: *" + testSecret + "\n",
		"auth:\n  jwt:\n    secret: [" + testSecret + ": 1\n",
	} {
		_, err := Parse("f.yaml", []byte(text))
		if err == nil {
			t.Errorf("no error for %q", text)
		} else if strings.Contains(err.Error(), "canary") {
			t.Errorf("the error shows a secret: %v", err)
		}
	}
}

func TestContradictions(t *testing.T) {
	const key = "\n  - {name: a, sha256: "
	tests := map[string]struct{ text, want string }{
		"timeout below interval":   {withAuth("heartbeat:\n  interval: 1m\n  timeout: 50s"), "f.yaml:4:3: heartbeat.timeout: found 50s, and heartbeat.interval is 1m (line 3): the timeout must be longer, or a line would be closed before a ping could be answered"},
		"timeout equals interval":  {withAuth("heartbeat:\n  timeout: 30s"), "f.yaml:3:3: heartbeat.timeout: found 30s, and heartbeat.interval is 30s: the timeout must be longer, or a line would be closed before a ping could be answered"},
		"interval above default":   {withAuth("heartbeat:\n  interval: 2m"), "f.yaml:3:3: heartbeat.timeout: found 1m30s, and heartbeat.interval is 2m (line 3): the timeout must be longer, or a line would be closed before a ping could be answered"},
		"outbox below a frame":     {withAuth("limits:\n  outbox_bytes: 8KiB\n  frame_bytes: 16KiB"), "f.yaml:3:3: limits.outbox_bytes: found 8KiB, and limits.frame_bytes is 16KiB (line 4): an outbox must hold at least one frame"},
		"development for all":      {"listen: :8080\ndevelopment: true", "f.yaml:2:1: development: found true, and listen is :8080 (line 1): everybody would get in without a token, from other machines too; listen on 127.0.0.1 or turn development off"},
		"development on a name":    {"development: true\nlisten: localhost.example.com:1", "f.yaml:1:1: development: found true, and listen is localhost.example.com:1 (line 2): everybody would get in without a token, from other machines too; listen on 127.0.0.1 or turn development off"},
		"no way in":                {"", "auth: nobody could connect: set auth.jwt.secret (or MAGPIE_AUTH_JWT_SECRET) or auth.api_keys, or development: true on your own machine"},
		"no way in, with a place":  {"auth:\n  jwt: {issuer: x}", "f.yaml:1:1: auth: nobody could connect: set auth.jwt.secret (or MAGPIE_AUTH_JWT_SECRET) or auth.api_keys, or development: true on your own machine"},
		"two keys of one name":     {"auth:\n  api_keys:" + key + strings.Repeat("ab", 32) + "}" + key + strings.Repeat("cd", 32) + "}", `f.yaml:4:6: auth.api_keys[1]: the name "a" is taken by auth.api_keys[0] (line 3): names must differ`},
		"two namespaces, one name": {withAuth("namespaces:\n- {name: n, pattern: a}\n- {name: n, pattern: b}"), `f.yaml:4:4: namespaces[1]: the name "n" is taken by namespaces[0] (line 3): names must differ`},
		"a bound for who may lag":  {withAuth("max_lag: 9"), "f.yaml:2:1: max_lag: found 9, and slow_consumer is lag: who lags may do so as far as the retention goes; leave max_lag out, or choose latest or disconnect"},
		"bound beyond the kept":    {withAuth("namespaces:\n- name: n\n  pattern: a\n  slow_consumer: latest\n  retention: {messages: 1000}"), "f.yaml:6:15: namespaces[0].max_lag: found 1000, and namespaces[0].retention.messages is 1000 (line 6): a subscription would lose messages before it is so far behind; lower max_lag or keep more"},
		"given, beyond the kept":   {withAuth("slow_consumer: disconnect\nmax_lag: 100000"), "f.yaml:3:1: max_lag: found 100000, and retention.messages is 100000: a subscription would lose messages before it is so far behind; lower max_lag or keep more"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { wantError(t, test.text, test.want) })
	}
}

func TestDevelopmentOnLoopback(t *testing.T) {
	for _, listen := range []string{"127.0.0.1:8080", "127.9.9.9:0", "localhost:1", "LOCALHOST:1", "'[::1]:8080'"} {
		if _, err := Parse("f.yaml", []byte("development: true\nlisten: "+listen)); err != nil {
			t.Errorf("%s: %v", listen, err)
		}
	}
}

func TestFileTooLarge(t *testing.T) {
	_, err := Parse("f.yaml", make([]byte, maxFileBytes+1))
	if want := "f.yaml: the file has 1048577 bytes: at most 1048576 are allowed"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func wantError(t *testing.T, text, want string) error {
	t.Helper()
	_, err := Parse("f.yaml", []byte(text))
	if err == nil {
		t.Fatalf("no error for:\n%s", text)
	}
	if _, ok := errors.AsType[*Error](err); !ok {
		t.Errorf("not a *config.Error: %T", err)
	}
	if got := err.Error(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	return err
}
