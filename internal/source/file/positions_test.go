package file

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// kept is a Keeper in memory.
type kept struct {
	mu     sync.Mutex // guards values
	values map[string][]byte
}

func (k *kept) Value(key string) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.values[key], nil
}

func (k *kept) SetValue(key string, value []byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.values == nil {
		k.values = map[string][]byte{}
	}
	k.values[key] = value
	return nil
}

// TestGoesOnWhereItWas shows that a tailer that is started again reads all that was written meanwhile, however much, and
// nothing twice.
func TestGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "app.log")
	text, lines := numbered(0, 10)
	write(t, path, text)
	g, keeper := newGateway(), &kept{}
	f := follow(t, g, Options{Paths: []string{path}, Keeper: keeper}, nil)
	f.expect(lines...)
	f.stop()
	more, moreLines := numbered(10, 3000) // more than From would go back
	write(t, path, more)
	f = follow(t, g, Options{Paths: []string{path}, Keeper: keeper}, nil)
	f.expect(append(lines, moreLines...)...)
	f.stop()
	if g.duplicates != 0 {
		t.Errorf("%d lines were read twice", g.duplicates)
	}
}

// TestShorterFileBeginsAnew shows that a file that was truncated while nobody looked is read from its beginning.
func TestShorterFileBeginsAnew(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "app.log")
	text, lines := numbered(0, 100)
	write(t, path, text)
	g, keeper := newGateway(), &kept{}
	f := follow(t, g, Options{Paths: []string{path}, Keeper: keeper}, nil)
	f.expect(lines...)
	f.stop()
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	fresh, freshLines := numbered(200, 220)
	write(t, path, fresh)
	f = follow(t, g, Options{Paths: []string{path}, Keeper: keeper}, nil)
	f.expect(append(lines, freshLines...)...)
	f.stop()
}

func TestDamagedPositionsAreUnknown(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "app.log")
	text, lines := numbered(0, 20)
	write(t, path, text)
	keeper := &kept{values: map[string][]byte{"files/logs.test": []byte("{")}}
	f := follow(t, newGateway(), Options{Paths: []string{path}, Keeper: keeper}, nil)
	f.expect(lines...)
	f.stop()
}

func TestParseMessageID(t *testing.T) {
	for id, want := range map[string]position{"fab12-10-5-deadbeef": {Offset: 0x15}, "fab12-0-ff-0": {Offset: 0xff}} {
		stream, end, ok := parseMessageID(id)
		if !ok || stream != "fab12" || end != want.Offset {
			t.Errorf("%s: %s, %d, %t", id, stream, end, ok)
		}
	}
	for _, id := range []string{"", "stdin-1-2-3", "fab-1-2", "fab-x-2-3", "fab-1-x-3"} {
		if _, _, ok := parseMessageID(id); ok {
			t.Errorf("%q was taken", id)
		}
	}
}
