package transport

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// detach duplicates nc's descriptor, so that nc can be closed: Go's own poller
// and its struct per file are out of the way then, and the socket lives on.
func detach(nc net.Conn) (int, error) {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return 0, fmt.Errorf("%w (%T)", ErrNotSocket, nc)
	}
	return duplicate(sc)
}

func duplicate(sc syscall.Conn) (int, error) {
	raw, err := sc.SyscallConn()
	if err != nil {
		return 0, fmt.Errorf("transport: take socket: %w", err)
	}
	fd, dupErr := -1, error(nil)
	err = raw.Control(func(p uintptr) {
		fd, dupErr = unix.FcntlInt(p, unix.F_DUPFD_CLOEXEC, 0)
	})
	if dupErr != nil {
		err = os.NewSyscallError("fcntl", dupErr)
	}
	if err != nil {
		return 0, noFile("take socket", err)
	}
	return fd, nil
}

// noFile says what was tried, and what to do where descriptors are the lack.
func noFile(op string, err error) error {
	if errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) {
		return fmt.Errorf("%w: no file descriptor left (%w); raise the limit on open files", ErrFull, err)
	}
	return fmt.Errorf("transport: %s: %w", op, err)
}

// tune sets the options of a socket. Those of TCP are left out for others.
func (cfg Config) tune(fd int) error {
	if cfg.SendBuffer > 0 {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, cfg.SendBuffer); err != nil {
			return fmt.Errorf("transport: send buffer of %d bytes: %w", cfg.SendBuffer, err)
		}
	}
	proto := protocol(fd)
	if proto != unix.IPPROTO_TCP && proto != unix.IPPROTO_MPTCP {
		return nil
	}
	noDelay := 1
	if cfg.Nagle {
		noDelay = 0
	}
	err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, noDelay)
	if !cfg.KeepAlive {
		err = errors.Join(err, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0))
	}
	if cfg.UserTimeout > 0 {
		ms := int(cfg.UserTimeout.Milliseconds())
		failed := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, ms)
		if proto == unix.IPPROTO_TCP { // Multipath TCP has its own idea of it
			err = errors.Join(err, failed)
		}
	}
	if err != nil {
		return fmt.Errorf("transport: set TCP options: %w", err)
	}
	return nil
}

// protocol is what fd speaks; 0 = unknown.
func protocol(fd int) int {
	proto, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL)
	if err != nil {
		return 0
	}
	return proto
}

// socketError is why the kernel gave a socket up; nil if both sides had closed.
func socketError(fd int) error {
	errno, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return os.NewSyscallError("getsockopt", err)
	}
	if errno != 0 {
		return os.NewSyscallError("read", unix.Errno(errno))
	}
	return nil
}

func peerName(fd int) netip.AddrPort {
	sa, err := unix.Getpeername(fd)
	if err != nil {
		return netip.AddrPort{}
	}
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), uint16(sa.Port))
	default:
		return netip.AddrPort{}
	}
}

// push writes what fd has room for.
func push(fd int, b []byte) (int, error) {
	switch n, errno := raw(unix.SYS_WRITE, fd, unsafe.Pointer(&b[0]), len(b)); errno {
	case 0:
		return n, nil
	case unix.EAGAIN:
		return 0, nil
	default:
		return 0, os.NewSyscallError("write", errno)
	}
}
