package load

import (
	"math/rand/v2"
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
	return write(c.fd, c.attempt.to.request)
}

// dial connects a share of a group's sockets on one loop.
type dial struct {
	group   *group
	to      targets
	tokens  []string // of the sockets not yet begun
	turn    int      // number of the next socket
	retries int      // of a socket that is not welcome
}

// attempt is a socket that is to become welcome.
type attempt struct {
	*dial
	token string
	turn  int
	began int64 // Now, at its first try
	tries int   // that failed
	again int64 // when the next one is
}

// next begins a socket, if there is one left. It is called on the loop.
func (d *dial) next(l *loop) {
	if len(d.tokens) == 0 {
		return
	}
	a := &attempt{dial: d, token: d.tokens[0], turn: d.turn, began: Now()}
	d.tokens[0] = "" // it isn't kept
	d.tokens = d.tokens[1:]
	d.turn++
	a.begin(l)
}

// begin tries once.
func (a *attempt) begin(l *loop) {
	r, err := newReceiver(a.group, a.token)
	if err != nil {
		a.failed(l, err)
		return
	}
	c := &conn{receiver: *r, attempt: a}
	c.began = a.began
	if c.fd, err = connect(source(a.turn), a.to.of(a.turn)); err != nil {
		a.failed(l, err)
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

const (
	// firstPause is the mean pause before a socket's second try, in nanoseconds; each
	// one is twice as long as the one before, and lastPause at most.
	firstPause, lastPause = 250e6, 4e9
)

// failed has a socket try again later, or end.
func (a *attempt) failed(l *loop, err error) {
	if a.tries >= a.retries {
		a.group.ended(&receiver{}, err)
		return
	}
	pause := min(firstPause*float64(int64(1)<<min(a.tries, 10)), lastPause)
	a.tries++
	a.again = Now() + int64(pause*(0.5+rand.Float64()))
	a.group.count(func(s *Stats) { s.Retried++ })
	l.later = append(l.later, a)
}
