package transport

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// calls are the system calls of a loop's sockets, which never block. Go's
// scheduler isn't told of them: it would prepare to run others meanwhile, and hand
// the P on when a call takes long, which is some 8 % of a delivery's CPU
// (docs/performance.md). The price is that a collection waits for the call's end
// to stop the world: some 8 us for a frame over loopback, but milliseconds if the
// kernel runs another process on this CPU in the middle of it. So while a
// collection is near, or under way, the scheduler is told after all.
//
// All return errno 0, or the error; EINTR is not among them.
type calls struct {
	heap heapWatch
	left int  // calls until the next look at the heap
	told bool // the scheduler is told
}

// lookEvery is how many system calls lie between two looks at the heap: some
// milliseconds' worth of them, for what a look costs as much as one.
const lookEvery = 512

func (k *calls) read(fd int, b []byte) (int, unix.Errno) {
	return k.do(unix.SYS_READ, fd, unsafe.Pointer(&b[0]), len(b))
}

func (k *calls) write(fd int, b []byte) (int, unix.Errno) {
	return k.do(unix.SYS_WRITE, fd, unsafe.Pointer(&b[0]), len(b))
}

// writev takes up to 1,024 buffers. unix.Writev would allocate the vector.
func (k *calls) writev(fd int, iov []unix.Iovec) (int, unix.Errno) {
	return k.do(unix.SYS_WRITEV, fd, unsafe.Pointer(&iov[0]), len(iov))
}

func (k *calls) do(trap uintptr, fd int, p unsafe.Pointer, n int) (int, unix.Errno) {
	if k.left--; k.left < 0 {
		k.left, k.told = lookEvery, k.heap.collectsSoon()
	}
	if !k.told {
		return raw(trap, fd, p, n)
	}
	for {
		r, _, errno := unix.Syscall(trap, uintptr(fd), uintptr(p), uintptr(n))
		if errno != unix.EINTR {
			return int(r), errno
		}
	}
}

// raw makes a system call that Go's scheduler is not told of.
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
