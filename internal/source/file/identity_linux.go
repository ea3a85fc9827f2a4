package file

import (
	"os"

	"golang.org/x/sys/unix"
)

// identify tells which file f is. Most file systems know when it was made, which tells a new file from the one whose
// inode it got.
func identify(f *os.File) (identity, error) {
	var st unix.Statx_t
	connection, err := f.SyscallConn()
	if err != nil {
		return identity{}, err
	}
	var statErr error
	err = connection.Control(func(fd uintptr) {
		statErr = unix.Statx(int(fd), "", unix.AT_EMPTY_PATH, unix.STATX_INO|unix.STATX_BTIME, &st)
	})
	if err == nil {
		err = statErr
	}
	if err != nil {
		return identity{}, err
	}
	id := identity{device: unix.Mkdev(st.Dev_major, st.Dev_minor), inode: st.Ino}
	if st.Mask&unix.STATX_BTIME != 0 {
		id.birth = st.Btime.Sec*1e9 + int64(st.Btime.Nsec)
	}
	return id, nil
}
