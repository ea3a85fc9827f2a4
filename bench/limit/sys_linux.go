package main

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// read and write are the plain system calls. The sockets never block, so Go's scheduler need not hear of them; what its
// bookkeeping costs is not what this program is to measure.

func read(fd int, b []byte) (int, unix.Errno) {
	//nolint:gosec // the buffer outlives the call
	n, _, err := syscall.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	return int(n), err
}

func write(fd int, b []byte) (int, unix.Errno) {
	//nolint:gosec // the buffer outlives the call
	n, _, err := syscall.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	return int(n), err
}
