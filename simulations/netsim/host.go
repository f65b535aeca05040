package netsim

import (
	"encoding/binary"
	"net/netip"
)

// Host is a machine of the network, by its number, 1 to 1<<24 - 1. A host needs
// no making: it is there when it is first spoken of.
type Host uint32

// maxHost is the last number that fits into 10.0.0.0/8.
const maxHost = 1<<24 - 1

// IP is the host's address: its number in 10.0.0.0/8.
func (h Host) IP() netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], 10<<24|uint32(h)&maxHost)
	return netip.AddrFrom4(b)
}

// Addr is a port of the host.
func (h Host) Addr(port uint16) netip.AddrPort { return netip.AddrPortFrom(h.IP(), port) }

func (h Host) String() string { return h.IP().String() }

// hostOf is the host that an address belongs to; 0 = none.
func hostOf(ip netip.Addr) Host {
	ip = ip.Unmap()
	if !ip.Is4() {
		return 0
	}
	b := ip.As4()
	n := binary.BigEndian.Uint32(b[:])
	if n>>24 != 10 {
		return 0
	}
	return Host(n & maxHost)
}

// host is what the network knows of a Host.
type host struct {
	id     Host
	access *access // that it is behind; nil = none
	// All guarded by Network.mu.
	dead    bool
	stalls  int      // stalls that hold at present
	held    []func() // what waits for them to end, in order
	waiting int      // how much that is, in bytes
	flying  int      // bytes on their way to it
	sockets map[socket]struct{}
	port    uint16 // the last ephemeral one
}

// socket is what dies with its host.
type socket interface {
	dieLocked()
	pendingLocked() int // bytes
}
