package load

import (
	"os"

	"golang.org/x/sys/unix"
)

// connected sends the request once there is a connection.
func (l *loop) connected(c *conn) error {
	errno, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && errno != 0 {
		err = unix.Errno(errno)
	}
	if err != nil {
		return os.NewSyscallError("connect", err)
	}
	c.connected = true
	if err := l.watch(unix.EPOLL_CTL_MOD, c.fd, unix.EPOLLIN); err != nil {
		return err
	}
	return write(c.fd, c.dial.to.request)
}

// dial connects a share of a group's sockets on one loop.
type dial struct {
	group  *group
	to     targets
	tokens []string // of the sockets not yet begun
	turn   int      // number of the next socket
}

// next begins a socket, if there is one left. It is called on the loop.
func (d *dial) next(l *loop) {
	if len(d.tokens) == 0 {
		return
	}
	token := d.tokens[0]
	d.tokens = d.tokens[1:]
	r, err := newReceiver(d.group, token)
	if err != nil {
		d.group.ended(&receiver{}, err)
		return
	}
	c := &conn{receiver: *r, dial: d}
	turn := d.turn
	d.turn++
	c.began = Now()
	if c.fd, err = connect(source(turn), d.to.of(turn)); err != nil {
		d.group.ended(&c.receiver, err)
		return
	}
	for c.fd >= len(l.conns) {
		l.conns = append(l.conns, nil)
	}
	l.conns[c.fd] = c
	if err := l.watch(unix.EPOLL_CTL_ADD, c.fd, unix.EPOLLOUT); err != nil {
		l.lose(c, err)
	}
}
