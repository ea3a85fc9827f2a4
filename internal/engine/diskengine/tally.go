package diskengine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"path"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// tally counts the committer's commits twice: in the store, with each of them, and in a small file beside it. Pebble takes
// damage in the last blocks of its log for the end that a crash leaves, and would go on as if nothing had been behind it;
// offsets would be given out a second time. The file tells that there was more.
//
// The file is written after the commit, and never synced: it may be behind after a loss of power, never ahead.
type tally struct {
	file   vfs.File
	boot   uint64
	count  uint64 // commits
	synced uint64 // up to and with the last that was synced
}

const (
	tallyFile  = "commits"
	tallyBytes = 4 + 3*8
)

func tallyKey() []byte { return []byte{'C'} }

// openTally compares the store with the file.
func (e *Engine) openTally() (*tally, error) {
	t := &tally{boot: bootHash(e.opts.BootID)}
	value, err := e.get(tallyKey())
	switch {
	case errors.Is(err, pebble.ErrNotFound):
	case err != nil:
		return nil, explain(err)
	case len(value) != 8:
		return nil, fmt.Errorf("its count of commits: %w", errDamaged)
	default:
		t.count = binary.LittleEndian.Uint64(value)
	}
	t.synced = t.count
	name := path.Join(e.opts.Dir, tallyFile)
	if told, ok := readTally(e.opts.FS, name); ok {
		want := told.synced
		if told.boot == t.boot && e.opts.BootID != "" {
			want = told.count // what was only written is there as well, as the machine has not been restarted
		}
		if t.count < want {
			return nil, fmt.Errorf("the end of its log is damaged, and %d commits that were acknowledged cannot be read: %w; "+
				"bring the directory back from a copy, or move it away to start with an empty one", want-t.count, errDamaged)
		}
	}
	if t.file, err = e.opts.FS.OpenReadWrite(name, vfs.WriteCategoryUnspecified); err != nil {
		return nil, explain(err)
	}
	return t, nil
}

func readTally(fs vfs.FS, name string) (t tally, ok bool) {
	f, err := fs.Open(name)
	if err != nil {
		return t, false
	}
	defer f.Close()
	b := make([]byte, tallyBytes)
	if _, err := f.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return t, false
	}
	var numbers [3]uint64
	if binary.LittleEndian.Uint32(b) != checksum(nil, b[4:]) {
		return t, false // nothing was written yet, or it was cut off with the power
	}
	for i := range numbers {
		numbers[i] = binary.LittleEndian.Uint64(b[4+8*i:])
	}
	return tally{count: numbers[0], synced: numbers[1], boot: numbers[2]}, true
}

// next is the number of the commit that is being put together. It is for the committer.
func (t *tally) next(batch *pebble.Batch) {
	t.count++
	_ = batch.Set(tallyKey(), binary.LittleEndian.AppendUint64(nil, t.count), nil) // fails only for a batch that was applied
}

// done notes that the commit is made. That it cannot be noted is no reason to fail: it would only be missed by a check.
func (t *tally) done(synced bool) {
	if synced {
		t.synced = t.count
	}
	var b [tallyBytes]byte
	for i, n := range [...]uint64{t.count, t.synced, t.boot} {
		binary.LittleEndian.PutUint64(b[4+8*i:], n)
	}
	binary.LittleEndian.PutUint32(b[:], checksum(nil, b[4:]))
	_, _ = t.file.WriteAt(b[:], 0)
}

func (t *tally) close() error { return t.file.Close() }

func bootHash(id string) uint64 {
	h := fnv.New64a()
	_, _ = io.WriteString(h, id) // never fails
	return h.Sum64()
}
