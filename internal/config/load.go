package config

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// maxSecretBytes bounds a file that holds a secret.
const maxSecretBytes = 64 << 10

// variable is one setting that the environment can override.
type variable struct {
	Name string // such as MAGPIE_LISTEN
	Key  string // such as listen
	kind kind   // how the text of the variable is read
}

// variables are all there are: those that differ between machines that share a file. Lists are separated by commas.
func variables() []variable {
	return []variable{
		{"MAGPIE_LISTEN", "listen", kindText},
		{"MAGPIE_TLS_CERT", "tls.cert", kindText},
		{"MAGPIE_TLS_KEY", "tls.key", kindText},
		{"MAGPIE_DEVELOPMENT", "development", kindBool},
		{"MAGPIE_NODE_ID", "node_id", kindText},
		{"MAGPIE_ORIGINS", "origins", kindList},
		{"MAGPIE_LOG_LEVEL", "log.level", kindText},
		{"MAGPIE_LOG_FORMAT", "log.format", kindText},
		{"MAGPIE_LOGS_GLOBS", "logs.globs", kindList},
		{"MAGPIE_ENGINE", "engine", kindText},
		{"MAGPIE_DATA", "data", kindText},
		{"MAGPIE_MEMORY_LOG_BYTES", "memory.log_bytes", kindText},
		{"MAGPIE_AUTH_JWT_SECRET", "auth.jwt.secret", kindText},
		{"MAGPIE_AUTH_JWT_ISSUER", "auth.jwt.issuer", kindText},
		{"MAGPIE_AUTH_JWT_AUDIENCE", "auth.jwt.audience", kindText},
	}
}

// Load reads the file at path, if path is not empty, then the environment (MAGPIE_LISTEN, MAGPIE_AUTH_JWT_SECRET and
// the others of deploy/magpie.example.yaml), then lets the overrides have their way: flags of a command line. The result
// is checked and complete: what is worked out from the machine (NodeID, Memory.LogBytes, Loops) is filled in. An
// [Error] lists all that is wrong.
func Load(path string, overrides ...func(*Config)) (*Config, error) {
	var data []byte
	if path != "" {
		var err error
		if data, err = readFile(path, maxFileBytes); err != nil {
			return nil, fmt.Errorf("read the configuration: %w", err)
		}
	}
	r := newReader(path)
	r.file(path, data)
	r.environment()
	r.override(overrides)
	if err := r.finish(); err != nil {
		return nil, err
	}
	r.config.Complete()
	return r.config, nil
}

// Parse reads the text of a file called name, and checks it. The environment is used only where the text asks for it
// with ${ENV:NAME}, and nothing is worked out from the machine.
func Parse(name string, data []byte) (*Config, error) {
	r := newReader(name)
	r.file(name, data)
	if err := r.finish(); err != nil {
		return nil, err
	}
	return r.config, nil
}

// Complete fills in what depends on the machine, where it was left to the gateway, and in development mode what the console's
// chat is at its best with.
func (c *Config) Complete() {
	if c.NodeID == "" {
		c.NodeID = nodeID(os.Hostname())
	}
	if c.Memory.LogBytes == 0 {
		c.Memory.LogBytes = logBudget(availableMemory())
	}
	if c.Loops == 0 {
		c.Loops = runtime.GOMAXPROCS(0)
	}
	if c.Development {
		c.addChat()
	}
}

// nodeID makes a host's name fit for a node, and adds a random part: two nodes may run on one host, and a node that
// was started again is another one.
func nodeID(host string, err error) string {
	const hostBytes, randomBytes = 48, 6
	host = strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '-' {
			return r
		}
		return '-'
	}, strings.ToLower(host[:min(len(host), hostBytes)]))
	host = strings.Trim(host, "-")
	if err != nil || host == "" {
		host = "node"
	}
	return host + "-" + strings.ToLower(rand.Text()[:randomBytes])
}

// reader builds a configuration from its sources, one after the other.
type reader struct {
	config  *Config
	decoder *decoder
}

func newReader(path string) *reader {
	c := Default()
	c.places = make(places)
	secrets := func(text string) (string, error) { return resolveSecret(text, filepath.Dir(path)) }
	return &reader{config: c, decoder: &decoder{places: c.places, secrets: secrets, folder: filepath.Dir(path)}}
}

func (r *reader) file(name string, data []byte) {
	if root := parseTree(name, data, &r.decoder.problems); root != nil {
		r.decoder.within("", root, r.config.read)
	}
}

// environment reads each variable that is set as if it were a file with that one key. A variable that is set but empty
// counts as absent, since that is how deployment tools leave one out.
func (r *reader) environment() {
	for _, v := range variables() {
		text := os.Getenv(v.Name)
		if text == "" {
			continue
		}
		at := place{name: v.Name}
		leaf := &value{at: at, kind: v.kind, text: text}
		switch {
		case v.kind == kindList:
			for item := range strings.SplitSeq(text, ",") {
				leaf.list = append(leaf.list, &value{at: at, kind: kindText, text: strings.TrimSpace(item)})
			}
		case v.kind == kindBool && text != "true" && text != "false":
			leaf.kind = kindText
		}
		for _, key := range slices.Backward(strings.Split(v.Key, ".")) {
			leaf = &value{at: at, kind: kindMapping, fields: []field{{key: key, at: at, value: leaf}}}
		}
		r.decoder.within("", leaf, r.config.read)
	}
}

// override applies what the command line says. The keys that it can make part of a contradiction are no longer where the
// file had them.
func (r *reader) override(overrides []func(*Config)) {
	c := r.config
	listen, development := c.Listen, c.Development
	for _, override := range overrides {
		override(c)
	}
	if c.Listen != listen {
		c.places["listen"] = place{name: "command line"}
	}
	if c.Development != development {
		c.places["development"] = place{name: "command line"}
	}
}

// finish reports what is wrong; contradictions are looked for only among settings that are right by themselves.
func (r *reader) finish() error {
	if err := r.decoder.problems.err(); err != nil {
		return err
	}
	return r.config.Check()
}

// resolveSecret returns the secret that text stands for: ${ENV:NAME}, file:path (relative to dir), or itself. Its
// errors name the variable or the file, never the secret.
func resolveSecret(text, dir string) (string, error) {
	if name, ok := strings.CutPrefix(text, "${ENV:"); ok {
		name, ok = strings.CutSuffix(name, "}")
		if !ok || name == "" {
			return "", errors.New("expected ${ENV:NAME} with the name of an environment variable")
		}
		plain := os.Getenv(name)
		if plain == "" {
			return "", fmt.Errorf("the environment variable %q is not set", name)
		}
		return plain, nil
	}
	path, ok := strings.CutPrefix(text, "file:")
	if !ok {
		return text, nil
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	data, err := readFile(path, maxSecretBytes)
	if err != nil {
		return "", fmt.Errorf("the file of the secret cannot be read: %w", err)
	}
	plain := strings.TrimRight(string(data), "\r\n")
	if plain == "" {
		return "", fmt.Errorf("the file %q of the secret is empty", path)
	}
	return plain, nil
}

// readFile reads a whole file of at most limit bytes.
func readFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s has more than %s", path, Size(limit))
	}
	return data, err
}

func hashKey(key Secret) KeyHash { return sha256.Sum256(key.Reveal()) }
