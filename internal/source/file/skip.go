package file

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// skipByName gives the reason why a file of this name is no log to follow; empty if its name has nothing against it.
func skipByName(path string) string {
	switch ext := strings.ToLower(filepath.Ext(path)); ext {
	case ".gz", ".xz", ".zst", ".bz2", ".lz4", ".zip", ".z", ".lzma":
		return "compressed"
	case ".journal", ".journal~":
		return "a systemd journal"
	}
	switch name := filepath.Base(path); {
	case name == "lastlog", name == "faillog", name == "tallylog":
		return "a table of logins"
	case name == "wtmp", name == "btmp", name == "utmp", strings.HasPrefix(name, "wtmp."), strings.HasPrefix(name, "btmp."):
		return "a table of logins"
	}
	return ""
}

// skipByKind gives the reason why what stands at a path is no log to follow.
func skipByKind(info os.FileInfo) string {
	switch {
	case info.IsDir():
		return "a directory"
	case !info.Mode().IsRegular():
		return "not a regular file"
	}
	return ""
}

// binaryProbe is how much of a file's beginning must be without a NUL.
const binaryProbe = 1 << 10

func isBinary(f io.ReaderAt) (bool, error) {
	var probe [binaryProbe]byte
	n, err := f.ReadAt(probe[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	return bytes.IndexByte(probe[:n], 0) >= 0, nil
}
