package load

import (
	"bytes"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// door is one thread that accepts, and answers what clients of ours say. Each
// of these says it in one write of less than a packet, so it comes whole.
type door struct {
	floor           *floor
	epfd, wake, ln  int
	answer, welcome []byte

	mu    sync.Mutex
	steps []step // guarded by mu; by file descriptor
}

// step is how far a socket is.
type step uint8

const (
	unknown step = iota // not this door's, or closed
	accepted
	upgraded
	welcomed
)

func newDoor(f *floor, ln int, welcome []byte) (*door, error) {
	d := &door{floor: f, ln: ln, answer: answer(), welcome: welcome}
	var err error
	if d.epfd, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if d.wake, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		return nil, os.NewSyscallError("eventfd", err)
	}
	if err := d.watch(d.wake, unix.EPOLLIN); err != nil {
		return nil, err
	}
	return d, d.watch(ln, unix.EPOLLIN|unix.EPOLLEXCLUSIVE)
}

func (d *door) watch(fd int, events uint32) error {
	err := unix.EpollCtl(d.epfd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)})
	return os.NewSyscallError("epoll_ctl", err)
}

func (d *door) stop() { _, _ = unix.Write(d.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0}) }

// run serves until stop. The process ends soon after that: it closes the rest.
func (d *door) run() error {
	events := make([]unix.EpollEvent, maxEvents)
	buf := make([]byte, 16<<10)
	for {
		n, err := unix.EpollWait(d.epfd, events, -1)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return os.NewSyscallError("epoll_wait", err)
		}
		for _, e := range events[:n] {
			switch int(e.Fd) {
			case d.wake:
				return nil
			case d.ln:
				d.accept()
			default:
				d.serve(int(e.Fd), buf)
			}
		}
	}
}

// acceptAtOnce is how many are accepted before the others have their turn.
const acceptAtOnce = 16

func (d *door) accept() {
	for range acceptAtOnce {
		fd, err := accept(d.ln)
		if err != nil {
			return // none is waiting, or it went
		}
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		d.move(fd, accepted)
		d.floor.sockets.Add(1)
		if d.watch(fd, unix.EPOLLIN) != nil {
			d.forget(fd)
		}
	}
}

func (d *door) serve(fd int, buf []byte) {
	n, err := read(fd, buf)
	if later(err) {
		return
	}
	if err != nil || n == 0 {
		d.forget(fd)
		return
	}
	switch d.stepOf(fd) {
	case accepted:
		if !bytes.HasSuffix(buf[:n], []byte("\r\n\r\n")) {
			err = errRefused
			break
		}
		d.move(fd, upgraded)
		err = write(fd, d.answer)
	case upgraded:
		d.move(fd, welcomed)
		err = write(fd, d.welcome)
	case unknown, welcomed:
	}
	if err != nil {
		d.forget(fd)
	}
}

func (d *door) forget(fd int) {
	d.move(fd, unknown)
	d.floor.sockets.Add(-1)
	_ = unix.Close(fd)
}

func (d *door) stepOf(fd int) step {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.steps[fd]
}

func (d *door) move(fd int, to step) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for fd >= len(d.steps) {
		d.steps = append(d.steps, unknown)
	}
	d.steps[fd] = to
}

// audience are the sockets that are welcome.
func (d *door) audience() []int {
	d.mu.Lock()
	defer d.mu.Unlock()
	var fds []int
	for fd, s := range d.steps {
		if s == welcomed {
			fds = append(fds, fd)
		}
	}
	return fds
}
