package node

import (
	"net"

	"selvedge/internal/telemetry"
)

// ListenLink opens a node's port of links. All goes through wrap, if that is not nil:
// it closes what it wraps, and has its address.
func ListenLink(network telemetry.Network, addr string, wrap func(net.PacketConn) net.PacketConn) (net.PacketConn, error) {
	udp, err := network.ListenUDP("link", addr, "link-addr")
	if err != nil || wrap == nil {
		return udp, err
	}
	return wrap(udp), nil
}
