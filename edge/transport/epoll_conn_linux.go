package transport

import (
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// maxIovecs is how many buffers one system call takes; the kernel's own limit
// is 1,024.
const maxIovecs = 256

// readable reads once, at most a buffer full: the socket's budget for a turn.
func (l *epoll) readable(c *Conn, events uint32) {
	if c.state&(paused|finishing) == paused {
		l.shut(c, socketError(int(c.fd))) // nobody asked: it is a reset or a hang-up
		return
	}
	over := events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0
	for {
		n, ok := l.read(c, events)
		switch {
		case !ok:
			return
		case n == 0:
			l.shut(c, nil)
			return
		}
		if c.state&finishing == 0 {
			if err := l.h.Data(c, l.buf[:n]); err != nil {
				l.shut(c, err)
			}
		}
		if !over || n == len(l.buf) || c.state&(closing|paused) != 0 {
			return
		}
	}
}

// read reads once into the loop's buffer; 0 bytes = the peer has ended. It isn't ok if
// there is nothing to read; a broken c is shut then.
func (l *epoll) read(c *Conn, events uint32) (n int, ok bool) {
	n, errno := l.calls.read(int(c.fd), l.buf)
	switch {
	case errno == 0:
		return n, true
	case errno != unix.EAGAIN:
		l.shut(c, os.NewSyscallError("read", errno))
	case events&(unix.EPOLLHUP|unix.EPOLLERR) != 0:
		l.shut(c, socketError(int(c.fd)))
	}
	return 0, false
}

// writable serves a socket that has room after a short write.
func (l *epoll) writable(c *Conn) {
	if c.state&wantWrite == 0 {
		return
	}
	c.state &^= wantWrite
	if c.state&finishing == 0 {
		l.h.Writable(c)
		return
	}
	lg := l.graves.lingers.of[c]
	n, err := l.send(c, lg.rest)
	if lg.rest = lg.rest[n:]; err != nil {
		l.shut(c, err)
		return
	}
	l.hangUp(c, lg)
}

func (l *epoll) write(c *Conn, bufs [][]byte) (int, error) {
	if c.state&(closing|finishing) != 0 {
		return 0, ErrClosed
	}
	if c.state&wantWrite != 0 {
		return 0, nil
	}
	n, err := l.sendAll(c, bufs)
	if err != nil {
		l.shut(c, err)
		return n, err
	}
	if c.state&wantWrite != 0 {
		l.arm(c)
	}
	return n, nil
}

// sendAll writes bufs until there is no room, and sets wantWrite then.
func (l *epoll) sendAll(c *Conn, bufs [][]byte) (int, error) {
	sent := 0
	for len(bufs) > 0 && c.state&wantWrite == 0 {
		part := bufs[:min(len(bufs), maxIovecs)]
		bufs = bufs[len(part):]
		n, err := 0, error(nil)
		if len(part) == 1 {
			n, err = l.send(c, part[0])
		} else {
			n, err = l.sendv(c, part)
		}
		sent += n
		if err != nil {
			return sent, err
		}
	}
	return sent, nil
}

// send writes one buffer.
func (l *epoll) send(c *Conn, b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	n, errno := l.calls.write(int(c.fd), b)
	return c.sent(n, len(b), errno)
}

// sendv writes up to maxIovecs buffers in one system call.
func (l *epoll) sendv(c *Conn, bufs [][]byte) (int, error) {
	iov, want := l.iov[:0], 0
	for _, b := range bufs {
		if len(b) == 0 {
			continue
		}
		v := unix.Iovec{Base: &b[0]}
		v.SetLen(len(b))
		iov, want = append(iov, v), want+len(b)
	}
	if want == 0 {
		return 0, nil
	}
	defer clear(iov) // nobody's memory is kept
	n, errno := l.calls.writev(int(c.fd), iov)
	return c.sent(n, want, errno)
}

// sent notes a short write, and tells a broken conn from one without room.
func (c *Conn) sent(n, want int, errno unix.Errno) (int, error) {
	switch errno {
	case 0:
		if n < want {
			c.state |= wantWrite
		}
		return n, nil
	case unix.EAGAIN:
		c.state |= wantWrite
		return 0, nil
	default:
		return 0, os.NewSyscallError("write", errno)
	}
}

func (l *epoll) setPaused(c *Conn, on bool) {
	if c.state&(closing|finishing) != 0 {
		return
	}
	if c.state &^= paused; on {
		c.state |= paused
	}
	l.arm(c)
}

func (l *epoll) shut(c *Conn, err error) { l.graves.bury(c, err) }

func (l *epoll) finish(c *Conn, last [][]byte, err error) {
	if c.state&(closing|finishing) != 0 {
		return
	}
	n := 0
	if c.state&wantWrite == 0 {
		var failed error
		if n, failed = l.sendAll(c, last); failed != nil {
			l.shut(c, err)
			return
		}
	}
	l.farewell(c, appendFrom(nil, last, n), err)
}

// farewell lets c linger until rest has been written and the peer has closed.
func (l *epoll) farewell(c *Conn, rest []byte, err error) {
	c.state = c.state&^paused | finishing
	lg := l.graves.lingers.add(c, err, rest, time.Now().Add(l.cfg.Linger))
	l.hangUp(c, lg)
	l.arm(c)
}

// hangUp half-closes c once nothing is left to write. Closing at once would
// make the kernel reset the connection if the peer has sent anything more, and
// a reset can destroy the last bytes on their way.
func (l *epoll) hangUp(c *Conn, lg *linger) {
	if c.state &^= wantWrite; len(lg.rest) > 0 {
		c.state |= wantWrite
		return
	}
	lg.rest = nil
	if unix.Shutdown(int(c.fd), unix.SHUT_WR) != nil {
		l.shut(c, lg.err) // reset meanwhile
	}
}

func (l *epoll) remote(c *Conn) netip.AddrPort {
	if c.fd < 0 {
		return netip.AddrPort{}
	}
	return peerName(int(c.fd))
}
