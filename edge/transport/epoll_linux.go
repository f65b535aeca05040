package transport

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// eventBatch is how many ready sockets one turn serves.
	eventBatch = 256
	// admitBatch is how many newcomers one turn takes in, so that a storm of
	// them does not starve those who are there.
	admitBatch = 128
	// wakeSlot stands for the eventfd where events carry a slot.
	wakeSlot = -1
)

// epoll is the Linux loop. See the package's charter for why it is
// level-triggered.
type epoll struct {
	cfg Config
	one []byte // a 1 for the eventfd
	in  intake

	wake atomic.Bool // Woken is owed
	// sleeping is set while the loop is, or is about to be, in epoll_wait.
	// Whoever has news stores them first and then swaps sleeping; the loop
	// stores sleeping first and then looks for news. So either the loop sees
	// the news or the other sees that the loop must be rung for.
	sleeping atomic.Bool

	mu      sync.Mutex
	started bool
	eventfd int // guarded by mu; -1 unless running

	// Owned by the loop's goroutine.
	h        Handler
	epfd     int
	slots    []*Conn
	free     []int32 // empty slots
	gen      uint32
	arrivals []newcomer
	arrived  int    // index of the next one in arrivals
	rung     []byte // what is read of the eventfd
	graves   graves
	buf      []byte // what is read, for the duration of one Data
	iov      []unix.Iovec
	events   []unix.EpollEvent
}

// NewEpoll is a loop on Linux's epoll, for TCP and Unix sockets. It fails on
// other systems only.
func NewEpoll(cfg Config) (Loop, error) {
	cfg = cfg.withDefaults(64 << 10)
	return &epoll{
		cfg: cfg, in: intake{max: cfg.MaxConns}, eventfd: -1, epfd: -1,
		one: binary.NativeEndian.AppendUint64(nil, 1), rung: make([]byte, 8),
	}, nil
}

func (l *epoll) Len() int { return int(l.in.count.Load()) }

func (l *epoll) Wake() {
	if !l.wake.Swap(true) {
		l.nudge()
	}
}

// nudge makes the loop look around, if it sleeps.
func (l *epoll) nudge() {
	if !l.sleeping.Swap(false) {
		return
	}
	l.mu.Lock() // Run closes eventfd, and its number may be anyone's then
	defer l.mu.Unlock()
	if l.eventfd >= 0 {
		_, _ = unix.Write(l.eventfd, l.one) // EAGAIN: it is readable anyway
	}
}

// Add does the system calls in the caller's goroutine: they would cost the
// shard more than the handshake's end costs the caller.
func (l *epoll) Add(nc net.Conn, early []byte, data any) error {
	defer func() { _ = nc.Close() }() // the socket lives on in our descriptor
	if err := l.in.reserve(); err != nil {
		return err
	}
	fd, err := detach(nc)
	if err != nil {
		l.in.release()
		return err
	}
	if err = l.cfg.tune(fd); err == nil {
		c := &Conn{Data: data, drv: l, fd: int32(fd), slot: -1}
		err = l.in.put(newcomer{c, early})
	}
	if err != nil {
		_ = unix.Close(fd)
		l.in.release()
		return err
	}
	l.nudge()
	return nil
}

func (l *epoll) Run(ctx context.Context, h Handler) error {
	if err := l.start(h); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, l.nudge)()
	err := l.open()
	if err == nil {
		err = l.serve(ctx)
	}
	if err != nil {
		l.end(err)
		return err
	}
	l.end(context.Cause(ctx))
	return nil
}

func (l *epoll) start(h Handler) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.started {
		return fmt.Errorf("%w: a loop runs once", ErrClosed)
	}
	l.started = true
	l.h = h
	return nil
}

// open makes what the loop waits on.
func (l *epoll) open() error {
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	l.epfd = epfd
	efd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return os.NewSyscallError("eventfd", err)
	}
	l.mu.Lock()
	l.eventfd = efd
	l.mu.Unlock()
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: wakeSlot}
	if err := unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, efd, &ev); err != nil {
		return os.NewSyscallError("epoll_ctl", err)
	}
	l.buf = make([]byte, l.cfg.ReadBuffer)
	l.iov = make([]unix.Iovec, 0, maxIovecs)
	l.events = make([]unix.EpollEvent, eventBatch)
	return nil
}

func (l *epoll) serve(ctx context.Context) error {
	next := time.Now().Add(l.cfg.TickEvery)
	for ctx.Err() == nil {
		n, err := l.wait(ctx, next)
		if err != nil {
			return os.NewSyscallError("epoll_wait", err)
		}
		for i := range n {
			l.event(&l.events[i])
		}
		l.admit()
		if l.wake.Swap(false) {
			l.h.Woken()
			l.reap()
		}
		if now := time.Now(); !now.Before(next) {
			l.h.Tick(now)
			for c := l.graves.lingers.expired(now); c != nil; c = l.graves.lingers.expired(now) {
				l.graves.bury(c, nil)
			}
			l.reap()
			next = now.Add(l.cfg.TickEvery)
		}
	}
	return nil
}

