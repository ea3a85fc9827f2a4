package process

import (
	"io/fs"
	"os"
	"testing"
	"testing/fstest"
	"time"
)

// proc is a small /proc with one server, whose name is as nasty as a name can be.
func proc() fstest.MapFS {
	const table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n" +
		"   0: 0100007F:1F90 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 4710 1\n" +
		"   1: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1\n"
	return fstest.MapFS{
		"net/tcp":      {Data: []byte(table)},
		"meminfo":      {Data: []byte("MemTotal:  1000 kB\nSlab:      200 kB\n")},
		"net/sockstat": {Data: []byte("sockets: used 3\nTCP: inuse 2 orphan 0 tw 0 alloc 3 mem 5\nUDP: inuse 1 mem 7\n")},
		"7/stat":       {Data: []byte("7 (a) S (b) c) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 1 0 5 6 7")},
		"7/status":     {Data: []byte("Name:\tx\nVmRSS:\t    2048 kB\nRssAnon:\t    1024 kB\n")},
		"7/fd/0":       {Data: []byte("/dev/null"), Mode: fs.ModeSymlink},
		"7/fd/3":       {Data: []byte("socket:[4711]"), Mode: fs.ModeSymlink},
		"8/fd/3":       {Data: []byte("socket:[4710]"), Mode: fs.ModeSymlink},
		"9/stat":       {Data: []byte("9 (short) S 1")},
		"self/fd/11":   {Data: []byte("socket:[4711]"), Mode: fs.ModeSymlink},
	}
}

func TestLook(t *testing.T) {
	o := Observer{FS: proc()}
	got, err := o.Look(7)
	if want := (Usage{CPU: 3 * time.Second, Resident: 2 << 20, Anonymous: 1 << 20}); err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	for _, pid := range []int{9, 10} {
		if _, err := o.Look(pid); err == nil {
			t.Errorf("process %d was looked at", pid)
		}
	}
}

func TestListening(t *testing.T) {
	o := Observer{FS: proc()}
	if pid, ok := o.Listening(8080); !ok || pid != 7 {
		t.Errorf("found %d, %t; want 7", pid, ok)
	}
	if pid, ok := o.Listening(8081); ok {
		t.Errorf("found %d where nobody listens", pid)
	}
}

func TestKernel(t *testing.T) {
	if got, want := (Observer{FS: proc()}).Kernel(), int64(200<<10+5*os.Getpagesize()); got != want {
		t.Errorf("%d bytes, want %d", got, want)
	}
	if got := (Observer{FS: fstest.MapFS{}}).Kernel(); got != 0 {
		t.Errorf("%d bytes of a kernel that says nothing", got)
	}
}
