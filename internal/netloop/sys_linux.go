package netloop

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The loops' sockets never block, so the calls for them need not tell the scheduler that they might: without that, the
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

// writeSocketv is writev(2).
func writeSocketv(fd int, iov []unix.Iovec) (int, error) {
	//nolint:gosec // the kernel reads the slices, which are alive and as long as it is told
	n, _, errno := syscall.RawSyscall(unix.SYS_WRITEV, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(iov))), uintptr(len(iov)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// pollSockets is epoll_wait(2) without waiting.
func pollSockets(epoll int, events []unix.EpollEvent) (int, error) {
	//nolint:gosec // the kernel fills events, which are alive and as many as it is told
	n, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(epoll), uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), 0, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// controlSocket is epoll_ctl(2).
func controlSocket(epoll, op, fd int, event *unix.EpollEvent) error {
	//nolint:gosec // the kernel reads the event, which is alive
	_, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(epoll), uintptr(op), uintptr(fd), uintptr(unsafe.Pointer(event)), 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// acceptSocket is accept4(2) on a socket that does not block. The address is that of the peer.
func acceptSocket(listener int, from *unix.RawSockaddrAny) (int, error) {
	size := uint32(unix.SizeofSockaddrAny)
	//nolint:gosec // the kernel fills both, which are alive and as long as it is told
	fd, _, errno := syscall.RawSyscall6(unix.SYS_ACCEPT4, uintptr(listener), uintptr(unsafe.Pointer(from)), uintptr(unsafe.Pointer(&size)),
		unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(fd), nil
}

// setSocketOption is setsockopt(2) for an option that is a number.
func setSocketOption(fd, level, option int, value int32) error {
	//nolint:gosec // the kernel reads the value, which is alive
	_, _, errno := syscall.RawSyscall6(unix.SYS_SETSOCKOPT, uintptr(fd), uintptr(level), uintptr(option), uintptr(unsafe.Pointer(&value)), unsafe.Sizeof(value), 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// closeSocket is close(2). Sockets here do not linger, so it does not wait.
func closeSocket(fd int) {
	_, _, _ = syscall.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0)
}
