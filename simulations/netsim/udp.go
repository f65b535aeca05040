package netsim

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

const (
	// udpHeaders are IPv4's and UDP's, in bytes.
	udpHeaders = 28
	// mtu is the largest packet that passes, in bytes.
	mtu = 1500
	// udpQueue is how many datagrams wait to be read; the next ones are dropped.
	udpQueue = 4096
	// firstEphemeral is before the first port that is given to who asks for none.
	firstEphemeral = 32767
)

// PacketConn is a simulated UDP socket.
type PacketConn struct {
	n    *Network
	host *host
	addr netip.AddrPort

	// Guarded by n.mu.
	closed  bool
	queue   []datagram
	cond    sync.Cond
	reading deadline
}

type datagram struct {
	data []byte
	from netip.AddrPort
}

// ListenPacket opens a UDP socket; port 0 takes a free one.
func (n *Network) ListenPacket(addr netip.AddrPort) (*PacketConn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	h, err := n.bindLocked("listen", "udp", addr.Addr())
	if err != nil {
		return nil, err
	}
	if addr.Port() == 0 {
		addr = h.freeLocked(addr.Addr(), func(a netip.AddrPort) bool { return n.udp[a] != nil })
	}
	if n.udp[addr] != nil {
		return nil, opError("listen", "udp", addr, errInUse)
	}
	c := &PacketConn{n: n, host: h, addr: addr}
	c.cond.L = &n.mu
	c.reading.cond = &c.cond
	n.udp[addr] = c
	h.sockets[c] = struct{}{}
	return c, nil
}

// bindLocked is the host that an address to bind belongs to.
func (n *Network) bindLocked(op, network string, ip netip.Addr) (*host, error) {
	id := hostOf(ip)
	if id == 0 {
		return nil, opError(op, network, netip.AddrPortFrom(ip, 0), fmt.Errorf("no host of this network has the address %s", ip))
	}
	h := n.hostLocked(id)
	if h.dead || n.closed {
		return nil, opError(op, network, netip.AddrPortFrom(ip, 0), errDead)
	}
	return h, nil
}

// freeLocked is an address of the host with a port that is not taken.
func (h *host) freeLocked(ip netip.Addr, taken func(netip.AddrPort) bool) netip.AddrPort {
	for {
		if h.port++; h.port <= firstEphemeral {
			h.port = firstEphemeral + 1
		}
		if a := netip.AddrPortFrom(ip, h.port); !taken(a) {
			return a
		}
	}
}

// ReadFrom is net.PacketConn's.
func (c *PacketConn) ReadFrom(p []byte) (int, net.Addr, error) {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	for {
		switch {
		case c.closed:
			return 0, nil, opError("read", "udp", c.addr, net.ErrClosed)
		case c.reading.passedLocked():
			return 0, nil, opError("read", "udp", c.addr, os.ErrDeadlineExceeded)
		case len(c.queue) > 0:
			d := c.queue[0]
			c.queue[0] = datagram{}
			c.queue = c.queue[1:]
			return copy(p, d.data), net.UDPAddrFromAddrPort(d.from), nil
		}
		c.cond.Wait()
	}
}

// WriteTo is net.PacketConn's. A datagram that is too large, or that nobody
// waits for, is lost without a word.
func (c *PacketConn) WriteTo(p []byte, addr net.Addr) (int, error) {
	udp, ok := addr.(*net.UDPAddr)
	if !ok {
		return 0, opError("write", "udp", c.addr, fmt.Errorf("%v is no UDP address", addr))
	}
	to := netip.AddrPortFrom(udp.AddrPort().Addr().Unmap(), udp.AddrPort().Port())
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	if c.closed {
		return 0, opError("write", "udp", c.addr, net.ErrClosed)
	}
	id := hostOf(to.Addr())
	if id == 0 || len(p)+udpHeaders > mtu {
		return len(p), nil
	}
	d := datagram{data: bytes.Clone(p), from: c.addr}
	c.n.sendLocked(packet{
		link: c.n.linkLocked(c.host.id, id), from: c.addr, to: to, proto: "udp", size: len(p) + udpHeaders,
		arrive: func() { c.n.udp[to].takeLocked(d) },
	})
	return len(p), nil
}

// takeLocked queues a datagram that has arrived; c may be nil.
func (c *PacketConn) takeLocked(d datagram) {
	if c == nil || len(c.queue) >= udpQueue {
		return
	}
	c.queue = append(c.queue, d)
	c.cond.Signal()
}

// Close is net.PacketConn's.
func (c *PacketConn) Close() error {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	if c.closed {
		return opError("close", "udp", c.addr, net.ErrClosed)
	}
	delete(c.host.sockets, c)
	c.dieLocked()
	return nil
}

func (c *PacketConn) dieLocked() {
	c.closed, c.queue = true, nil
	delete(c.n.udp, c.addr)
	c.reading.stopLocked()
	c.cond.Broadcast()
}

// LocalAddr is net.PacketConn's.
func (c *PacketConn) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(c.addr) }

// SetDeadline is net.PacketConn's.
func (c *PacketConn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// SetReadDeadline is net.PacketConn's.
func (c *PacketConn) SetReadDeadline(t time.Time) error {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	if c.closed {
		return opError("set", "udp", c.addr, net.ErrClosed)
	}
	c.reading.setLocked(t)
	return nil
}

// SetWriteDeadline is net.PacketConn's: no write waits.
func (c *PacketConn) SetWriteDeadline(time.Time) error { return nil }

// SetReadBuffer does nothing: the queue has its size.
func (c *PacketConn) SetReadBuffer(int) error { return nil }

// SetWriteBuffer does nothing: there is none.
func (c *PacketConn) SetWriteBuffer(int) error { return nil }
