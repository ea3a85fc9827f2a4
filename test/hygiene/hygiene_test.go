package hygiene_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// generated lists folders whose words are not ours: built from sources that are checked themselves.
var generated = []string{"protocol/gen/", "web/dist/"}

var (
	// The words are put together here so that this file does not find itself.
	unfinished = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|HA` + `CK|XX` + `X)\b`)
	homePath   = regexp.MustCompile(`(^|[^\w.~/])/(root|home/[a-z][\w-]*|Users/[A-Za-z][\w-]*)/`)
	download   = regexp.MustCompile(`"resolved":\s*"https?:|^\s*(--)?(extra-)?index-url\b|^\s*registry\s*=`)
)

// lockFiles are those in which a package manager may leave the address it downloaded from.
var lockFiles = map[string]bool{
	"package-lock.json": true, ".npmrc": true, "requirements.txt": true, "pip.conf": true, "uv.lock": true,
	"poetry.lock": true, "pnpm-lock.yaml": true, "yarn.lock": true,
}

func TestRepositoryIsClean(t *testing.T) {
	root := repositoryRoot(t)
	names := committedFiles(t, root)
	if len(names) < 10 {
		t.Fatalf("git knows only %d files below %s", len(names), root)
	}
	for _, name := range names {
		content, err := os.ReadFile(filepath.Join(root, name))
		if os.IsNotExist(err) {
			continue // removed, not yet committed
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, finding := range findings(name, content) {
			t.Error(finding)
		}
	}
}

func TestFindings(t *testing.T) {
	for _, test := range []struct {
		about, name, content string
		want                 int
	}{
		{"clean", "a.go", "package a // done", 0},
		{"unfinished", "a.go", "one\n// TO" + "DO: later", 1},
		{"unfinished, generated", "web/dist/a.js", "// TO" + "DO: later", 0},
		{"part of a word", "a.sh", "mktemp /tmp/x.XX" + "XXXX; HA" + "CKS", 0},
		{"home", "a.md", "run /ho" + "me/alice/magpie", 1},
		{"home of root", "a.md", "in /ro" + "ot/.cache/x", 1},
		{"no home", "a.md", "src/root/file and https://example.org/home/alice/", 0},
		{"address in a lock file", "web/package-lock.json", `  "resolved": "https://registry.example/a.tgz",`, 1},
		{"link in a lock file", "web/package-lock.json", `  "resolved": "../sdk/ts",`, 0},
		{"index in requirements", "x/requirements.txt", "--index-url https://pypi.example/", 1},
		{"the same words elsewhere", "x/readme.md", "registry = x", 0},
		{"binary", "logo.png", "\x00 TO" + "DO", 0},
	} {
		if got := findings(test.name, []byte(test.content)); len(got) != test.want {
			t.Errorf("%s: findings %q, want %d", test.about, got, test.want)
		}
	}
}

// findings lists what a file must not hold, a line each.
func findings(name string, content []byte) []string {
	if bytes.IndexByte(content, 0) >= 0 {
		return nil // an image or a font
	}
	var found []string
	number := 0
	for line := range strings.Lines(string(content)) {
		number++
		report := func(what string) {
			found = append(found, fmt.Sprintf("%s:%d: %s: %.120s", name, number, what, strings.TrimSpace(line)))
		}
		if unfinished.MatchString(line) && !inGenerated(name) {
			report("unfinished work")
		}
		if homePath.MatchString(line) {
			report("a path of one machine")
		}
		if lockFiles[path.Base(name)] && download.MatchString(line) {
			report("a download address")
		}
	}
	return found
}

func inGenerated(name string) bool {
	for _, folder := range generated {
		if strings.HasPrefix(name, folder) {
			return true
		}
	}
	return false
}

func repositoryRoot(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func committedFiles(t *testing.T, root string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "git", "-C", root, "ls-files", "-z").Output()
	if err != nil {
		t.Fatalf("git ls-files, to know what is committed: %v", err)
	}
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == 0 })
}
