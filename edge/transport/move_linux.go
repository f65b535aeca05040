package transport

import (
	"bytes"
	"fmt"
	"net"
	"os"
)

// move makes a new Conn for the other loop, so that neither loop ever looks at
// what is the other's, and a c that was kept is as dead as after Closed.
func (l *epoll) move(c *Conn, to Loop, early []byte, data any) error {
	return l.moveTLS(c, nil, to, early, data)
}

// moveTLS is move for a conn with t's TLS, if that is not nil.
func (l *epoll) moveTLS(c *Conn, t *TLSConn, to Loop, early []byte, data any) error {
	if c.state&(closing|finishing) != 0 {
		return ErrClosed
	}
	other, ok := to.(*epoll)
	if !ok {
		return l.fail(c, fmt.Errorf("%w, this one is %T", ErrCannotMove, to))
	}
	if err := other.in.reserve(); err != nil {
		return l.fail(c, err)
	}
	// Before the other loop may see the descriptor: it might close it, and the
	// number might be somebody else's then.
	l.leave(c)
	n := newcomer{other.conn(int(c.fd), t, data), bytes.Clone(early)}
	if err := other.in.put(n); err != nil {
		other.in.release()
		return l.fail(c, err)
	}
	l.forget(c)
	other.nudge()
	return nil
}

func (l *epoll) detach(c *Conn) (net.Conn, error) {
	if c.state&(closing|finishing) != 0 {
		return nil, ErrClosed
	}
	l.leave(c)
	nc, err := attach(int(c.fd))
	if err != nil {
		c.fd = -1
		return nil, l.fail(c, err)
	}
	l.forget(c)
	return nc, nil
}

// forget drops c, whose descriptor is no longer the loop's.
func (l *epoll) forget(c *Conn) {
	c.fd, c.state = -1, c.state|closing
	l.in.release()
}

func (l *epoll) fail(c *Conn, err error) error {
	l.shut(c, err)
	return err
}

// attach makes a net.Conn of fd and closes fd, also on an error: net works on
// a duplicate.
func attach(fd int) (net.Conn, error) {
	f := os.NewFile(uintptr(fd), "socket")
	nc, err := net.FileConn(f)
	if closed := f.Close(); err == nil && closed != nil {
		_ = nc.Close()
		err = closed
	}
	if err != nil {
		return nil, noFile("give socket away", err)
	}
	return nc, nil
}
