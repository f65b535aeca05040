package transport

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// detach duplicates nc's descriptor, so that nc can be closed: Go's own poller
// and its struct per file are out of the way then, and the socket lives on.
func detach(nc net.Conn) (int, error) {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return 0, fmt.Errorf("%w (%T)", ErrNotSocket, nc)
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return 0, fmt.Errorf("transport: take socket: %w", err)
	}
	fd, dupErr := -1, error(nil)
	err = raw.Control(func(p uintptr) {
		fd, dupErr = unix.FcntlInt(p, unix.F_DUPFD_CLOEXEC, 0)
	})
	switch {
	case errors.Is(dupErr, unix.EMFILE), errors.Is(dupErr, unix.ENFILE):
		return 0, fmt.Errorf("%w: no file descriptor left (%w); raise the limit on open files", ErrFull, dupErr)
	case dupErr != nil:
		err = os.NewSyscallError("fcntl", dupErr)
	}
	if err != nil {
		return 0, fmt.Errorf("transport: take socket: %w", err)
	}
	return fd, nil
}

// tune sets the options of a socket. Those of TCP are left out for others.
func (cfg Config) tune(fd int) error {
	if cfg.SendBuffer > 0 {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, cfg.SendBuffer); err != nil {
			return fmt.Errorf("transport: send buffer of %d bytes: %w", cfg.SendBuffer, err)
		}
	}
	if proto, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL); err != nil || proto != unix.IPPROTO_TCP {
		return err
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
		err = errors.Join(err, unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, ms))
	}
	if err != nil {
		return fmt.Errorf("transport: set TCP options: %w", err)
	}
	return nil
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
