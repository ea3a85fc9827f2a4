package file

import (
	"bytes"
	"errors"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/magpie-bridge/magpie/internal/logs"
)

// tailBytes is how much of what was read is read again with every read, to see that it is still there.
const tailBytes = 64

// generation is one file, open from when it was found until it has no name and is quiet. While it is open its inode
// cannot become another file's.
type generation struct {
	file     *os.File
	info     os.FileInfo // as it was opened; tells with os.SameFile whether a path leads here
	id       identity
	source   string      // the path at which it was found, and which its records name
	resolved string      // that path without symbolic links
	from     From        // where reading starts
	size     int64       // when it was opened
	after    *generation // which has to be read to its end first; reader only, once it is listed

	path  string      // where it is now; watcher only
	named atomic.Bool // whether it is anywhere
	dirty atomic.Bool // whether it should be looked at

	// The fields below are the reader's.
	joiner  *logs.Joiner // nil before the first look
	stream  string       // begins its message ids; empty before the first
	offset  int64        // what is before it was read
	head    []byte       // the file's first bytes, at most headBytes
	tail    []byte       // the bytes before offset, at most tailBytes
	ended   bool         // at the last look there was nothing more to read
	failing bool         // at the last look it could not be read
	closed  bool
	idle    time.Time // since when it has had no name and did not grow; zero: it has one
}

// errTruncated tells that what was read before is no longer in the file.
var errTruncated = errors.New("the file was truncated")

// start finds the offset to begin at: where an earlier tailer had got to, or where g.from says. buf is for use.
func (g *generation) start(reached *positions, buf []byte) error {
	if err := g.checkHead(buf); err != nil {
		return err
	}
	offset, known := reached.of(g.id.streamName(g.head, 0))
	if !known || offset > g.size { // a file that is shorter by now begins anew
		var err error
		if offset, err = g.from.offset(g.file, g.size); err != nil {
			return err
		}
	}
	g.offset = offset
	g.joiner = logs.NewJoiner(offset)
	g.tail = make([]byte, min(offset, tailBytes))
	n, err := g.file.ReadAt(g.tail, offset-int64(len(g.tail)))
	if n < len(g.tail) {
		g.tail = g.tail[:0]
		if !errors.Is(err, io.EOF) {
			return err
		}
		g.again()
	}
	return nil
}

// again begins a new generation in the same file, at its beginning.
func (g *generation) again() {
	g.offset, g.head, g.tail, g.stream = 0, nil, nil, ""
	g.joiner = logs.NewJoiner(0)
}

// read reads on into buf and returns what is new there: nothing at the end of the file, and errTruncated if the file
// is not the one that was read so far. The order matters: were the head looked at after the new bytes, bytes read
// before a truncation would be thrown away with it.
func (g *generation) read(buf []byte) ([]byte, error) {
	if err := g.checkHead(buf); err != nil {
		return nil, err
	}
	overlap := len(g.tail)
	n, err := g.file.ReadAt(buf, g.offset-int64(overlap))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if n < overlap || !bytes.Equal(buf[:overlap], g.tail) {
		return nil, errTruncated
	}
	fresh := buf[overlap:n]
	g.offset += int64(len(fresh))
	g.tail = append(g.tail[:0], buf[max(0, n-tailBytes):n]...)
	return fresh, nil
}

// checkHead compares the file's first bytes with what they were, and remembers more of them as the file grows.
func (g *generation) checkHead(buf []byte) error {
	n, err := g.file.ReadAt(buf[:headBytes], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if !bytes.HasPrefix(buf[:n], g.head) {
		return errTruncated
	}
	if n > len(g.head) {
		g.head = append(g.head, buf[len(g.head):n]...)
	}
	return nil
}
