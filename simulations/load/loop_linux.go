package load

import (
	"os"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

const (
	// readSize is the most that one read takes, in bytes.
	readSize = 256 << 10
	// maxEvents is the most that one wait brings.
	maxEvents = 512
)

// loop is one thread's sockets.
type loop struct {
	// Fixed.
	epfd, wake int

	mu    sync.Mutex
	mail  []func() // guarded by mu; run by the loop
	ended bool     // guarded by mu

	// Owned by the loop's goroutine.
	checker  *checker
	conns    []*conn    // by file descriptor
	later    []*attempt // that wait for their next try
	buf      []byte
	stopping bool
}

// conn is one socket of a loop.
type conn struct {
	receiver

	fd        int
	connected bool
	attempt   *attempt // until it is welcome
}

func newLoop(b *book) (*loop, error) {
	l := &loop{checker: b.checker(), buf: make([]byte, readSize+maxPayload+64)}
	var err error
	if l.epfd, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if l.wake, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		return nil, os.NewSyscallError("eventfd", err)
	}
	return l, l.watch(unix.EPOLL_CTL_ADD, l.wake, unix.EPOLLIN)
}

func (l *loop) watch(op, fd int, events uint32) error {
	err := unix.EpollCtl(l.epfd, op, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)})
	return os.NewSyscallError("epoll_ctl", err)
}

// post has the loop run fn.
func (l *loop) post(fn func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return
	}
	l.mail = append(l.mail, fn)
	_, _ = unix.Write(l.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0}) // full = it is awake
}

// run serves the sockets until stop, on a thread of its own.
func (l *loop) run() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer l.end()
	events := make([]unix.EpollEvent, maxEvents)
	for !l.stopping {
		n, err := unix.EpollWait(l.epfd, events, l.retry())
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return os.NewSyscallError("epoll_wait", err)
		}
		woken := false
		for _, e := range events[:n] {
			if int(e.Fd) == l.wake {
				woken = true
				continue
			}
			if c := l.conns[e.Fd]; c != nil {
				l.ready(c)
			}
		}
		// Last, because a socket that is begun here may have the descriptor of
		// one that an event was about.
		if woken {
			l.woken()
		}
	}
	return nil
}

// retry begins those anew whose time has come, and returns how many milliseconds
// there are until the next one's; -1 = there is none.
func (l *loop) retry() (ms int) {
	if len(l.later) == 0 {
		return -1
	}
	now, ms := Now(), int(lastPause/1e6)
	waiting := l.later
	l.later = nil
	for _, a := range waiting {
		if a.again <= now {
			a.begin(l) // may be among the later ones again
		} else {
			l.later = append(l.later, a)
		}
	}
	for _, a := range l.later {
		ms = min(ms, int((a.again-now)/1e6)+1)
	}
	if len(l.later) == 0 {
		return -1
	}
	return ms
}

func (l *loop) woken() {
	var drain [8]byte
	_, _ = unix.Read(l.wake, drain[:]) // empty = somebody else's turn
	l.mu.Lock()
	mail := l.mail
	l.mail = nil
	l.mu.Unlock()
	for _, fn := range mail {
		fn()
	}
}

// stop ends run.
func (l *loop) stop() { l.post(func() { l.stopping = true }) }

func (l *loop) end() {
	l.mu.Lock()
	l.ended = true
	l.mu.Unlock()
	for _, c := range l.conns {
		if c != nil {
			l.close(c)
		}
	}
	_ = unix.Close(l.wake)
	_ = unix.Close(l.epfd)
}

// drop closes the sockets of a group.
func (l *loop) drop(g *group) {
	for _, c := range l.conns {
		if c != nil && c.group == g {
			l.close(c)
			g.open.Add(-1)
		}
	}
	l.later = slices.DeleteFunc(l.later, func(a *attempt) bool { return a.group == g })
}

func (l *loop) close(c *conn) {
	l.conns[c.fd] = nil
	_ = unix.Close(c.fd)
}

// ready does what can be done for a socket.
func (l *loop) ready(c *conn) {
	if !c.connected {
		if err := l.connected(c); err != nil {
			l.lose(c, err)
		}
		return
	}
	n := copy(l.buf, c.partial)
	got, err := read(c.fd, l.buf[n:n+readSize])
	if later(err) {
		return
	}
	if err == nil && got == 0 {
		err = errGone
	}
	if err != nil {
		l.lose(c, err)
		return
	}
	before := c.stage
	b := l.buf[:n+got]
	reply, used, err := c.feed(l.checker, b)
	if err == nil {
		err = write(c.fd, reply)
	}
	if err != nil {
		l.lose(c, err)
		return
	}
	if used < len(b) || c.partial != nil {
		c.rest(b[used:])
	}
	if before != running && c.stage == running {
		d := c.attempt.dial
		c.attempt = nil
		d.next(l)
	}
}

// lose ends a socket that went wrong or was closed by its server.
func (l *loop) lose(c *conn, err error) {
	l.close(c)
	if c.attempt != nil {
		c.attempt.failed(l, err)
		return
	}
	c.group.ended(&c.receiver, err)
}
