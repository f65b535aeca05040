package transport

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// portable is the loop for any net.Conn. A reader goroutine per conn hands over
// one buffer at a time; a writer goroutine exists while bytes are pending. All
// they do is post their conn in ready, where it stands at most once.
type portable struct {
	cfg Config
	in  intake

	started atomic.Bool
	wake    atomic.Bool   // Woken is owed
	bell    chan struct{} // capacity 1, never closed: something is to be done

	mu    sync.Mutex
	ready []*stream // guarded by mu

	wg sync.WaitGroup // readers, writers and closers; started by the loop only

	// Owned by the loop's goroutine.
	h        Handler
	conns    map[*stream]struct{}
	serving  []*stream // scratch
	arrivals []newcomer
	graves   graves
}

// NewPortable is a loop for any net.Conn on any system. It works on simulated
// networks with simulated time: it waits on channels, timers and conns only.
func NewPortable(cfg Config) Loop {
	cfg = cfg.withDefaults(4 << 10)
	return &portable{
		cfg: cfg, in: intake{max: cfg.MaxConns},
		bell: make(chan struct{}, 1), conns: map[*stream]struct{}{},
	}
}

func (l *portable) Len() int { return int(l.in.count.Load()) }

func (l *portable) Wake() {
	if !l.wake.Swap(true) {
		l.ring()
	}
}

func (l *portable) ring() {
	select {
	case l.bell <- struct{}{}:
	default:
	}
}

func (l *portable) Add(nc net.Conn, early []byte, data any) error {
	err := l.in.reserve()
	if err == nil {
		if err = l.add(nc, early, data); err != nil {
			l.in.release()
		}
	}
	if err != nil {
		_ = nc.Close()
		return err
	}
	l.ring()
	return nil
}

func (l *portable) add(nc net.Conn, early []byte, data any) error {
	socket := nc
	if t, ok := nc.(*TLSConn); ok {
		socket = t.pipe.nc
	}
	if tcp, ok := socket.(*net.TCPConn); ok {
		if err := l.cfg.tuneTCP(tcp); err != nil {
			return err
		}
	}
	s := &stream{l: l, nc: nc, next: make(chan struct{}, 1)}
	s.Conn = Conn{Data: data, drv: s, fd: -1, slot: -1}
	return l.in.put(newcomer{&s.Conn, early})
}

func (cfg Config) tuneTCP(tcp *net.TCPConn) error {
	err := tcp.SetNoDelay(!cfg.Nagle)
	if err == nil && !cfg.KeepAlive {
		err = tcp.SetKeepAlive(false)
	}
	if err == nil && cfg.SendBuffer > 0 {
		err = tcp.SetWriteBuffer(cfg.SendBuffer)
	}
	if err != nil {
		return fmt.Errorf("transport: set TCP options: %w", err)
	}
	return nil
}

func (l *portable) Run(ctx context.Context, h Handler) error {
	if l.started.Swap(true) {
		return fmt.Errorf("%w: a loop runs once", ErrClosed)
	}
	l.h = h
	ticker := time.NewTicker(l.cfg.TickEvery)
	defer ticker.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-l.bell:
			l.turn()
		case <-ticker.C:
			l.tick(time.Now())
		}
	}
	l.end(context.Cause(ctx))
	l.wg.Wait()
	return nil
}

// turn serves whoever is ready, once each.
func (l *portable) turn() {
	l.mu.Lock()
	l.serving, l.ready = l.ready, l.serving[:0]
	l.mu.Unlock()
	for i, s := range l.serving {
		l.serving[i] = nil
		s.serve()
		l.reap()
	}
	l.arrivals = l.in.take(l.arrivals[:0])
	for i, n := range l.arrivals {
		l.arrivals[i] = newcomer{}
		s := n.c.drv.(*stream)
		l.conns[s] = struct{}{}
		if err := l.h.Data(n.c, n.early); err != nil {
			s.shut(n.c, err)
		}
		l.wg.Go(s.read)
		l.reap()
	}
	if l.wake.Swap(false) {
		l.h.Woken()
		l.reap()
	}
}

func (l *portable) tick(now time.Time) {
	l.h.Tick(now)
	for c := l.graves.lingers.expired(now); c != nil; c = l.graves.lingers.expired(now) {
		l.graves.bury(c, nil)
	}
	l.reap()
}

// post puts s on the ready list. From any goroutine.
func (l *portable) post(s *stream) {
	l.mu.Lock()
	if !s.posted {
		s.posted = true
		l.ready = append(l.ready, s)
	}
	l.mu.Unlock()
	l.ring()
}

func (l *portable) reap() {
	if len(l.graves.list) > 0 {
		l.graves.empty(l.bye)
	}
}

func (l *portable) bye(c *Conn, err error) {
	s := c.drv.(*stream)
	delete(l.conns, s)
	close(s.next)
	// In its own goroutine: TLS says goodbye to the peer, and a peer that
	// doesn't read may hold that up for seconds.
	l.wg.Go(func() { _ = s.nc.Close() })
	l.in.release()
	l.h.Closed(c, err)
}

// end closes everything. Adds fail from here on.
func (l *portable) end(cause error) {
	l.in.end()
	for s := range l.conns {
		s.shut(&s.Conn, cause)
	}
	for _, n := range l.in.take(nil) {
		n.c.drv.shut(n.c, cause)
	}
	l.reap()
}
