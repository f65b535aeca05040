package telemetry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
)

// ErrAddrInUse: another process has the address that a node was to listen on.
var ErrAddrInUse = errors.New("in use by another process")

// Network opens a node's sockets. Its methods are as Listen and ListenUDP.
type Network interface {
	Listen(kind, addr, flag string) (net.Listener, error)
	ListenUDP(kind, addr, flag string) (net.PacketConn, error)
}

// OpenedBy is n, or the system's network where n is nil.
func OpenedBy(n Network) Network {
	if n == nil {
		return system{}
	}
	return n
}

type system struct{}

func (system) Listen(kind, addr, flag string) (net.Listener, error) { return Listen(kind, addr, flag) }

func (system) ListenUDP(kind, addr, flag string) (net.PacketConn, error) {
	return ListenUDP(kind, addr, flag)
}

// Listen opens addr (host:port, TCP) for the part of the node that kind names,
// such as "admin". The error is one line that names the address and the flag
// (without dashes) that changes it.
func Listen(kind, addr, flag string) (net.Listener, error) {
	// Multipath TCP, which Go's listeners speak by default, costs each
	// connection, of which nearly none has a second path.
	lc := net.ListenConfig{}
	lc.SetMultipathTCP(false)
	l, err := lc.Listen(context.Background(), "tcp", addr)
	if err != nil {
		return nil, listenError(kind, addr, flag, err)
	}
	return l, nil
}

// ListenUDP is Listen for UDP.
func ListenUDP(kind, addr, flag string) (*net.UDPConn, error) {
	resolved, err := net.ResolveUDPAddr("udp", addr)
	if err != nil {
		return nil, listenError(kind, addr, flag, err)
	}
	conn, err := net.ListenUDP("udp", resolved)
	if err != nil {
		return nil, listenError(kind, addr, flag, err)
	}
	return conn, nil
}

func listenError(kind, addr, flag string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s: %s is %w: choose another --%s", kind, addr, ErrAddrInUse, flag)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%s: %s may not be opened by this user: choose a port above 1023 with --%s", kind, addr, flag)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%s: %s is no address of this machine: choose another --%s", kind, addr, flag)
	}
	// The operation's own wrapping repeats the address.
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err
	}
	return fmt.Errorf("%s: can't listen on %q: %w: --%s takes host:port", kind, addr, err, flag)
}
