package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

func openFiles(t *testing.T) int {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

// Every descriptor is given back: those of conns that closed in any way, of
// conns that were refused, and the loop's own.
func TestNoFilesLeak(t *testing.T) {
	conform(t, func(t *testing.T, sub subject) {
		tcpPair(t) // Go's poller opens its own files with the first
		before := openFiles(t)
		closed := make(chan error, 64)
		r := start(t, sub, Config{MaxConns: 40}, func(s *shard) {
			s.echo()
			s.closed = func(_ *Conn, err error) { closed <- err }
		})
		var peers []net.Conn
		for i := range 40 {
			var nc net.Conn = r.dial(nil, nil)
			send(t, nc, []byte("x"))
			expect(t, nc, "x")
			if i%2 == 0 {
				reset(t, nc)
				_ = receive(t, closed)
				nc = r.dial(nil, nil)
			}
			peers = append(peers, nc)
		}
		ours, theirs := sub.pair(t)
		if err := r.Add(ours, nil, nil); !errors.Is(err, ErrFull) {
			t.Errorf("Add = %v", err)
		}
		r.end(nil)
		for _, nc := range append(peers, theirs) {
			_ = nc.Close()
		}
		if after := openFiles(t); after != before {
			t.Errorf("%d files open, %d before", after, before)
		}
	})
}

// A socket of the loop is one file, not two, and not in Go's poller.
func TestEpollDetaches(t *testing.T) {
	r := start(t, epollSubject(), Config{}, (*shard).echo)
	nc := r.dial(nil, nil)
	send(t, nc, []byte("x"))
	expect(t, nc, "x") // the loop runs
	before := openFiles(t)
	for range 10 {
		r.dial(nil, nil)
	}
	if n := openFiles(t) - before; n != 20 {
		t.Errorf("10 pairs are %d files, want 20", n)
	}
}

func TestEpollRefuses(t *testing.T) {
	r := start(t, epollSubject(), Config{}, nil)
	ours, theirs := net.Pipe()
	if err := r.Add(ours, nil, nil); !errors.Is(err, ErrNotSocket) {
		t.Errorf("Add of a pipe = %v", err)
	}
	expectEnd(t, theirs)
	sock, peer := tcpPair(t)
	if err := r.Add(tls.Server(sock, &tls.Config{}), nil, nil); !errors.Is(err, ErrNotSocket) {
		t.Errorf("Add of TLS = %v", err)
	}
	_ = peer.Close()
	dead, _ := tcpPair(t)
	_ = dead.Close()
	if err := r.Add(dead, nil, nil); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Add of a closed socket = %v", err)
	}
}

// Out of files: Add says so, and the loop serves on.
func TestEpollOutOfFiles(t *testing.T) {
	r := start(t, epollSubject(), Config{}, (*shard).echo)
	nc := r.dial(nil, nil)
	send(t, nc, []byte("x"))
	expect(t, nc, "x")
	ours, theirs := tcpPair(t)

	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: was.Max}); err != nil {
		t.Fatal(err)
	}
	err := r.Add(ours, nil, nil)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(err, ErrFull) || !errors.Is(err, unix.EMFILE) {
		t.Errorf("Add = %v", err)
	}
	expectEnd(t, theirs)
	send(t, nc, []byte("y"))
	expect(t, nc, "y")
	if n := r.Len(); n != 1 {
		t.Errorf("Len = %d", n)
	}
}

// A loop that has been woken, by whatever, sleeps again.
func TestEpollSleeps(t *testing.T) {
	ticks, woken := make(chan time.Time, 1000), make(chan struct{}, 1)
	r := start(t, epollSubject(), Config{TickEvery: 200 * time.Millisecond}, func(s *shard) {
		s.echo()
		s.woken = func() { woken <- struct{}{} }
		s.tick = func(now time.Time) { ticks <- now }
	})
	nc := r.dial(nil, nil)
	send(t, nc, []byte("x"))
	expect(t, nc, "x")
	receive(t, ticks)
	for range 100 { // some of them from sleep
		r.Wake()
		receive(t, woken)
	}
	cpu, began := processTime(t), time.Now()
	receive(t, ticks)
	if spent, took := processTime(t)-cpu, time.Since(began); spent > took/2 {
		t.Errorf("%v of CPU in %v", spent, took)
	}
}

