package diskengine

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// gate is the file system below Pebble. It leaves out syncs of the write-ahead log that no append asked for, and makes
// whoever writes to a full disk wait until there is room, so that Pebble never sees that error, which it does not
// survive. Safe for concurrent use.
type gate struct {
	vfs.FS
	wanted atomic.Int32 // commits under way that need a sync
	full   atomic.Int32 // calls that wait for room

	holds   atomic.Bool // the store is open: wait for room
	once    sync.Once
	ending  chan struct{} // closed when nobody may wait for room any more
	recheck time.Duration
}

// recheckRoom is the time between two attempts at a full disk.
const recheckRoom = 250 * time.Millisecond

func newGate(fs vfs.FS) *gate {
	return &gate{FS: fs, ending: make(chan struct{}), recheck: recheckRoom}
}

// giveUp lets the errors of a full disk through from now on.
func (g *gate) giveUp() { g.once.Do(func() { close(g.ending) }) }

// hold makes calls wait for room from now on; until then, whoever opens the store is told that there is none.
func (g *gate) hold() { g.holds.Store(true) }

// isFull reports whether somebody waits for room on the disk.
func (g *gate) isFull() bool { return g.full.Load() > 0 }

// Unwrap implements vfs.FS.
func (g *gate) Unwrap() vfs.FS { return g.FS }

// withRoom does what needs room, as often as the disk is full.
func (g *gate) withRoom(do func() error) error {
	err := do()
	if !noRoom(err) || !g.holds.Load() {
		return err
	}
	g.full.Add(1)
	defer g.full.Add(-1)
	ticker := time.NewTicker(g.recheck)
	defer ticker.Stop()
	for noRoom(err) {
		select {
		case <-g.ending:
			return err
		case <-ticker.C:
			err = do()
		}
	}
	return err
}

func noRoom(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// Create implements vfs.FS.
func (g *gate) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return g.file(name, func() (vfs.File, error) { return g.FS.Create(name, category) })
}

// OpenReadWrite implements vfs.FS.
func (g *gate) OpenReadWrite(name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return g.file(name, func() (vfs.File, error) { return g.FS.OpenReadWrite(name, category, opts...) })
}

// ReuseForWrite implements vfs.FS.
func (g *gate) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return g.file(newname, func() (vfs.File, error) { return g.FS.ReuseForWrite(oldname, newname, category) })
}

// OpenDir implements vfs.FS: a directory is opened to be synced, which may need room.
func (g *gate) OpenDir(name string) (vfs.File, error) {
	return g.file(name, func() (vfs.File, error) { return g.FS.OpenDir(name) })
}

func (g *gate) file(name string, open func() (vfs.File, error)) (f vfs.File, err error) {
	err = g.withRoom(func() error {
		f, err = open()
		return err
	})
	if err != nil {
		return nil, err
	}
	return &gateFile{File: f, gate: g, log: strings.HasSuffix(name, ".log")}, nil
}

// Link implements vfs.FS.
func (g *gate) Link(oldname, newname string) error {
	return g.withRoom(func() error { return g.FS.Link(oldname, newname) })
}

// Rename implements vfs.FS.
func (g *gate) Rename(oldname, newname string) error {
	return g.withRoom(func() error { return g.FS.Rename(oldname, newname) })
}

// gateFile is a file that is written.
type gateFile struct {
	vfs.File
	gate *gate
	log  bool        // it is one of the write-ahead log
	owed atomic.Bool // a sync was left out
}

// Write implements vfs.File. What a full disk has taken of p is not written again.
func (f *gateFile) Write(p []byte) (written int, err error) {
	err = f.gate.withRoom(func() error {
		n, err := f.File.Write(p[written:])
		written += n
		return err
	})
	return written, err
}

// WriteAt implements vfs.File.
func (f *gateFile) WriteAt(p []byte, at int64) (n int, err error) {
	err = f.gate.withRoom(func() error {
		n, err = f.File.WriteAt(p, at)
		return err
	})
	return n, err
}

// Preallocate implements vfs.File. Room that is not there now may be there when it is needed.
func (f *gateFile) Preallocate(offset, length int64) error {
	if err := f.File.Preallocate(offset, length); !noRoom(err) {
		return err
	}
	return nil
}

// Sync implements vfs.File.
func (f *gateFile) Sync() error { return f.sync(f.File.Sync) }

// SyncData implements vfs.File.
func (f *gateFile) SyncData() error { return f.sync(f.File.SyncData) }

func (f *gateFile) sync(sync func() error) error {
	if f.log && f.gate.wanted.Load() == 0 {
		f.owed.Store(true)
		return nil
	}
	return sync() // once: what a failed sync has not written, a second one no longer knows of
}

// Close implements vfs.File. A log file that is finished must be whole before the next one is: Pebble does not open a
// store where only the newer of two is.
func (f *gateFile) Close() error {
	if f.owed.Load() {
		if err := f.File.Sync(); err != nil {
			return errors.Join(err, f.File.Close())
		}
	}
	return f.File.Close()
}
