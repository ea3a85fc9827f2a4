package server

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDataDirectoryKeepsTheNodesID(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "data")
	for _, fresh := range []string{"n1", "n2", "n3"} {
		if id, err := UseDataDir(dir, fresh); err != nil || id != "n1" {
			t.Errorf("the node is called %q, %v; want n1, as the first time", id, err)
		}
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory is %v, %v; want it for its owner alone", info, err)
	}
	// A crash between making the file and writing it leaves an empty one.
	if err := os.WriteFile(filepath.Join(dir, nodeFile), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if id, err := UseDataDir(dir, "n4"); err != nil || id != "n4" {
		t.Errorf("after a crash the node is called %q, %v", id, err)
	}
}

func TestDataDirectoryThatCannotBeUsed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	taken := t.TempDir()
	if err := os.Mkdir(filepath.Join(taken, nodeFile), 0o700); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{
		file:                         "name another with --data",
		filepath.Join(file, "below"): "name another with --data",
		taken:                        filepath.Join(taken, nodeFile),
	} {
		id, err := UseDataDir(dir, "n1")
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %q, %v; want a sentence with %s", dir, id, err, want)
		}
	}
}

func TestDataDirectoryWithAnIDThatIsNone(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, nodeFile)
	for id, good := range map[string]bool{"host-7.example_1": true, "two words": false, "two\nlines": false, "\x1b[31m": false, strings.Repeat("x", 4096): false} {
		if err := os.WriteFile(name, []byte(id+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := UseDataDir(dir, "n1")
		if (err == nil) != good {
			t.Errorf("%.20q: %v, want it taken: %t", id, err, good)
		}
		if err != nil && (!strings.Contains(err.Error(), name) || strings.ContainsAny(err.Error(), "\n\x1b")) {
			t.Errorf("%.20q: %q, want a sentence that names the file", id, err)
		}
	}
}
