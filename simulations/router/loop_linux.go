package router

import (
	"errors"
	"fmt"
	"math"
	"runtime"

	"golang.org/x/sys/unix"

	"selvedge/simulations/load"
)

// What else than a namespace wakes the loop.
const (
	wokenByTimer = math.MaxInt32 - iota
	wokenByEnd
)

// loop moves packets between TUN devices. One thread does all of it, and wakes for
// a packet or for the moment in which one arrives.
type loop struct {
	routes *routes
	tuns   []int // by namespace
	epoll  int
	timer  int
	armed  int64 // what the timer is set to; 0 = not
}

// newLoop takes over none of the descriptors but its own: close it.
func newLoop(r *routes, tuns []int, end int) (l *loop, err error) {
	l = &loop{routes: r, tuns: tuns, epoll: -1, timer: -1}
	if l.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return l, fmt.Errorf("epoll_create1: %w", err)
	}
	if l.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC); err != nil {
		return l, fmt.Errorf("timerfd_create: %w", err)
	}
	for i, fd := range tuns {
		if err := unix.SetNonblock(fd, true); err != nil {
			return l, fmt.Errorf("namespace %d: %w", i, err)
		}
		if err := l.add(fd, int32(i)); err != nil {
			return l, err
		}
	}
	return l, errors.Join(l.add(l.timer, wokenByTimer), l.add(end, wokenByEnd))
}

func (l *loop) add(fd int, name int32) error {
	// Pad is the second half of the event's data.
	err := unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: name})
	if err != nil {
		return fmt.Errorf("epoll_ctl: %w", err)
	}
	return nil
}

func (l *loop) close() {
	for _, fd := range []int{l.epoll, l.timer} {
		if fd >= 0 {
			_ = unix.Close(fd) // nothing was written to it
		}
	}
}

// run routes until something comes on the end's descriptor, or that is closed.
func (l *loop) run() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	hurry()
	var events [64]unix.EpollEvent
	for {
		l.deliver()
		if err := l.arm(); err != nil {
			return err
		}
		n, err := unix.EpollWait(l.epoll, events[:], -1)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("epoll_wait: %w", err)
		}
		for _, e := range events[:max(n, 0)] {
			switch e.Fd {
			case wokenByEnd:
				return nil
			case wokenByTimer:
				var times [8]byte
				_, _ = unix.Read(l.timer, times[:]) // how often it went off doesn't matter
				l.armed = 0
			default:
				if err := l.read(l.tuns[e.Fd]); err != nil {
					return fmt.Errorf("namespace %d: %w", e.Fd, err)
				}
			}
		}
	}
}

// read takes all that a namespace has sent.
func (l *loop) read(tun int) error {
	for {
		f := l.routes.queue.room()
		if f == nil {
			var gone [mtu]byte
			if _, err := unix.Read(tun, gone[:]); err != nil {
				return ignoreAgain(err)
			}
			l.routes.counts.Dropped++
			continue
		}
		n, err := unix.Read(tun, f.bytes[:])
		if err != nil {
			l.routes.queue.giveUp(f)
			return ignoreAgain(err)
		}
		f.size = n
		l.routes.take(load.Now(), f)
	}
}

func ignoreAgain(err error) error {
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
		return nil
	}
	return fmt.Errorf("read: %w", err)
}

// deliver writes what has arrived.
func (l *loop) deliver() {
	for {
		f := l.routes.queue.pop(load.Now())
		if f == nil {
			return
		}
		// A full namespace loses it, as a full interface does.
		if _, err := unix.Write(l.tuns[f.space], f.bytes[:f.size]); err != nil {
			l.routes.counts.Dropped++
		}
		l.routes.queue.giveUp(f)
	}
}

// arm has the timer go off at the next arrival. The kernel's timers of descriptors are
// exact to some microseconds: no slack is added to them.
func (l *loop) arm() error {
	next := l.routes.queue.next()
	if next == l.armed {
		return nil
	}
	l.armed = next
	// Zero would disarm it, which is right where nothing is on its way.
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(next)}
	if err := unix.TimerfdSettime(l.timer, unix.TFD_TIMER_ABSTIME, &spec, nil); err != nil {
		return fmt.Errorf("timerfd_settime: %w", err)
	}
	return nil
}

// hurry lets this thread run before all that is not in a hurry, where that is allowed: a
// packet must not be late because the machine has much to do.
func hurry() {
	attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 1}
	_ = unix.SchedSetAttr(0, &attr, 0) // else it is as prompt as others
}
