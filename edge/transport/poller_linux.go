package transport

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// poller is an epoll instance whose owner waits in Go's own poller, as any
// goroutine waits for a file: an idle loop holds no thread, and waking it is
// waking a goroutine. See "Why an epoll within Go's" in the package's charter.
type poller struct {
	fd     int // -1 = not open; closed with file
	file   *os.File
	raw    syscall.RawConn
	ready  func(uintptr) bool // look, made once for all waits
	events []unix.EpollEvent
	n      int       // of events, found by ready
	err    error     // of ready
	until  time.Time // file's deadline; zero = unknown
}

// past is a deadline that is over.
var past = time.Unix(1, 0)

func (p *poller) open(batch int) error {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	p.fd, p.events = fd, make([]unix.EpollEvent, batch)
	if err := unix.SetNonblock(fd, true); err != nil { // else it is no file for Go's poller
		return os.NewSyscallError("fcntl", err)
	}
	p.file = os.NewFile(uintptr(fd), "epoll")
	p.ready = func(uintptr) bool {
		p.n, p.err = p.look()
		return p.n > 0 || p.err != nil
	}
	if p.raw, err = p.file.SyscallConn(); err == nil {
		err = p.file.SetReadDeadline(past)
	}
	if err != nil {
		return fmt.Errorf("transport: wait for epoll by Go's poller: %w", err)
	}
	return nil
}

// look returns the number of events that are there now. It doesn't tell Go's
// scheduler about a system call that never waits.
func (p *poller) look() (int, error) {
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.fd),
			uintptr(unsafe.Pointer(&p.events[0])), uintptr(len(p.events)), 0, 0, 0)
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		default:
			return 0, os.NewSyscallError("epoll_wait", errno)
		}
	}
}

// arm sets when sleep ends at the latest.
func (p *poller) arm(until time.Time) error {
	if p.until.Equal(until) {
		return nil
	}
	p.until = until
	return p.file.SetReadDeadline(until)
}

// sleep returns the number of events, which is 0 after arm's time and whenever
// ring was called since arm.
func (p *poller) sleep() (int, error) {
	err := p.raw.Read(p.ready)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		p.until = time.Time{}
		return 0, nil
	case err != nil:
		return 0, fmt.Errorf("transport: wait for epoll by Go's poller: %w", err)
	}
	return p.n, p.err
}

// ring ends a sleep, or the next one. Safe for concurrent use once open.
func (p *poller) ring() { _ = p.file.SetReadDeadline(past) }

func (p *poller) control(op, fd int, ev *unix.EpollEvent) error {
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(p.fd, op, fd, ev))
}

func (p *poller) close() {
	if p.file != nil {
		_ = p.file.Close()
	} else if p.fd >= 0 {
		_ = unix.Close(p.fd)
	}
	p.fd = -1
}
