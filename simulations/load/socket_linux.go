package load

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sources is how many loopback addresses the sockets come from, so that their
// ports suffice: 127.0.0.2 and those that follow.
const sources = 16

// source is the address that socket n comes from.
func source(n int) netip.Addr { return netip.AddrFrom4([4]byte{127, 0, 0, byte(2 + n%sources)}) }

// connect begins a connection without waiting for it.
func connect(from netip.Addr, to netip.AddrPort) (fd int, err error) {
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	// The port is chosen when the destination is known, so that it may be one
	// that is used towards another.
	err = unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	}
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrInet4{Addr: from.As4()})
	}
	if err == nil {
		err = unix.Connect(fd, &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())})
	}
	if err != nil && err != unix.EINPROGRESS {
		_ = unix.Close(fd)
		return -1, fmt.Errorf("connect %s to %s: %w", from, to, err)
	}
	return fd, nil
}

// read is read(2) of a non-blocking socket. It doesn't tell the scheduler: the
// call doesn't wait.
func read(fd int, b []byte) (int, error) {
	n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// later reports whether a call that failed is to be tried again, when the
// socket is ready.
func later(err error) bool { return errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) }

// accept is accept4(2) of a non-blocking listener; who came doesn't matter.
func accept(ln int) (int, error) {
	fd, _, errno := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(ln), 0, 0, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
	if errno != 0 {
		return -1, errno
	}
	return int(fd), nil
}

// write writes the few bytes that a client says. A socket whose buffer is full
// of those is one that nobody reads.
func write(fd int, b []byte) error {
	if len(b) == 0 {
		return nil
	}
	n, err := unix.Write(fd, b)
	if err != nil {
		return os.NewSyscallError("write", err)
	}
	if n < len(b) {
		return fmt.Errorf("write: %d of %d bytes", n, len(b))
	}
	return nil
}

// writeAll writes packets in one system call, or in more where the socket
// doesn't take them at once: then it waits until it does.
func writeAll(fd int, packets [][]byte) error {
	if len(packets) == 1 {
		return writeOne(fd, packets[0])
	}
	var space [64]unix.Iovec
	iov := space[:0]
	for _, p := range packets {
		v := unix.Iovec{Base: unsafe.SliceData(p)}
		v.SetLen(len(p))
		iov = append(iov, v)
	}
	for len(iov) > 0 {
		n, _, errno := unix.RawSyscall(unix.SYS_WRITEV, uintptr(fd), uintptr(unsafe.Pointer(&iov[0])), uintptr(len(iov)))
		if errno != 0 {
			if err := await(fd, errno); err != nil {
				return err
			}
			continue
		}
		for len(iov) > 0 && uint64(n) >= iov[0].Len {
			n -= uintptr(iov[0].Len)
			iov = iov[1:]
		}
		if n > 0 {
			iov[0].Base = (*byte)(unsafe.Add(unsafe.Pointer(iov[0].Base), n))
			iov[0].SetLen(int(iov[0].Len) - int(n))
		}
	}
	return nil
}

func writeOne(fd int, b []byte) error {
	for len(b) > 0 {
		n, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
		if errno != 0 {
			if err := await(fd, errno); err != nil {
				return err
			}
			continue
		}
		b = b[n:]
	}
	return nil
}

// await waits until a socket that was full takes bytes again.
func await(fd int, why unix.Errno) error {
	if why == unix.EINTR {
		return nil
	}
	if why != unix.EAGAIN {
		return os.NewSyscallError("write", why)
	}
	_, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, -1)
	if err == unix.EINTR {
		return nil
	}
	return os.NewSyscallError("poll", err)
}
