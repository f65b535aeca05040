package router

import (
	"encoding/binary"

	"selvedge/simulations/netsim"
)

// mtu is the largest packet, in bytes.
const mtu = 1500

// IPv4's header: RFC 791, section 3.1.
const (
	leastHeader = 20
	atLength    = 2
	atSource    = 12
	atTarget    = 16
)

// parse reads between which hosts a packet is on its way. ok is false for what is
// no whole packet of IPv4 between two hosts of 10.0.0.0/8: the kernel says other
// things, too, into a new interface.
func parse(p []byte) (from, to netsim.Host, ok bool) {
	if len(p) < leastHeader || len(p) > mtu || p[0]>>4 != 4 {
		return 0, 0, false
	}
	if header := int(p[0]&0xf) * 4; header < leastHeader || header > len(p) {
		return 0, 0, false
	}
	if int(binary.BigEndian.Uint16(p[atLength:])) != len(p) {
		return 0, 0, false
	}
	from, ok1 := hostAt(p[atSource:])
	to, ok2 := hostAt(p[atTarget:])
	return from, to, ok1 && ok2
}

// hostAt reads an address: see netsim.Host.IP.
func hostAt(b []byte) (netsim.Host, bool) {
	ip := binary.BigEndian.Uint32(b)
	return netsim.Host(ip & 0xffffff), ip>>24 == 10 && ip&0xffffff != 0
}
