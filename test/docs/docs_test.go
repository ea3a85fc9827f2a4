// Package docs_test holds the documents to what they speak of: the code they show is code that is tested, their links
// lead somewhere, and what they list is what there is.
package docs_test

import (
	"io/fs"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/magpie-bridge/magpie"
)

const root = "../.."

// readmes are the front pages, one in each language.
func readmes() []string { return []string{"README.md", "README.zh-CN.md"} }

func TestFirstClientsAreThoseThatAreTested(t *testing.T) {
	const folder = "conformance/first"
	files := sources(t, folder)
	for _, page := range readmes() {
		blocks := codeBlocks(read(t, page))
		for _, file := range files {
			if code := strings.TrimSpace(read(t, file)); !slices.Contains(blocks, code) {
				t.Errorf("%s has no code block that is %s: copy the file into it", page, file)
			}
			if !strings.Contains(read(t, page), "("+file+")") {
				t.Errorf("%s has no link to %s", page, file)
			}
		}
	}
}

func TestEmbeddingIsShownAsItIsTested(t *testing.T) {
	const file = "examples/embed/main.go"
	program := read(t, file)
	for _, page := range readmes() {
		shown := 0
		for _, code := range codeBlocks(read(t, page)) {
			if !strings.Contains(code, "gw.Publish(") {
				continue
			}
			shown++
			if !strings.Contains(program, code) {
				t.Errorf("%s shows lines that are not in %s:\n%s", page, file, code)
			}
		}
		if shown != 1 {
			t.Errorf("%s shows the embedded gateway %d times, want once", page, shown)
		}
	}
}

func TestLinksLeadSomewhere(t *testing.T) {
	link := regexp.MustCompile(`(?:\]\(|src="|srcset=")([^)"\s]+)`)
	pages := documents(t)
	if len(pages) < 10 {
		t.Fatalf("found %d documents only: %v", len(pages), pages)
	}
	for _, page := range pages {
		for _, match := range link.FindAllStringSubmatch(read(t, page), -1) {
			if why := broken(t, page, match[1]); why != "" {
				t.Errorf("%s: link to %s: %s", page, match[1], why)
			}
		}
	}
}

func TestBrokenLinksAreFound(t *testing.T) {
	for target, want := range map[string]bool{
		"https://example.org/":                false,
		"protocol/SPEC.md":                    false,
		"protocol/SPEC.md#6-subscribing":      false,
		"cmd/magpie":                          false,
		"protocol/SPECS.md":                   true,
		"protocol/SPEC.md#6-unsubscribing":    true,
		"#two-commands":                       false,
		"#three-commands":                     true,
		"docs/guides/operations.md#stopping":  false,
		"docs/guides/operations.md#stopping2": true,
	} {
		if why := broken(t, "README.md", target); (why != "") != want {
			t.Errorf("a link to %s: %q, want a fault: %t", target, why, want)
		}
	}
}

func TestMetricsAreListed(t *testing.T) {
	gw, err := magpie.New(magpie.Options{Development: true})
	if err != nil {
		t.Fatal(err)
	}
	request := httptest.NewRequestWithContext(t.Context(), "GET", "http://localhost/metrics", nil)
	request.RemoteAddr = "127.0.0.1:1" // in development mode only this machine is served
	answer := httptest.NewRecorder()
	gw.Handler().ServeHTTP(answer, request)
	if err := gw.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}

	const guide = "docs/guides/operations.md"
	types := regexp.MustCompile(`(?m)^# TYPE \S+`).FindAllString(answer.Body.String(), -1) // a histogram has several series
	served := words(`\bmagpie_\w+`, strings.Join(types, "\n"))
	listed := words(`\bmagpie_\w+`, read(t, guide))
	listed = slices.DeleteFunc(listed, func(name string) bool { return name == "magpie_token" }) // the cookie
	if len(served) == 0 || !slices.Equal(served, listed) {
		t.Errorf("the gateway serves\n%v\nand %s lists\n%v", served, guide, listed)
	}
}

func TestVariablesAreListed(t *testing.T) {
	const pattern = `\bMAGPIE_[A-Z_]*[A-Z]\b`
	settings := words(pattern, read(t, "deploy/magpie.example.yaml"))
	listed := words(pattern, read(t, "docs/guides/operations.md"))
	if len(settings) == 0 || !slices.Equal(settings, listed) {
		t.Errorf("the example has the variables\n%v\nand the guide lists\n%v", settings, listed)
	}
}

// broken says what is wrong with a link of a page.
func broken(t *testing.T, page, target string) string {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		return err.Error()
	}
	if u.Scheme != "" {
		return "" // another site's business
	}
	path := page
	if u.Path != "" {
		path = filepath.ToSlash(filepath.Join(filepath.Dir(page), u.Path))
	}
	if _, err := os.Stat(filepath.Join(root, path)); err != nil {
		return "there is no such file"
	}
	if u.Fragment != "" && !slices.Contains(anchors(read(t, path)), u.Fragment) {
		return "the page has no such heading"
	}
	return ""
}

// anchors are the names that headings get: lower case, without punctuation, with hyphens for spaces.
func anchors(page string) []string {
	var names []string
	punctuation := regexp.MustCompile(`[^\p{L}\p{N}\- ]`)
	for _, match := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(page, -1) {
		name := punctuation.ReplaceAllString(strings.ToLower(match[1]), "")
		names = append(names, strings.ReplaceAll(name, " ", "-"))
	}
	return names
}

// codeBlocks are the fenced blocks of a page, without their fences and the white space around.
func codeBlocks(page string) []string {
	var blocks []string
	for _, match := range regexp.MustCompile("(?ms)^```\\w+\n(.*?)^```$").FindAllStringSubmatch(page, -1) {
		blocks = append(blocks, strings.TrimSpace(match[1]))
	}
	return blocks
}

// words are what a pattern finds, each once and in order.
func words(pattern, text string) []string {
	found := regexp.MustCompile(pattern).FindAllString(text, -1)
	slices.Sort(found)
	return slices.Compact(found)
}

// documents are the pages of the repository.
func documents(t *testing.T) []string {
	t.Helper()
	var pages []string
	err := fs.WalkDir(os.DirFS(root), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == "target" || path != "." && strings.HasPrefix(entry.Name(), ".")) {
			return fs.SkipDir
		}
		if filepath.Ext(path) == ".md" {
			pages = append(pages, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return pages
}

// sources are the programs of a folder, by their paths from the root.
func sources(t *testing.T, folder string) []string {
	t.Helper()
	var files []string
	err := fs.WalkDir(os.DirFS(root), folder, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && slices.Contains([]string{".mjs", ".js", ".html", ".java", ".py", ".go"}, filepath.Ext(path)) {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 4 {
		t.Fatalf("found %v, want a client in each of four languages", files)
	}
	return files
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
