package netsim

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	// backlog is how many connections wait to be accepted; SYNs beyond are lost.
	backlog = 4096
	// firstSYN is the wait before a SYN is sent again; it doubles with each
	// (RFC 6298, section 2), synTries in all.
	firstSYN = time.Second
	synTries = 7
)

// Listener is a simulated TCP listener.
type Listener struct {
	n    *Network
	host *host
	addr netip.AddrPort

	// Guarded by n.mu.
	closed bool
	queue  []*Conn // established, not accepted
	cond   sync.Cond
}

// Listen opens a TCP listener; port 0 takes a free one.
func (n *Network) Listen(addr netip.AddrPort) (*Listener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	h, err := n.bindLocked("listen", "tcp", addr.Addr())
	if err != nil {
		return nil, err
	}
	if addr.Port() == 0 {
		addr = h.freeLocked(addr.Addr(), n.tcpTakenLocked)
	}
	if n.listeners[addr] != nil {
		return nil, opError("listen", "tcp", addr, errInUse)
	}
	l := &Listener{n: n, host: h, addr: addr}
	l.cond.L = &n.mu
	n.listeners[addr] = l
	h.sockets[l] = struct{}{}
	return l, nil
}

func (n *Network) tcpTakenLocked(a netip.AddrPort) bool {
	return n.listeners[a] != nil || n.dialed[a]
}

// Accept is net.Listener's.
func (l *Listener) Accept() (net.Conn, error) {
	l.n.mu.Lock()
	defer l.n.mu.Unlock()
	for len(l.queue) == 0 && !l.closed {
		l.cond.Wait()
	}
	if l.closed {
		return nil, opError("accept", "tcp", l.addr, net.ErrClosed)
	}
	c := l.queue[0]
	l.queue[0] = nil
	l.queue = l.queue[1:]
	return c, nil
}

// Addr is net.Listener's.
func (l *Listener) Addr() net.Addr { return net.TCPAddrFromAddrPort(l.addr) }

// Close is net.Listener's. Connections that nobody accepted are reset.
func (l *Listener) Close() error {
	l.n.mu.Lock()
	defer l.n.mu.Unlock()
	if l.closed {
		return opError("close", "tcp", l.addr, net.ErrClosed)
	}
	delete(l.host.sockets, l)
	queue := l.queue
	l.dieLocked()
	for _, c := range queue {
		c.resetLocked()
	}
	return nil
}

func (l *Listener) dieLocked() {
	l.closed, l.queue = true, nil
	delete(l.n.listeners, l.addr)
	l.cond.Broadcast()
}

// Dial connects from a host to address, an IP address with a port. It fails as
// the system's does: refused where nobody listens, and after 127 s where nobody
// answers.
func (n *Network) Dial(ctx context.Context, from Host, address string) (net.Conn, error) {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, fmt.Errorf("netsim: dial %q: %w", address, err)
	}
	c, err := n.dial(from, to)
	if err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		if c.state == dialing {
			c.dieOfLocked(ctx.Err())
		}
	})()
	n.mu.Lock()
	defer n.mu.Unlock()
	for c.state == dialing {
		c.writable.Wait()
	}
	if c.state == dead {
		return nil, opError("dial", "tcp", to, c.err)
	}
	return c, nil
}

func (n *Network) dial(from Host, to netip.AddrPort) (*Conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	h, err := n.bindLocked("dial", "tcp", from.IP())
	if err != nil {
		return nil, err
	}
	peer := hostOf(to.Addr())
	if peer == 0 {
		return nil, opError("dial", "tcp", to, errRefused)
	}
	c := n.newConnLocked(h, n.linkLocked(from, peer), h.freeLocked(from.IP(), n.tcpTakenLocked), to, dialing)
	n.dialed[c.local] = true
	c.shakeLocked(1, func() { n.calledLocked(c) })
	return c, nil
}

// shakeLocked sends packet number try of our part of the handshake, and the next
// one if that leads to nothing.
func (c *Conn) shakeLocked(try int, arrive func()) {
	if c.asked = time.Now().UnixNano(); try > 1 {
		c.asked = 0
	}
	c.sendLocked(0, arrive)
	c.n.events.add(time.Now().Add(firstSYN<<(try-1)).UnixNano(), c.link.id, func() {
		switch {
		case c.state >= established:
		case try == synTries:
			c.dieOfLocked(errTimeout)
		default:
			c.shakeLocked(try+1, arrive)
		}
	})
	c.n.kickLocked()
}

// calledLocked is a SYN of c that reaches the host that it is for.
func (n *Network) calledLocked(c *Conn) {
	if c.peer != nil {
		return // it is answered already
	}
	back := n.linkLocked(c.link.to.id, c.link.from.id)
	l := n.listeners[c.remote]
	if l == nil {
		s := n.newConnLocked(back.from, back, c.remote, c.local, dead)
		s.sendLocked(0, c.refusedLocked)
		return
	}
	if len(l.queue) >= backlog {
		return
	}
	s := n.newConnLocked(back.from, back, c.remote, c.local, called)
	s.peer, c.peer, s.listener = c, s, l
	s.shakeLocked(1, c.answeredLocked)
}

// answeredLocked is a SYN's answer that reaches who called.
func (c *Conn) answeredLocked() {
	if c.state == dialing {
		c.beginLocked()
		c.writable.Broadcast()
	}
	c.ackLocked(nothing)
}

// refusedLocked is the answer of a host where nobody listens.
func (c *Conn) refusedLocked() {
	if c.state == dialing {
		c.dieOfLocked(errRefused)
	}
}

// acceptedLocked is the end of the handshake at the side that was called.
func (c *Conn) acceptedLocked() {
	if c.listener.closed {
		c.resetLocked()
		return
	}
	c.beginLocked()
	c.listener.queue = append(c.listener.queue, c)
	c.listener.cond.Signal()
}

func (c *Conn) beginLocked() {
	c.state = established
	if c.asked != 0 {
		c.out.sample(time.Duration(time.Now().UnixNano() - c.asked))
	}
}
