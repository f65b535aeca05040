package delay

import (
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// maxQueueBytes is what one direction of a connection holds: 1.5 Gbit/s for the
// 175 ms of the longest way. Past it datagrams are dropped, as a router does.
const maxQueueBytes = 32 << 20

// maxDatagram is the largest UDP payload there is.
const maxDatagram = 64 << 10

// Wrap returns a connection that holds each datagram written to or read from pc
// for delayOf(peer), so that wrapping one side of a path gives it a round-trip
// time of twice that. Datagrams of one peer keep their order in each direction;
// without delay they pass straight through. The delay is exact to about a
// millisecond, as timers are.
//
// delayOf is called once per datagram, concurrently; it must be quick, and may
// give another answer each time. Each direction holds up to 32 MiB and drops what
// is more, as a router does; an error of the network itself is lost on delayed
// datagrams, as it is on a real path.
//
// The connection owns pc from then on: closing it closes pc. Datagrams on their
// way out are then handed to the network at once, since closing a socket doesn't
// recall what it has sent; those on their way in are gone. It is safe for
// concurrent use. It can set buffer sizes if pc can, and gives access to pc's
// socket, but has neither GSO nor ECN. Its method Dropped counts the datagrams
// that found a direction full.
func Wrap(pc net.PacketConn, delayOf func(peer net.Addr) time.Duration) net.PacketConn {
	c := newConn(pc, delayOf, maxQueueBytes)
	// The method must be missing, not failing, where there is no socket: QUIC
	// takes its presence for a promise.
	if raw, ok := pc.(syscall.Conn); ok {
		return &socketConn{c, raw}
	}
	return c
}

type socketConn struct {
	*conn
	raw syscall.Conn
}

// SyscallConn gives access to the wrapped connection's socket.
func (c *socketConn) SyscallConn() (syscall.RawConn, error) { return c.raw.SyscallConn() }

// conn has a goroutine per direction: receive fills in from pc, send empties out
// into it.
type conn struct {
	pc      net.PacketConn
	delayOf func(net.Addr) time.Duration
	in, out *queue
	running sync.WaitGroup
}

func newConn(pc net.PacketConn, delayOf func(net.Addr) time.Duration, limit int) *conn {
	c := &conn{pc: pc, delayOf: delayOf, in: newQueue(limit), out: newQueue(limit)}
	c.running.Go(c.receive)
	c.running.Go(c.send)
	return c
}

func (c *conn) receive() {
	buf := make([]byte, maxDatagram)
	for {
		n, peer, err := c.pc.ReadFrom(buf)
		switch {
		case err == nil:
			c.in.push(buf[:n], peer, c.delayOf(peer))
		case errors.Is(err, os.ErrDeadlineExceeded):
			// Somebody set a deadline on pc itself. It isn't the reader's.
			if err := c.pc.SetReadDeadline(time.Time{}); err != nil {
				c.in.end(err)
				return
			}
		default:
			c.in.end(err)
			return
		}
	}
}

func (c *conn) send() {
	for {
		p, err := c.out.pop()
		if err != nil {
			return
		}
		// The writer has long been told that it is sent.
		_, _ = c.pc.WriteTo(p.data, p.peer)
		c.out.release(p)
	}
}

// ReadFrom waits for a datagram that has arrived.
func (c *conn) ReadFrom(b []byte) (int, net.Addr, error) {
	p, err := c.in.pop()
	if err != nil {
		return 0, nil, c.opError("read", nil, err)
	}
	c.in.release(p)
	return copy(b, p.data), p.peer, nil
}

// WriteTo sends a datagram on its way. It doesn't keep b.
func (c *conn) WriteTo(b []byte, peer net.Addr) (int, error) {
	d := c.delayOf(peer)
	if d <= 0 && c.out.idle(peer) {
		return c.pc.WriteTo(b, peer)
	}
	if !c.out.push(b, peer, d) {
		return 0, c.opError("write", peer, net.ErrClosed)
	}
	return len(b), nil
}

func (c *conn) opError(op string, peer net.Addr, err error) error {
	local := c.pc.LocalAddr()
	return &net.OpError{Op: op, Net: local.Network(), Source: local, Addr: peer, Err: err}
}

// Close stops everything: see Wrap. It may be called again.
func (c *conn) Close() error {
	c.in.end(net.ErrClosed)
	c.out.flush()
	// The sender writes what is left before the socket goes.
	c.out.drained()
	err := c.pc.Close()
	c.running.Wait()
	return err
}

// Dropped is the number of datagrams, in and out, that found no room.
func (c *conn) Dropped() uint64 { return c.in.droppedCount() + c.out.droppedCount() }

// LocalAddr is the wrapped connection's.
func (c *conn) LocalAddr() net.Addr { return c.pc.LocalAddr() }

// SetDeadline sets both deadlines.
func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline unblocks a ReadFrom, now or later; zero means never.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.in.setDeadline(t)
	return nil
}

// SetWriteDeadline counts for datagrams without delay alone; others never block.
func (c *conn) SetWriteDeadline(t time.Time) error { return c.pc.SetWriteDeadline(t) }

// SetReadBuffer sets the size of the socket's buffer, where there is a socket.
// Elsewhere it does nothing: the buffer is the queue here.
func (c *conn) SetReadBuffer(bytes int) error {
	if s, ok := c.pc.(interface{ SetReadBuffer(int) error }); ok {
		return s.SetReadBuffer(bytes)
	}
	return nil
}

// SetWriteBuffer is as SetReadBuffer.
func (c *conn) SetWriteBuffer(bytes int) error {
	if s, ok := c.pc.(interface{ SetWriteBuffer(int) error }); ok {
		return s.SetWriteBuffer(bytes)
	}
	return nil
}
