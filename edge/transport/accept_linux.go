package transport

import (
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// acceptBatch is how many connections a listener gets accepted in one turn, so
// that a storm of them does not starve those who are there.
const acceptBatch = 64

// door is a listening socket of the loop.
type door struct {
	cfg  AcceptConfig
	fd   int
	slot int32 // what stands for it in events
	each bool  // its connections don't inherit all options

	// Owned by the loop's goroutine, until the next tick.
	shut bool // not watched
	told bool // of a failure
}

// doorSlot is what stands for the i-th listener where events carry a slot.
func doorSlot(i int) int32 { return int32(-1 - i) }

func (l *epoll) Accept(ln *net.TCPListener, cfg AcceptConfig) error {
	fd, err := duplicate(ln)
	if err != nil {
		return err
	}
	if err = l.cfg.tune(fd); err == nil {
		// Listeners of Go's net package speak Multipath TCP unless told not to.
		err = l.addDoor(&door{cfg: cfg, fd: fd, each: protocol(fd) != unix.IPPROTO_TCP})
	}
	if err != nil {
		_ = unix.Close(fd)
	}
	return err
}

func (l *epoll) addDoor(d *door) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return ErrClosed
	}
	d.slot = doorSlot(len(l.doors))
	if l.running {
		if err := l.watch(d); err != nil {
			return err
		}
	}
	l.doors = append(l.doors, d)
	return nil
}

// watch has the kernel tell of d's connections. EPOLLEXCLUSIVE would do nothing
// for loops that share a socket: it chooses among those that wait in
// epoll_wait, and they wait in Go's poller.
func (l *epoll) watch(d *door) error {
	return l.poll.control(unix.EPOLL_CTL_ADD, d.fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: d.slot})
}

// accept takes in who waits at the listener of slot.
func (l *epoll) accept(slot int32) {
	l.mu.Lock()
	d := l.doors[doorSlot(0)-slot]
	l.mu.Unlock()
	if d.shut {
		return
	}
	for range acceptBatch {
		fd, errno := accept(d.fd)
		switch {
		case errno == 0:
			l.admitFrom(d, fd)
		case errno == unix.EAGAIN:
			return
		case !passing(errno):
			l.pause(d, errno)
			return
		}
	}
}

func (l *epoll) admitFrom(d *door, fd int) {
	if d.cfg.Admit != nil && !d.cfg.Admit() {
		_ = unix.Close(fd)
		return
	}
	if err := l.in.reserve(); err != nil {
		_ = unix.Close(fd)
		d.tell(err)
		return
	}
	if d.each && l.cfg.tune(fd) != nil { // reset meanwhile
		_ = unix.Close(fd)
		l.in.release()
		return
	}
	c := &Conn{drv: l, fd: int32(fd), slot: -1}
	if d.cfg.Data != nil {
		c.Data = d.cfg.Data()
	}
	l.meet(c)
}

// meet introduces a conn that was accepted, with what it has sent already: most
// often that is a whole request, and who answers it by Move or Detach saves the
// kernel's registration, its end, and an event. The first look may be for
// nothing; a read that finds nothing costs a tenth of that.
func (l *epoll) meet(c *Conn) {
	if err := l.h.Data(c, nil); err != nil {
		l.shut(c, err)
	}
	if c.state&(closing|paused) == 0 {
		l.readable(c, 0)
	}
	if c.state&closing == 0 {
		l.enter(c)
		l.arm(c)
	}
	l.reap()
}

// pause leaves d alone until the next tick: what is missing won't be there
// earlier, and an unanswered event would be reported again and again.
func (l *epoll) pause(d *door, errno unix.Errno) {
	d.shut = true
	_ = l.poll.control(unix.EPOLL_CTL_DEL, d.fd, nil)
	d.tell(noFile("accept", os.NewSyscallError("accept4", errno)))
}

func (d *door) tell(err error) {
	if !d.told && d.cfg.Failed != nil {
		d.cfg.Failed(err)
	}
	d.told = true
}

// reopenDoors ends the pauses.
func (l *epoll) reopenDoors() {
	l.mu.Lock()
	doors := l.doors
	l.mu.Unlock()
	for _, d := range doors {
		d.told = false
		if !d.shut {
			continue
		}
		if err := l.watch(d); err != nil {
			d.tell(fmt.Errorf("transport: accept: %w", err))
			continue
		}
		d.shut = false
	}
}

func (l *epoll) closeDoors() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	for _, d := range l.doors {
		_ = l.poll.control(unix.EPOLL_CTL_DEL, d.fd, nil)
		_ = unix.Close(d.fd)
	}
	l.doors = nil
}

// passing tells errors of the connection that would have been accepted, which
// is gone: accept(2), "Error handling".
func passing(errno unix.Errno) bool {
	switch errno {
	case unix.ECONNABORTED, unix.EPROTO, unix.ENOPROTOOPT, unix.EOPNOTSUPP, unix.EPERM,
		unix.ENETDOWN, unix.ENETUNREACH, unix.EHOSTDOWN, unix.EHOSTUNREACH, unix.ENONET:
		return true
	default:
		return false
	}
}