// An event that was meant for the slot's former conn does nothing.
func TestEpollStaleEvent(t *testing.T) {
	var conn *Conn
	var r *rig
	introduced, told := make(chan struct{}), make(chan struct{})
	var buried []int
	r = start(t, epollSubject(), Config{}, func(s *shard) {
		s.data = func(c *Conn, _ []byte) error {
			conn = c
			c.PauseRead()
			close(introduced)
			return nil
		}
		s.woken = func() {
			l := r.Loop.(*epoll)
			for _, gen := range []uint32{conn.gen - 1, conn.gen} {
				e := unix.EpollEvent{Events: unix.EPOLLHUP, Fd: conn.slot, Pad: int32(gen)}
				s.inside = false // as if it came after this call
				l.event(&e)
				buried = append(buried, l.Len())
			}
			close(told)
		}
	})
	r.dial(nil, nil)
	receive(t, introduced)
	r.Wake()
	receive(t, told)
	if len(buried) != 2 || buried[0] != 1 || buried[1] != 0 {
		t.Errorf("conns left after a stale and a true hang-up: %v, want 1 and 0", buried)
	}
}

func TestEpollOptions(t *testing.T) {
	get := func(c *Conn, level, opt int) int {
		v, err := unix.GetsockoptInt(int(c.fd), level, opt)
		if err != nil {
			t.Error(err)
		}
		return v
	}
	type options struct{ noDelay, keepAlive, userTimeout int }
	for name, test := range map[string]struct {
		cfg  Config
		want options
	}{
		"default": {Config{}, options{1, 0, 0}},
		"all":     {Config{Nagle: true, KeepAlive: true, UserTimeout: 7 * time.Second}, options{0, 1, 7000}},
	} {
		t.Run(name, func(t *testing.T) {
			got := make(chan options, 1)
			r := start(t, epollSubject(), test.cfg, func(s *shard) {
				s.data = func(c *Conn, _ []byte) error {
					got <- options{
						get(c, unix.IPPROTO_TCP, unix.TCP_NODELAY),
						get(c, unix.SOL_SOCKET, unix.SO_KEEPALIVE),
						get(c, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT),
					}
					return nil
				}
			})
			r.dial(nil, nil)
			if o := receive(t, got); o != test.want {
				t.Errorf("options %+v, want %+v", o, test.want)
			}
		})
	}
}

// Unix sockets are sockets too.
func TestEpollUnixSocket(t *testing.T) {
	ln, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	nc, err := net.Dial("unix", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = nc.Close() }()
	ours, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, epollSubject(), Config{}, (*shard).echo)
	if err := r.Add(ours, nil, nil); err != nil {
		t.Fatal(err)
	}
	send(t, nc, []byte("hi"))
	expect(t, nc, "hi")
}

// frugal answers everything with the same frame, and allocates nothing.
type frugal struct {
	t     *testing.T
	conn  *Conn
	frame [][]byte
}

func (h *frugal) Data(c *Conn, b []byte) error {
	if h.conn = c; len(b) > 0 {
		h.Woken()
	}
	return nil
}

func (h *frugal) Woken() {
	if _, err := h.conn.Write(h.frame); err != nil {
		h.t.Errorf("Write: %v", err)
	}
}

func (h *frugal) Writable(*Conn)      {}
func (h *frugal) Closed(*Conn, error) {}
func (h *frugal) Tick(time.Time)      {}

// What a socket costs, and what an event costs.
func TestEpollMemory(t *testing.T) {
	if n := unsafe.Sizeof(Conn{}); n > 48 {
		t.Errorf("a Conn takes %d bytes, want 48 at most", n)
	}
	l, err := NewEpoll(Config{TickEvery: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	h := &frugal{t: t, frame: [][]byte{{1, 2, 3, 4}, {5, 6, 7, 8}}}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx, h) }()
	ours, nc := tcpPair(t)
	if err := l.Add(ours, nil, nil); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 8)
	read := func() {
		for n := 0; n < len(buf); {
			k, err := nc.Read(buf[n:])
			if err != nil {
				t.Fatal(err)
			}
			n += k
		}
	}
	for name, once := range map[string]func(){
		"read":  func() { send(t, nc, buf); read() },
		"woken": func() { l.Wake(); read() },
	} {
		once()
		if n := testing.AllocsPerRun(1000, once); n > 0 {
			t.Errorf("%s: %v allocations per event", name, n)
		}
	}
	cancel()
	if err := receive(t, done); err != nil {
		t.Error(err)
	}
	for _, v := range l.(*epoll).iov[:len(h.frame)] {
		if v.Base != nil {
			t.Error("the loop keeps a frame's memory after it was written")
		}
	}
}
