package netloop

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The loops' sockets never block, so their reads and writes need not tell the scheduler that they might: without that, the
// runtime's monitor wakes for each of them on the same core, which was 5 % of a busy loop's time.

// readSocket is read(2).
func readSocket(fd int, b []byte) (int, error) {
	//nolint:gosec // the kernel fills b, which is alive and as long as it is told
	n, _, errno := syscall.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// writeSocket is write(2). A peer that is gone is an error: the runtime keeps SIGPIPE from ending the process for it.
func writeSocket(fd int, b []byte) (int, error) {
	//nolint:gosec // the kernel reads b, which is alive and as long as it is told
	n, _, errno := syscall.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
