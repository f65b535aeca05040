package router

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"

	"selvedge/simulations/netsim"
)

// device is the interface of each namespace.
const device = "selvedge0"

// Space is a network namespace without a name: it is there as long as this process,
// or one that was started in it, is. So nothing is left of it, however they end. Its
// only way out is a TUN device that nobody but a Router reads.
type Space struct {
	ns  *os.File
	tun *os.File
}

// NewSpace makes a namespace that has these hosts' addresses. It needs root, and
// /dev/net/tun; the error says what is missing. Close it.
func NewSpace(hosts ...netsim.Host) (*Space, error) {
	s := &Space{}
	err := apart(func() error { return s.make(hosts) })
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// apart calls f on a thread that nobody uses afterwards: it may change what threads
// otherwise share.
func apart(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for ever: the thread ends with its goroutine
		done <- f()
	}()
	return <-done
}

// make is called on a thread of its own, which is in the new namespace from then on.
func (s *Space) make(hosts []netsim.Host) (err error) {
	switch err := unix.Unshare(unix.CLONE_NEWNET); {
	case errors.Is(err, unix.EPERM):
		return errors.New("making network namespaces takes root (CAP_SYS_ADMIN): run it with sudo")
	case err != nil:
		return fmt.Errorf("unshare(CLONE_NEWNET): %w", err)
	}
	if s.ns, err = os.Open("/proc/thread-self/ns/net"); err != nil {
		return err
	}
	if s.tun, err = openTUN(); err != nil {
		return err
	}
	control, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	defer func() { _ = unix.Close(control) }()
	if err := up(control, "lo"); err != nil {
		return err
	}
	for i, h := range hosts {
		name := device
		if i > 0 {
			name = fmt.Sprintf("%s:%d", device, i)
		}
		if err := address(control, unix.SIOCSIFADDR, name, h.IP()); err != nil {
			return fmt.Errorf("address %s: %w", h, err)
		}
	}
	if len(hosts) > 0 { // all others are beyond this device
		if err := address(control, unix.SIOCSIFNETMASK, device, netip.AddrFrom4([4]byte{255})); err != nil {
			return fmt.Errorf("netmask: %w", err)
		}
	}
	return up(control, device)
}

// openTUN makes the device in the thread's namespace.
func openTUN() (*os.File, error) {
	const file = "/dev/net/tun"
	fd, err := unix.Open(file, unix.O_RDWR|unix.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENXIO), errors.Is(err, unix.ENODEV):
		return nil, fmt.Errorf("%s is not there: load the kernel's module 'tun'; in a container, pass the device into it", file)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	f := os.NewFile(uintptr(fd), file)
	req, err := unix.NewIfreq(device)
	if err == nil {
		req.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, req)
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%s: make an interface: %w", file, err)
	}
	return f, nil
}

// address sets an address, or a mask, of an interface.
func address(control int, what uint, name string, ip netip.Addr) error {
	req, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	four := ip.As4()
	if err := req.SetInet4Addr(four[:]); err != nil {
		return err
	}
	return unix.IoctlIfreq(control, what, req)
}

func up(control int, name string) error {
	req, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	if err := unix.IoctlIfreq(control, unix.SIOCGIFFLAGS, req); err != nil {
		return fmt.Errorf("flags of %s: %w", name, err)
	}
	req.SetUint16(req.Uint16() | unix.IFF_UP)
	if err := unix.IoctlIfreq(control, unix.SIOCSIFFLAGS, req); err != nil {
		return fmt.Errorf("set %s up: %w", name, err)
	}
	return nil
}

// Close gives the namespace up. It ends when nothing in it is in use any more.
func (s *Space) Close() {
	for _, f := range []*os.File{s.ns, s.tun} {
		if f != nil {
			_ = f.Close() // nothing is kept in it
		}
	}
}

// within calls f on a thread in the namespace: the sockets that it opens are there.
func (s *Space) within(f func() error) error {
	return apart(func() error {
		if err := unix.Setns(int(s.ns.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("setns: %w", err)
		}
		return f()
	})
}

// Dial connects from one of the namespace's hosts by TCP to an address. Safe for
// concurrent use.
func (s *Space) Dial(ctx context.Context, from netsim.Host, addr string) (conn net.Conn, err error) {
	err = s.within(func() error {
		d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(from.Addr(0))}
		conn, err = d.DialContext(ctx, "tcp4", addr)
		return err
	})
	return conn, err
}

// Listen opens a TCP listener in the namespace.
func (s *Space) Listen(ctx context.Context, addr netip.AddrPort) (l net.Listener, err error) {
	err = s.within(func() error {
		l, err = new(net.ListenConfig).Listen(ctx, "tcp4", addr.String())
		return err
	})
	return l, err
}

// Under is the begin of a command line whose rest runs in the namespace: see
// WithinCommand. It is good as long as s is open.
func (s *Space) Under(binary string) []string {
	return []string{binary, "simulate", "within", fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), s.ns.Fd())}
}

// Run runs the rest of the command line in the namespace, in place of this process.
func (c *WithinCommand) Run() error {
	f, err := os.Open(c.Space)
	if err != nil {
		return err
	}
	runtime.LockOSThread() // exec leaves nothing but this thread
	if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("setns: %w", err)
	}
	// Package child had the kernel kill this process when its parent ends. It meant the first
	// thread: exec keeps the setting of the thread that calls it, and this may be another.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("prctl(PR_SET_PDEATHSIG): %w", err)
	}
	return fmt.Errorf("%s: %w", c.Line[0], unix.Exec(c.Line[0], c.Line, exec.Command(c.Line[0]).Environ()))
}
