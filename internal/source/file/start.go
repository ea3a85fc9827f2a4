package file

import (
	"bytes"
	"errors"
	"io"
)

// blockBytes is how much is read at once on the way back from a file's end, and lookBackBytes how far that way goes: it
// is the longest a start may take, and 16 times a channel's usual retention is of no use.
const (
	blockBytes    = 64 << 10
	lookBackBytes = 256 << 20
)

// offset is where reading starts in a file of the given size.
func (from From) offset(f io.ReaderAt, size int64) (int64, error) {
	switch from {
	case FromBeginning:
		return 0, nil
	case FromDefault:
		return lastLines(f, size, defaultLines)
	case FromEnd:
		return lastLines(f, size, 0)
	}
	return lastLines(f, size, int(from))
}

// lastLines finds where the last n lines begin that end with a newline before size. The beginning of a line that
// has no newline yet is read in any case, so that the line comes whole.
func lastLines(f io.ReaderAt, size int64, n int) (int64, error) {
	block := make([]byte, blockBytes)
	earliest := size // a line begins here
	for end := size; end > 0 && size-end < lookBackBytes; {
		begin := max(end-blockBytes, 0)
		got, err := f.ReadAt(block[:end-begin], begin)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		if int64(got) < end-begin {
			return 0, nil // it was truncated meanwhile
		}
		for rest := block[:got]; ; n-- {
			i := bytes.LastIndexByte(rest, '\n')
			if i < 0 {
				break
			}
			earliest = begin + int64(i) + 1
			if n == 0 {
				return earliest, nil
			}
			rest = rest[:i]
		}
		end = begin
		if end == 0 {
			return 0, nil
		}
	}
	return earliest, nil
}
