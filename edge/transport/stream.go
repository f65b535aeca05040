package transport

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

// pendingBytes is what a portable conn takes before a Write is short, unless
// Config.SendBuffer says otherwise.
const pendingBytes = 64 << 10

// stream is a conn of the portable loop.
type stream struct {
	Conn
	l    *portable
	nc   net.Conn
	next chan struct{} // capacity 1, closed by the loop: the reader may read on

	posted bool // guarded by l.mu: in the ready list

	// Owned by the loop's goroutine: a read that was not handed over yet.
	held    []byte
	heldErr error
	holds   bool

	mu sync.Mutex
	// Guarded by mu, which nobody holds while reading or writing.
	got    []byte // the reader's last result, which it doesn't touch until next
	gotErr error
	gotten bool
	out    []byte // waits for the writer
	flying int    // bytes that the writer is writing
	writer bool   // the writer runs
	failed error  // of a write
	room   bool   // bytes were written since the last look
	last   bool   // half-close when out is empty
	over   bool   // all was written and the conn can't be half-closed
}

// read is the reader goroutine.
func (s *stream) read() {
	buf := make([]byte, s.l.cfg.ReadBuffer)
	for {
		n, err := s.nc.Read(buf)
		if n == 0 && err == nil {
			continue
		}
		s.mu.Lock()
		s.got, s.gotErr, s.gotten = buf[:n], err, true
		s.mu.Unlock()
		s.l.post(s)
		if err != nil {
			return
		}
		if _, open := <-s.next; !open {
			return
		}
	}
}

// drain is the writer goroutine: it lives until nothing is left to write.
func (s *stream) drain() {
	var spare []byte
	for {
		s.mu.Lock()
		b := s.out
		if len(b) == 0 {
			s.writer, s.out = false, nil
			last := s.last
			s.mu.Unlock()
			if last {
				s.hangUp()
			}
			return
		}
		s.out, s.flying = spare[:0], len(b)
		s.mu.Unlock()

		_, err := s.nc.Write(b)
		spare = b

		s.mu.Lock()
		s.flying, s.room = 0, true
		if s.failed = err; err != nil {
			s.writer = false
		}
		s.mu.Unlock()
		s.l.post(s)
		if err != nil {
			return
		}
	}
}

// hangUp half-closes, or tells the loop that it can't be done.
func (s *stream) hangUp() {
	if half, ok := s.nc.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		return
	}
	s.mu.Lock()
	s.over = true
	s.mu.Unlock()
	s.l.post(s)
}

// serve does what the reader and the writer posted.
func (s *stream) serve() {
	s.l.mu.Lock()
	s.posted = false // first: whoever posts from here on is served again
	s.l.mu.Unlock()
	s.mu.Lock()
	if s.gotten {
		s.held, s.heldErr, s.holds = s.got, s.gotErr, true
		s.got, s.gotErr, s.gotten = nil, nil, false
	}
	failed, room, over := s.failed, s.room, s.over
	s.room = false
	s.mu.Unlock()

	c := &s.Conn
	switch {
	case c.state&closing != 0:
		return
	case failed != nil, over:
		s.shut(c, failed)
		return
	}
	if room && c.state&(wantWrite|finishing) == wantWrite {
		c.state &^= wantWrite
		s.l.h.Writable(c)
	}
	if s.holds {
		s.deliver()
	}
}

// deliver hands over what was read and lets the reader go on.
func (s *stream) deliver() {
	c := &s.Conn
	broken := s.heldErr != nil && !errors.Is(s.heldErr, io.EOF)
	if len(s.held) > 0 && c.state&(closing|paused|finishing) == 0 {
		b := s.held
		s.held = nil
		if err := s.l.h.Data(c, b); err != nil {
			s.shut(c, err)
		}
	}
	if c.state&finishing != 0 {
		s.held = nil
	}
	switch {
	case c.state&closing != 0 || len(s.held) > 0:
	case broken:
		s.shut(c, s.heldErr) // also while paused, as with epoll
	case c.state&paused != 0:
	case s.heldErr != nil:
		s.shut(c, nil)
	default:
		s.holds = false
		s.next <- struct{}{}
	}
}

func (s *stream) write(c *Conn, bufs [][]byte) (int, error) {
	if c.state&(closing|finishing) != 0 {
		return 0, ErrClosed
	}
	if c.state&wantWrite != 0 {
		return 0, nil
	}
	most := s.l.cfg.SendBuffer
	if most <= 0 {
		most = pendingBytes
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed != nil {
		s.shut(c, s.failed)
		return 0, s.failed
	}
	n := 0
	for _, b := range bufs {
		k := min(len(b), most-len(s.out)-s.flying)
		s.out = append(s.out, b[:k]...)
		if n += k; k < len(b) {
			c.state |= wantWrite
			s.room = false // of earlier bytes
			break
		}
	}
	s.startWriterLocked()
	return n, nil
}

func (s *stream) startWriterLocked() {
	if !s.writer && (len(s.out) > 0 || s.last) {
		s.writer = true
		s.l.wg.Go(s.drain)
	}
}

func (s *stream) setPaused(c *Conn, on bool) {
	if c.state&(closing|finishing) != 0 {
		return
	}
	if c.state &^= paused; on {
		c.state |= paused
	} else if s.holds {
		s.l.post(s)
	}
}

func (s *stream) shut(c *Conn, err error) { s.l.graves.bury(c, err) }

func (s *stream) finish(c *Conn, last [][]byte, err error) {
	if c.state&(closing|finishing) != 0 {
		return
	}
	c.state = c.state&^paused | finishing
	s.l.graves.lingers.add(c, err, nil, time.Now().Add(s.l.cfg.Linger))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out = appendFrom(s.out, last, 0)
	s.last = true
	s.startWriterLocked()
	if s.holds {
		s.l.post(s)
	}
}

func (s *stream) remote(*Conn) netip.AddrPort {
	if s.state&closing != 0 {
		return netip.AddrPort{}
	}
	if tcp, ok := s.nc.RemoteAddr().(*net.TCPAddr); ok {
		a := tcp.AddrPort()
		return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
	}
	a, err := netip.ParseAddrPort(s.nc.RemoteAddr().String())
	if err != nil {
		return netip.AddrPort{}
	}
	return a
}

func (s *stream) move(c *Conn, _ Loop, _ []byte, _ any) error { return s.fail(c) }

func (s *stream) detach(c *Conn) (net.Conn, error) { return nil, s.fail(c) }

// fail closes c: its reader is in the middle of a Read that nothing ends but
// that.
func (s *stream) fail(c *Conn) error {
	if c.state&(closing|finishing) != 0 {
		return ErrClosed
	}
	s.shut(c, ErrCannotMove)
	return ErrCannotMove
}
