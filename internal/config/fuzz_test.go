package config

import (
	"errors"
	"os"
	"strings"
	"testing"
)

// FuzzParse shows that no file is read into nonsense: it is refused with places that exist, or the result says the
// same when it is shown and read again.
func FuzzParse(f *testing.F) {
	example, err := os.ReadFile(examplePath)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(example))
	for _, seed := range []string{
		withAuth("listen: :8080"), withAuth("namespaces:\n- {name: a, pattern: a.>}"), "development: true\n",
		"a: &x [1]\nb: *x\n<<: *x\n", "{", "- a", "? [a]\n: b", "log: |\n  x\n", "%YAML 1.2\n---\n...\n", "loops: 0x10", "limits: {frame_bytes: .inf}",
		"auth:\n  api_keys:\n  - {name: n, key: mgp_aaaaaaaaaaaaaaaaaaaaaaaa}\n", "\xff\xfe", "origins: [a, [b], {c: d}]",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseWithoutOutside(text)
		if err != nil {
			checkPlaces(t, text, err)
			return
		}
		if len(c.Auth.APIKeys) > 0 {
			return // their hashes are not shown
		}
		again, err := parseWithoutOutside(c.String())
		if err != nil {
			t.Fatalf("what is shown is refused: %v\n%s", err, c)
		}
		if again.String() != c.String() {
			t.Fatalf("shown\n%s\nread again\n%s", c, again)
		}
	})
}

// parseWithoutOutside is Parse, but every secret given is the same one, read from nowhere.
func parseWithoutOutside(text string) (*Config, error) {
	r := newReader("fuzz")
	r.decoder.secrets = func(text string) (string, error) {
		if text == "" {
			return "", nil
		}
		return apiKeyPrefix + testSecret, nil
	}
	r.file("fuzz", []byte(text))
	if err := r.finish(); err != nil {
		return nil, err
	}
	return r.config, nil
}

func checkPlaces(t *testing.T, text string, err error) {
	t.Helper()
	found, ok := errors.AsType[*Error](err)
	if !ok || len(found.Problems) == 0 {
		t.Fatalf("not an Error with problems: %v", err)
	}
	lines := 1 + strings.Count(text, "\n") + strings.Count(text, "\r")
	for _, p := range found.Problems {
		if p.Message == "" || p.Line > lines || p.Line < 0 {
			t.Fatalf("a problem of no use: %+v", p)
		}
	}
}
