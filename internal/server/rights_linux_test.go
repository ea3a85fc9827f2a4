package server

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// unprivileged runs f as a user who has no rights over the machine, whoever runs the tests.
func unprivileged(t *testing.T, f func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: a thread that has given up its rights ends with its goroutine
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var none [2]unix.CapUserData
		if err := unix.Capset(&header, &none[0]); err != nil {
			done <- err
			return
		}
		f()
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestWithoutTheRightToListen(t *testing.T) {
	unprivileged(t, func() {
		ln, err := listen("127.0.0.1:1")
		if err == nil {
			_ = ln.Close()
		}
		const want = "this user may not listen on 127.0.0.1:1: choose a port above 1023 with --listen"
		if err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	})
}

func TestWithoutTheRightToTheDataDirectory(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	unprivileged(t, func() {
		for path, want := range map[string]string{
			dir:                         "keep the node's id in " + filepath.Join(dir, nodeFile) + ": ",
			filepath.Join(dir, "below"): "use the data directory: ",
		} {
			id, err := UseDataDir(path, "n1")
			if err == nil || !strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), "permission denied") || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: %q, %v; want %s", path, id, err, want)
			}
		}
	})
}
