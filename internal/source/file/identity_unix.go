//go:build unix && !linux

package file

import (
	"errors"
	"os"
	"syscall"
)

// identify tells which file f is.
func identify(f *os.File) (identity, error) {
	info, err := f.Stat()
	if err != nil {
		return identity{}, err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return identity{}, errors.ErrUnsupported
	}
	return identity{device: uint64(st.Dev), inode: uint64(st.Ino)}, nil //nolint:gosec,unconvert // the types differ between systems
}
