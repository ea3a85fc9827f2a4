package internal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/magpie-bridge/magpie"

// layers ranks the packages of this folder from the ground up. A package imports those of lower rank and its own
// sub-packages only, so that the path of a message can be read in one direction.
var layers = map[string]int{
	"wire":   0,
	"filter": 1,
	"auth":   2, "bench": 2, "channel": 2, "config": 2, "logs": 2, "netloop": 2,
	"engine":  3,
	"hub":     4,
	"session": 5,
	"api":     6, "source": 6, "transport": 6,
	"server": 7,
}

func TestImportsPointTowardsWire(t *testing.T) {
	for file, syntax := range goFiles(t, ".", parser.ImportsOnly) {
		for _, spec := range syntax.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatalf("%s: import %s: %v", file, spec.Path.Value, err)
			}
			if why := forbidden(path.Dir(file), imported); why != "" {
				t.Errorf("internal/%s imports %s: %s", file, imported, why)
			}
		}
	}
}

func TestForbidden(t *testing.T) {
	for _, test := range []struct {
		folder, imported string
		want             bool
	}{
		{"wire", "strings", false},
		{"wire", module + "/protocol/gen/magpie/v1", false},
		{"wire", module + "/internal/channel", true},
		{"channel", module + "/internal/wire", false},
		{"channel", module + "/internal/logs", true},
		{"channel", module + "/internal/filter", false},
		{"filter", module + "/internal/channel", true},
		{"engine/enginetest", module + "/internal/engine", false},
		{"transport/websocket", module + "/internal/transport", false},
		{"transport/websocket", module + "/internal/api", true},
		{"session", module + "/internal/transport/websocket", true},
		{"server", module + "/internal/transport/websocket", false},
		{"server", module + "/internal/novelty", true},
		{"novelty", module + "/internal/wire", true},
		{"server", module, true},
		{"api", module + "/sdk/go", true},
		{"api", module + "-extras/thing", false},
		{"api", module + "/web", false},
	} {
		why := forbidden(test.folder, test.imported)
		if (why != "") != test.want {
			t.Errorf("forbidden(%q, %q) = %q, want a reason: %t", test.folder, test.imported, why, test.want)
		}
	}
}

func TestEveryPackageHasOneDocComment(t *testing.T) {
	docs := map[string][]string{} // by folder: the files with a package comment
	for file, syntax := range goFiles(t, "..", parser.ParseComments|parser.PackageClauseOnly) {
		folder := path.Dir(file)
		if ast.IsGenerated(syntax) {
			continue
		}
		if _, seen := docs[folder]; !seen {
			docs[folder] = nil
		}
		if syntax.Doc != nil {
			docs[folder] = append(docs[folder], file)
		}
	}
	for folder, files := range docs {
		if len(files) != 1 {
			t.Errorf("package in %s: %d files carry a package comment %v, want one", folder, len(files), files)
		}
	}
}

// forbidden says why a package in a folder below internal must not import another, or "" when it may.
func forbidden(folder, imported string) string {
	if imported == module {
		return "the embedding API stands above every internal package"
	}
	rest, ours := strings.CutPrefix(imported, module+"/")
	if !ours || rest == "web" || strings.HasPrefix(rest, "protocol/gen/") {
		return "" // the console's files and the generated code import nothing of ours
	}
	inside, ours := strings.CutPrefix(rest, "internal/")
	if !ours {
		return "internal packages stand below all others of the module"
	}
	from, _, _ := strings.Cut(folder, "/")
	to, _, _ := strings.Cut(inside, "/")
	fromRank, known := layers[from]
	if !known {
		return "internal/" + from + " has no rank: give it one in layers"
	}
	toRank, known := layers[to]
	switch {
	case !known:
		return "internal/" + to + " has no rank: give it one in layers"
	case from != to && toRank >= fromRank:
		return "imports point towards wire, and siblings do not know each other"
	}
	return ""
}

// goFiles parses each Go file below root that is no test and nobody else's, and yields it by its slashed path.
func goFiles(t *testing.T, root string, mode parser.Mode) func(yield func(string, *ast.File) bool) {
	t.Helper()
	return func(yield func(string, *ast.File) bool) {
		count := 0
		err := fs.WalkDir(os.DirFS(root), ".", func(name string, entry fs.DirEntry, err error) error {
			switch base := path.Base(name); {
			case err != nil:
				return err
			case entry.IsDir() && name != "." && (base == "node_modules" || base == "testdata" || base[0] == '.'):
				return fs.SkipDir
			case entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
				return nil
			}
			syntax, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, name), nil, mode)
			if err != nil {
				return err
			}
			count++
			if !yield(name, syntax) {
				return fs.SkipAll
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if count == 0 {
			t.Fatalf("no Go files below %q", root)
		}
	}
}
