package transport

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
)

// secure is a conn of the epoll loop that speaks TLS: a Conn and what it takes
// to turn its ciphertext into calls of Data, and its Writes into ciphertext.
// All that can be in its way besides the kernel's buffers:
//
//   - t.plain, decrypted bytes past the budget of a turn,
//   - t.pipe.in and crypto/tls's own buffer, ciphertext past that budget, or
//     the beginning of a record,
//   - t.pipe.out, ciphertext for which there was no room.
//
// The kernel reports none of the former: who holds bytes for more Data stands
// in the loop's again.
type secure struct {
	Conn
	l   *epoll
	t   *TLSConn // nil once it is somebody else's
	dry bool     // nothing to decrypt until there is more to read
}

// maxRecord is the plaintext of a record at most: RFC 8446, section 5.1.
const maxRecord = 16 << 10

// secure gives c, whose descriptor is the loop's, t's TLS.
func (l *epoll) secure(c Conn, t *TLSConn) *Conn {
	t.pipe.nc, t.pipe.fd = nil, c.fd
	t.release()
	s := &secure{Conn: c, l: l, t: t}
	s.drv, s.state = s, secured
	return &s.Conn
}

// readable reads once from the socket, at most a buffer full, and serves that.
func (s *secure) readable(events uint32) {
	l, c := s.l, &s.Conn
	if c.state&paused != 0 {
		l.shut(c, socketError(int(c.fd))) // nobody asked: it is a reset or a hang-up
		return
	}
	if c.state&queued != 0 {
		return // its turn comes without that
	}
	n, ok := l.read(c, events)
	if !ok {
		return
	}
	if n > 0 {
		s.t.pipe.feed(l.buf[:n])
	} else {
		s.t.pipe.ended = true
	}
	s.dry = false
	s.serve()
}

// serve hands over a buffer full of what was decrypted, or a little more where
// records don't fit.
func (s *secure) serve() {
	l, c := s.l, &s.Conn
	if l.plain == nil {
		l.plain = make([]byte, maxRecord)
	}
	for budget := len(l.buf); budget > 0 && c.state&(closing|finishing|paused) == 0; {
		b := s.t.plain
		if len(b) == 0 {
			n, err := s.t.tls.Read(l.plain)
			if n == 0 {
				s.starve(err)
				return
			}
			b = l.plain[:n] // an error with it comes again
		}
		b = s.cut(b)
		budget -= len(b)
		if err := l.h.Data(c, b); err != nil {
			l.shut(c, err)
		}
	}
	s.goOn()
}

// cut is what one Data may carry of b; the rest is kept.
func (s *secure) cut(b []byte) []byte {
	k := min(len(b), len(s.l.buf))
	rest := b[k:]
	if s.t.plain == nil {
		rest = bytes.Clone(rest)
	}
	if s.t.plain = rest; len(rest) == 0 {
		s.t.plain = nil
	}
	return b[:k]
}

// starve ends a turn in which all was decrypted, or the conn.
func (s *secure) starve(err error) {
	c := &s.Conn
	switch {
	case s.t.pipe.full:
		s.l.shut(c, errBacklog)
	case errors.Is(err, errDry):
		s.dry = true
		s.t.pipe.keep()
		s.t.release()
		s.noteBacklog()
	case errors.Is(err, io.EOF):
		s.l.shut(c, nil)
	default:
		s.l.shut(c, err)
	}
}

// goOn has the loop serve s again in the next turn: something may be left that
// no event will tell of.
func (s *secure) goOn() {
	c := &s.Conn
	if c.state&(closing|finishing) != 0 {
		return
	}
	s.t.pipe.keep()
	s.noteBacklog()
	if c.state&(paused|queued) == 0 && !s.dry {
		c.state |= queued
		s.l.again = append(s.l.again, c)
	}
}

// serveAgain serves who was left with bytes in the last turn.
func (l *epoll) serveAgain() {
	if len(l.again) == 0 {
		return
	}
	l.again, l.serving = l.serving[:0], l.again
	for i, c := range l.serving {
		l.serving[i] = nil
		if c.state&(closing|secured) != secured {
			continue
		}
		c.state &^= queued
		c.drv.(*secure).serve()
		l.arm(c)
		l.reap()
	}
	if cap(l.serving) > maxKept {
		l.serving = nil
	}
}

func (s *secure) setPaused(c *Conn, on bool) {
	if s.l.setPaused(c, on); !on {
		s.goOn()
	}
}

func (s *secure) shut(c *Conn, err error) { s.l.shut(c, err) }

func (s *secure) remote(c *Conn) netip.AddrPort { return s.l.remote(c) }

func (s *secure) move(c *Conn, to Loop, early []byte, data any) error {
	if c.state&(closing|finishing) != 0 {
		return ErrClosed
	}
	s.t.pipe.keep()
	err := s.l.moveTLS(c, s.t, to, early, data)
	if err == nil {
		s.t = nil
	}
	return err
}

func (s *secure) detach(c *Conn) (net.Conn, error) {
	nc, err := s.l.detach(c)
	if err != nil {
		return nil, err
	}
	t := s.t
	s.t = nil
	t.pipe.keep()
	t.pipe.nc, t.pipe.fd = nc, -1
	return t, nil
}
