package transport

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// The system calls of sockets that never block, without telling Go's scheduler:
// it would prepare to run others meanwhile, and hand the P on when a call takes
// long. That is some 8 % of a delivery's CPU (docs/performance.md). The price is
// that a collection waits for the call's end to stop the world: some 8 us for a
// frame over loopback, but milliseconds if the kernel runs another process on
// this CPU in the middle of it.
//
// All return errno 0, or the error; EINTR is not among them.

func read(fd int, b []byte) (int, unix.Errno) {
	return raw(unix.SYS_READ, fd, unsafe.Pointer(&b[0]), len(b))
}

func write(fd int, b []byte) (int, unix.Errno) {
	return raw(unix.SYS_WRITE, fd, unsafe.Pointer(&b[0]), len(b))
}

// writev takes up to 1,024 buffers. unix.Writev would allocate the vector.
func writev(fd int, iov []unix.Iovec) (int, unix.Errno) {
	return raw(unix.SYS_WRITEV, fd, unsafe.Pointer(&iov[0]), len(iov))
}

func raw(trap uintptr, fd int, p unsafe.Pointer, n int) (int, unix.Errno) {
	for {
		r, _, errno := unix.RawSyscall(trap, uintptr(fd), uintptr(p), uintptr(n))
		if errno != unix.EINTR {
			return int(r), errno
		}
	}
}

// accept is accept4 without the peer's name, which would be two allocations.
func accept(fd int) (int, unix.Errno) {
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(fd), 0, 0, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}