// wait returns the number of events, none at the latest when next is due.
func (l *epoll) wait(ctx context.Context, next time.Time) (int, error) {
	// Rounded up: a wait that ends just before its time would spin.
	ms := max(0, int((time.Until(next)+time.Millisecond-1)/time.Millisecond))
	l.sleeping.Store(true)
	if l.wake.Load() || l.in.pending.Load() || l.arrived < len(l.arrivals) || ctx.Err() != nil {
		ms = 0
	}
	n, err := unix.EpollWait(l.epfd, l.events, ms)
	l.sleeping.Store(false)
	if errors.Is(err, unix.EINTR) {
		return 0, nil
	}
	return n, err
}

// event serves one ready socket.
func (l *epoll) event(e *unix.EpollEvent) {
	if e.Fd == wakeSlot {
		_, _ = unix.Read(l.eventfd, l.rung)
		return
	}
	c := l.slots[e.Fd]
	if c == nil || c.gen != uint32(e.Pad) {
		return // closed earlier in this batch
	}
	if e.Events&unix.EPOLLOUT != 0 {
		l.writable(c)
	}
	if e.Events&^unix.EPOLLOUT != 0 && c.state&closing == 0 {
		l.readable(c, e.Events)
	}
	l.arm(c)
	l.reap()
}

// admit takes newcomers in: a slot, a registration, the first Data.
func (l *epoll) admit() {
	if l.arrived == len(l.arrivals) {
		if cap(l.arrivals) > maxKept {
			l.arrivals = nil
		}
		l.arrivals, l.arrived = l.in.take(l.arrivals[:0]), 0
	}
	for range min(admitBatch, len(l.arrivals)-l.arrived) {
		n := l.arrivals[l.arrived]
		l.arrivals[l.arrived] = newcomer{}
		l.arrived++
		l.enter(n.c)
		if n.c.state&closing == 0 {
			if err := l.h.Data(n.c, n.early); err != nil {
				l.shut(n.c, err)
			}
		}
		l.reap()
	}
}

// enter gives c a slot and registers it.
func (l *epoll) enter(c *Conn) {
	if k := len(l.free); k > 0 {
		c.slot, l.free = l.free[k-1], l.free[:k-1]
	} else {
		c.slot = int32(len(l.slots))
		l.slots = append(l.slots, nil)
	}
	l.gen++
	c.gen = l.gen
	l.slots[c.slot] = c
	c.state |= armedIn
	if err := l.control(unix.EPOLL_CTL_ADD, c); err != nil {
		l.shut(c, err)
	}
}

// arm brings the kernel's registration of c in line with its state.
func (l *epoll) arm(c *Conn) {
	if c.state&closing != 0 {
		return
	}
	was := c.state
	c.state &^= armedIn | armedOut
	if c.state&paused == 0 {
		c.state |= armedIn
	}
	if c.state&wantWrite != 0 {
		c.state |= armedOut
	}
	if c.state == was {
		return
	}
	if err := l.control(unix.EPOLL_CTL_MOD, c); err != nil {
		l.shut(c, err)
	}
}

func (l *epoll) control(op int, c *Conn) error {
	ev := unix.EpollEvent{Fd: c.slot, Pad: int32(c.gen)}
	if c.state&armedIn != 0 {
		// RDHUP says that a short read is worth a second one, for the end.
		ev.Events |= unix.EPOLLIN | unix.EPOLLRDHUP
	}
	if c.state&armedOut != 0 {
		ev.Events |= unix.EPOLLOUT
	}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(l.epfd, op, int(c.fd), &ev))
}

// reap closes what was buried since the last call of the handler.
func (l *epoll) reap() {
	if len(l.graves.list) > 0 {
		l.graves.empty(l.bye)
	}
}

func (l *epoll) bye(c *Conn, err error) {
	if c.slot >= 0 {
		// Closing the descriptor would unregister it too, but not if a child
		// process that is being started still holds a copy.
		_ = unix.EpollCtl(l.epfd, unix.EPOLL_CTL_DEL, int(c.fd), nil)
		l.slots[c.slot] = nil
		l.free = append(l.free, c.slot)
	}
	_ = unix.Close(int(c.fd))
	c.fd = -1
	l.in.release()
	l.h.Closed(c, err)
}

// end closes everything. Adds fail from here on.
func (l *epoll) end(cause error) {
	l.in.end()
	for _, c := range l.slots {
		if c != nil {
			l.shut(c, cause)
		}
	}
	for _, n := range l.in.take(l.arrivals[l.arrived:]) {
		l.shut(n.c, cause)
	}
	l.reap()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.eventfd >= 0 {
		_ = unix.Close(l.eventfd)
		l.eventfd = -1
	}
	if l.epfd >= 0 {
		_ = unix.Close(l.epfd)
	}
	l.slots, l.free, l.arrivals, l.buf = nil, nil, nil, nil
}
