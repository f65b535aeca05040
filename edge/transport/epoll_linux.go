package transport

import (
	"context"
	"fmt"
	"net"
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
)

// epoll is the Linux loop. See the package's charter for why it is
// level-triggered.
type epoll struct {
	cfg Config
	in  intake

	wake atomic.Bool // Woken is owed
	// sleeping is set while the loop sleeps, or is about to.
	// Whoever has news stores them first and then swaps sleeping; the loop
	// stores sleeping first and then looks for news. So either the loop sees
	// the news or the other sees that the loop must be rung for.
	sleeping atomic.Bool

	mu      sync.Mutex
	started bool    // guarded by mu
	running bool    // guarded by mu: poll is open
	ended   bool    // guarded by mu: no listener is taken any more
	doors   []*door // guarded by mu; only appended to until the end

	// Owned by the loop's goroutine.
	h        Handler
	poll     poller
	slots    []*Conn
	free     []int32 // empty slots
	gen      uint32
	arrivals []newcomer
	arrived  int // index of the next one in arrivals
	graves   graves
	again    []*Conn // secured ones that hold bytes for more Data
	serving  []*Conn // the other half of again
	buf      []byte  // what is read, for the duration of one Data
	plain    []byte  // the same, decrypted
	record   []byte  // what is to be encrypted, for the duration of one Write
	iov      []unix.Iovec
	calls    calls
}

// NewEpoll is a loop on Linux's epoll, for TCP and Unix sockets. It fails on
// other systems only.
func NewEpoll(cfg Config) (Loop, error) {
	cfg = cfg.withDefaults(64 << 10)
	return &epoll{cfg: cfg, in: intake{max: cfg.MaxConns}, poll: poller{fd: -1}}, nil
}

func (l *epoll) Len() int { return int(l.in.count.Load()) }

func (l *epoll) Wake() {
	if !l.wake.Swap(true) {
		l.nudge()
	}
}

// nudge makes the loop look around, if it sleeps.
func (l *epoll) nudge() {
	if l.sleeping.Swap(false) {
		l.poll.ring()
	}
}

// Add does the system calls in the caller's goroutine: they would cost the
// shard more than the handshake's end costs the caller.
func (l *epoll) Add(nc net.Conn, early []byte, data any) error {
	t, secured := nc.(*TLSConn)
	if secured {
		nc = t.pipe.nc
	}
	defer func() { _ = nc.Close() }() // the socket lives on in our descriptor
	if secured && !t.tls.ConnectionState().HandshakeComplete {
		return errNoHandshake
	}
	if err := l.in.reserve(); err != nil {
		return err
	}
	fd, err := detach(nc)
	if err != nil {
		l.in.release()
		return err
	}
	if err = l.cfg.tune(fd); err == nil {
		err = l.in.put(newcomer{l.conn(fd, t, data), early})
	}
	if err != nil {
		_ = unix.Close(fd)
		l.in.release()
		return err
	}
	l.nudge()
	return nil
}

// conn is a new conn of the loop. t is nil if it is a plain one.
func (l *epoll) conn(fd int, t *TLSConn, data any) *Conn {
	c := Conn{Data: data, drv: l, fd: int32(fd), slot: -1}
	if t == nil {
		return &c
	}
	return l.secure(c, t)
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
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.poll.open(eventBatch); err != nil {
		return err
	}
	l.running = true
	for _, d := range l.doors {
		if err := l.watch(d); err != nil {
			return err
		}
	}
	l.buf = make([]byte, l.cfg.ReadBuffer)
	l.iov = make([]unix.Iovec, 0, maxIovecs)
	return nil
}

func (l *epoll) serve(ctx context.Context) error {
	next := time.Now().Add(l.cfg.TickEvery)
	for ctx.Err() == nil {
		n, err := l.wait(ctx, next)
		if err != nil {
			return err
		}
		for i := range n {
			l.event(&l.poll.events[i])
		}
		l.serveAgain()
		l.admit()
		if l.wake.Swap(false) {
			l.h.Woken()
			l.reap()
		}
		if now := time.Now(); !now.Before(next) {
			l.h.Tick(now)
			l.reopenDoors()
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
	if err := l.poll.arm(next); err != nil { // before sleeping: it would undo a ring
		return 0, err
	}
	l.sleeping.Store(true)
	defer l.sleeping.Store(false)
	if l.wake.Load() || l.in.pending.Load() || l.arrived < len(l.arrivals) || len(l.again) > 0 || ctx.Err() != nil {
		return l.poll.look()
	}
	return l.poll.sleep()
}

// event serves one ready socket.
func (l *epoll) event(e *unix.EpollEvent) {
	if e.Fd < 0 {
		l.accept(e.Fd)
		return
	}
	c := l.slots[e.Fd]
	if c == nil || c.gen != uint32(e.Pad) {
		return // closed earlier in this batch
	}
	if e.Events&unix.EPOLLOUT != 0 {
		if c.state&secured != 0 {
			c.drv.(*secure).writable()
		} else {
			l.writable(c)
		}
	}
	if e.Events&^unix.EPOLLOUT != 0 && c.state&closing == 0 {
		if c.state&secured != 0 {
			c.drv.(*secure).readable(e.Events)
		} else {
			l.readable(c, e.Events)
		}
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
		l.introduce(n)
	}
}

// introduce makes the handler meet a conn.
func (l *epoll) introduce(n newcomer) {
	l.enter(n.c)
	if n.c.state&closing == 0 {
		if err := l.h.Data(n.c, n.early); err != nil {
			l.shut(n.c, err)
		}
		if n.c.state&secured != 0 {
			n.c.drv.(*secure).goOn() // more may have been read than the handshake
			l.arm(n.c)
		}
	}
	l.reap()
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

// leave unregisters c and gives its slot back, if it has one.
func (l *epoll) leave(c *Conn) {
	if c.slot < 0 {
		return
	}
	_ = l.poll.control(unix.EPOLL_CTL_DEL, int(c.fd), nil)
	l.slots[c.slot] = nil
	l.free = append(l.free, c.slot)
	c.slot = -1
}

// arm brings the kernel's registration of c, if it has one, in line with its
// state.
func (l *epoll) arm(c *Conn) {
	if c.state&closing != 0 || c.slot < 0 {
		return
	}
	was := c.state
	c.state &^= armedIn | armedOut
	if c.state&paused == 0 {
		c.state |= armedIn
	}
	if c.state&(wantWrite|flushing) != 0 {
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
	return l.poll.control(op, int(c.fd), &ev)
}

// reap closes what was buried since the last call of the handler.
func (l *epoll) reap() {
	if len(l.graves.list) > 0 {
		l.graves.empty(l.bye)
	}
}

func (l *epoll) bye(c *Conn, err error) {
	if c.state&secured != 0 {
		c.drv.(*secure).bye()
	}
	// Closing the descriptor would unregister it too, but not if a child process
	// that is being started still holds a copy.
	l.leave(c)
	if c.fd >= 0 {
		_ = unix.Close(int(c.fd))
	}
	c.fd = -1
	l.in.release()
	l.h.Closed(c, err)
}

// end closes everything. Adds fail from here on.
func (l *epoll) end(cause error) {
	l.closeDoors()
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
	l.poll.close()
	l.slots, l.free, l.arrivals, l.again, l.serving = nil, nil, nil, nil, nil
	l.buf, l.plain, l.record = nil, nil, nil
}
