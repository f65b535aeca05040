package netsim

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
)

// errDead: the host was killed, or the network closed.
var errDead = errors.New("the host is dead")

// What the system would say.
var (
	errInUse   = os.NewSyscallError("bind", syscall.EADDRINUSE)
	errRefused = os.NewSyscallError("connect", syscall.ECONNREFUSED)
	errReset   = os.NewSyscallError("read", syscall.ECONNRESET)
	errPipe    = os.NewSyscallError("write", syscall.EPIPE)
	errTimeout = os.NewSyscallError("read", syscall.ETIMEDOUT)
)

// opError is an error as package net words it.
func opError(op, network string, addr netip.AddrPort, err error) error {
	var a net.Addr = net.TCPAddrFromAddrPort(addr)
	if network == "udp" {
		a = net.UDPAddrFromAddrPort(addr)
	}
	return &net.OpError{Op: op, Net: network, Addr: a, Err: err}
}
