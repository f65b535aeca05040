package netsim

import (
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// buffer is what a TCP socket holds in each direction, in bytes, unless
// Config.Buffer says otherwise.
const buffer = 256 << 10

// connState is how far a Conn is in its life.
type connState uint8

const (
	dialing     connState = iota // SYN was sent
	called                       // SYN was received
	established                  // also while it is being closed
	dead                         // knows nothing any more
)

// Conn is one end of a simulated TCP connection.
type Conn struct {
	n             *Network
	host          *host
	link          *link // towards the peer
	flow          flow  // there
	local, remote netip.AddrPort

	// All that follows is guarded by n.mu.
	peer     *Conn
	listener *Listener // until it is accepted
	state    connState
	asked    int64 // when the handshake's first packet was sent; 0 = it was sent again
	err      error // why it is dead, if its user did not close it
	closed   bool  // by its user

	in                 receiver
	out                sender
	readable, writable sync.Cond
	reading, writing   deadline
}

func (n *Network) newConnLocked(h *host, l *link, local, remote netip.AddrPort, state connState) *Conn {
	c := &Conn{n: n, host: h, link: l, local: local, remote: remote, state: state}
	c.flow = newFlow(l.id, flowKey{from: local.Port(), to: remote.Port()})
	c.readable.L, c.writable.L = &n.mu, &n.mu
	c.reading.cond, c.writing.cond = &c.readable, &c.writable
	c.in = receiver{early: map[uint64]segment{}, granted: uint64(n.cfg.Buffer)}
	c.out = newSender(uint64(n.cfg.Buffer))
	if state != dead {
		h.sockets[c] = struct{}{}
	}
	return c
}

// sendLocked sends a packet with so many bytes of data; arrive is what it does
// at the peer's host.
func (c *Conn) sendLocked(data int, arrive func()) {
	c.n.sendLocked(packet{link: c.link, flow: &c.flow, from: c.local, to: c.remote, proto: "tcp", size: data + tcpHeaders, arrive: arrive})
}

// Read is net.Conn's.
func (c *Conn) Read(p []byte) (int, error) {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	for {
		switch {
		case c.closed:
			return 0, opError("read", "tcp", c.remote, net.ErrClosed)
		case c.reading.passedLocked():
			return 0, opError("read", "tcp", c.remote, os.ErrDeadlineExceeded)
		case len(c.in.unread) > 0:
			return c.takeLocked(p), nil
		case c.in.ended:
			return 0, io.EOF
		case c.state == dead:
			return 0, opError("read", "tcp", c.remote, c.err)
		case len(p) == 0:
			return 0, nil
		}
		c.readable.Wait()
	}
}

// Write is net.Conn's. It returns when all of p is in the socket's buffer.
func (c *Conn) Write(p []byte) (int, error) {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	for done := 0; ; {
		switch {
		case c.closed:
			return done, opError("write", "tcp", c.remote, net.ErrClosed)
		case c.writing.passedLocked():
			return done, opError("write", "tcp", c.remote, os.ErrDeadlineExceeded)
		case c.state == dead:
			return done, opError("write", "tcp", c.remote, c.err)
		case c.out.ending:
			return done, opError("write", "tcp", c.remote, errPipe)
		}
		if room := c.n.cfg.Buffer - c.out.held(); room > 0 {
			k := min(room, len(p)-done)
			c.out.pending = append(c.out.pending, p[done:done+k]...)
			c.pushLocked()
			if done += k; done == len(p) {
				return done, nil
			}
			continue
		}
		c.writable.Wait()
	}
}

// CloseWrite ends what is sent, after what was written.
func (c *Conn) CloseWrite() error {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	if c.closed || c.state == dead {
		return opError("close", "tcp", c.remote, net.ErrClosed)
	}
	c.endLocked()
	return nil
}

// Close is net.Conn's. What was written still goes out; what was not read resets
// the connection.
func (c *Conn) Close() error {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	if c.closed {
		return opError("close", "tcp", c.remote, net.ErrClosed)
	}
	c.closed = true
	c.reading.stopLocked()
	c.writing.stopLocked()
	c.readable.Broadcast()
	c.writable.Broadcast()
	switch {
	case c.state == dead:
	case c.state != established || len(c.in.unread) > 0:
		c.resetLocked()
	default:
		c.endLocked()
	}
	return nil
}

// endLocked sends a FIN when all else is sent.
func (c *Conn) endLocked() {
	if !c.out.ending {
		c.out.ending = true
		c.writable.Broadcast()
		c.pushLocked()
	}
}

// resetLocked ends the connection at once, and tells the peer.
func (c *Conn) resetLocked() {
	if c.peer != nil {
		c.sendLocked(0, c.peer.wasResetLocked)
	}
	c.dieOfLocked(errReset)
}

func (c *Conn) wasResetLocked() {
	if c.state != dead {
		c.dieOfLocked(errReset)
	}
}

// dieOfLocked ends this end, and tells nobody.
func (c *Conn) dieOfLocked(err error) {
	delete(c.host.sockets, c)
	c.err = err
	c.dieLocked()
}

func (c *Conn) dieLocked() {
	if c.err == nil {
		c.err = net.ErrClosed
	}
	c.state = dead
	c.out.flight, c.out.pending, c.in.early = nil, nil, nil
	c.reading.stopLocked()
	c.writing.stopLocked()
	delete(c.n.dialed, c.local)
	c.readable.Broadcast()
	c.writable.Broadcast()
}

// LocalAddr is net.Conn's.
func (c *Conn) LocalAddr() net.Addr { return net.TCPAddrFromAddrPort(c.local) }

// RemoteAddr is net.Conn's.
func (c *Conn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.remote) }

// SetDeadline is net.Conn's.
func (c *Conn) SetDeadline(t time.Time) error { return c.setDeadlines(t, &c.reading, &c.writing) }

// SetReadDeadline is net.Conn's.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.setDeadlines(t, &c.reading) }

// SetWriteDeadline is net.Conn's.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.setDeadlines(t, &c.writing) }

func (c *Conn) setDeadlines(t time.Time, which ...*deadline) error {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	if c.closed {
		return opError("set", "tcp", c.remote, net.ErrClosed)
	}
	for _, d := range which {
		d.setLocked(t)
	}
	return nil
}
