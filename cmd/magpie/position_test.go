package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	magpieclient "github.com/magpie-bridge/magpie/sdk/go"
)

func at(offset uint64) magpieclient.Position {
	return magpieclient.Position{Epoch: "k", Offset: offset}
}

// begun writes the first line and then begins to print the second, as a process does that is killed before it is done.
func begun(t *testing.T, path string, output *os.File) {
	t.Helper()
	p, err := openPositions(path, output)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.print(output, []byte("one\n"), positions{"c": at(1)}); err != nil {
		t.Fatal(err)
	}
	p.state.Printing = &outputBatch{Size: 4, Bytes: 4, Positions: positions{"c": at(2)}}
	if err := p.save(); err != nil {
		t.Fatal(err)
	}
}

func TestKillBetweenPrintingAndRemembering(t *testing.T) {
	for _, test := range []struct {
		name, printed string
		want          uint64
		left          string
	}{
		{"before it was printed", "", 1, "one\n"},
		{"when it was printed in part", "tw", 1, "one\n"},
		{"when it was printed", "two\n", 2, "one\ntwo\n"},
		{"and somebody else wrote there", "two\nthree\n", 1, "one\ntwo\nthree\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "position")
			output := openOutput(t)
			begun(t, path, output)
			if _, err := output.WriteString(test.printed); err != nil {
				t.Fatal(err)
			}
			p, err := openPositions(path, output)
			if err != nil {
				t.Fatal(err)
			}
			if got, ok := p.of("c"); !ok || got != at(test.want) {
				t.Errorf("continues after %v, want %d", got, test.want)
			}
			if err := p.print(output, []byte("next\n"), positions{"c": at(3)}); err != nil {
				t.Fatal(err)
			}
			if got := readFile(t, output.Name()); got != test.left+"next\n" {
				t.Errorf("the output is %q, want %q", got, test.left+"next\n")
			}
		})
	}
}

func TestPositionsOfSeveralChannels(t *testing.T) {
	path := filepath.Join(t.TempDir(), "position")
	var output bytes.Buffer
	p, err := openPositions(path, &output)
	if err != nil {
		t.Fatal(err)
	}
	for n, channel := range []string{"a", "b", "a"} {
		if err := p.print(&output, []byte(channel), positions{channel: at(uint64(n + 1))}); err != nil {
			t.Fatal(err)
		}
	}
	p, err = openPositions(path, &output)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := p.of("a")
	b, _ := p.of("b")
	_, known := p.of("c")
	if a != at(3) || b != at(2) || known || output.String() != "aba" {
		t.Errorf("a at %v, b at %v, c %t; printed %q", a, b, known, output.String())
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("the folder has %v, %v", left, err)
	}
}

func TestNoPositionFile(t *testing.T) {
	var output bytes.Buffer
	p, err := openPositions("", &output)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.print(&output, []byte("x"), positions{"c": at(1)}); err != nil || output.String() != "x" {
		t.Errorf("printed %q, %v", output.String(), err)
	}
	if _, ok := p.of("c"); ok {
		t.Error("something is remembered")
	}
}

func TestOtherFilesAreNotTakenForPositions(t *testing.T) {
	for _, content := range []string{"", "{}", "hello", `{"positions":3}`} {
		path := filepath.Join(t.TempDir(), "position")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := openPositions(path, &bytes.Buffer{}); err == nil {
			t.Errorf("a file with %q is taken for a position file", content)
		}
		if readFile(t, path) != content {
			t.Errorf("the file with %q was changed", content)
		}
	}
	if _, err := openPositions(filepath.Join(t.TempDir(), "no", "position"), &bytes.Buffer{}); err == nil {
		t.Error("a position file in a folder that does not exist is accepted")
	}
}

func openOutput(t *testing.T) *os.File {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(t.TempDir(), "output"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}
