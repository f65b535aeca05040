package fanout

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"unsafe"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// streams are gateways over TCP, all served by one thread: what a receipt takes of
// the CPUs that gateways share with what feeds them is little more than the kernel's
// own part, whatever they subscribed to.
type streams struct {
	epfd, wake int
	next       nextMessage
	g          errgroup.Group

	mu    sync.Mutex
	conns map[int]*stream // guarded by mu; by file descriptor
}

// nextMessage takes the next of what came, as redisMessage and socketMessage do.
type nextMessage func(b []byte) (payload, reply []byte, used int, err error)

// stream is one gateway.
type stream struct {
	sub     subscriber
	fd      int
	partial []byte // of a message whose rest has not come
}

const (
	maxEvents = 256
	readSize  = 128 << 10
)

func connectStreams(ctx context.Context, t *tally, o order) (gateways, error) {
	s := &streams{conns: map[int]*stream{}, next: redisMessage, epfd: -1, wake: -1}
	if o.Kind == kindSocket {
		s.next = socketMessage
	}
	err := s.start()
	if err == nil {
		err = each(ctx, o.First, o.Count, o.InFlight, func(_ context.Context, n int) error {
			fd, rest, err := greeted(o, n)
			if err != nil {
				return fmt.Errorf("gateway %d: %w", n, err)
			}
			return s.add(&stream{sub: subscriber{tally: t, round: -1}, fd: fd, partial: rest})
		})
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// start starts the thread.
func (s *streams) start() (err error) {
	if s.epfd, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	if s.wake, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		return os.NewSyscallError("eventfd", err)
	}
	if err := s.watch(s.wake); err != nil {
		return err
	}
	s.g.Go(s.run)
	return nil
}

func (s *streams) watch(fd int) error {
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(s.epfd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}))
}

func (s *streams) add(c *stream) error {
	s.mu.Lock()
	s.conns[c.fd] = c
	s.mu.Unlock()
	if err := unix.SetNonblock(c.fd, true); err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	return s.watch(c.fd)
}

func (s *streams) of(fd int) *stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conns[fd]
}

// astray implements gateways: nobody is.
func (*streams) astray() int64 { return 0 }

// home implements gateways: all are.
func (*streams) home(context.Context, int) error { return nil }

// close ends the thread, then the connections.
func (s *streams) close() error {
	if s.wake >= 0 {
		_, _ = unix.Write(s.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0}) // it can't be full
	}
	err := s.g.Wait()
	for fd := range s.conns {
		_ = unix.Close(fd)
	}
	for _, fd := range []int{s.wake, s.epfd} {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
	}
	return err
}

func (s *streams) run() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	events := make([]unix.EpollEvent, maxEvents)
	buf := make([]byte, readSize+maxBulk)
	for {
		n, err := unix.EpollWait(s.epfd, events, -1)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return os.NewSyscallError("epoll_wait", err)
		}
		for _, e := range events[:n] {
			if int(e.Fd) == s.wake {
				return nil
			}
			if c := s.of(int(e.Fd)); c != nil {
				s.ready(c, buf)
			}
		}
	}
}

// ready takes what came for a gateway. One that is closed, or sent nonsense, is
// given up: what it misses counts as lost.
func (s *streams) ready(c *stream, buf []byte) {
	had := copy(buf, c.partial)
	got, err := readNow(c.fd, buf[had:had+readSize])
	switch {
	case errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR):
		return
	case err == nil && got == 0:
		err = errors.New("the connection was closed")
	}
	b := buf[:had+got]
	for err == nil {
		var payload, reply []byte
		var used int
		if payload, reply, used, err = s.next(b); used == 0 || err != nil {
			break
		}
		if payload != nil {
			c.sub.receive(payload)
		}
		if reply != nil {
			_, err = unix.Write(c.fd, reply)
		}
		b = b[used:]
	}
	if err == nil && len(b) > maxBulk {
		err = errors.New("a message without end")
	}
	if err != nil {
		c.sub.tally.fault(err)
		s.mu.Lock()
		delete(s.conns, c.fd)
		s.mu.Unlock()
		_ = unix.Close(c.fd)
		return
	}
	c.partial = append(c.partial[:0], b...)
	if len(b) == 0 {
		c.partial = nil // most have none: five thousand buffers would be kept for nothing
	}
}

// readNow is read(2) of a non-blocking socket. It doesn't tell the scheduler: the
// call doesn't wait.
func readNow(fd int, b []byte) (int, error) {
	n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
