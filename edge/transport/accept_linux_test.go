package transport

import (
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func listen(t testing.TB) *net.TCPListener {
	t.Helper()
	ln, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	return ln
}

// call connects to ln.
func call(t testing.TB, ln *net.TCPListener) *net.TCPConn {
	t.Helper()
	nc, err := net.DialTCP("tcp4", nil, ln.Addr().(*net.TCPAddr))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return nc
}

func (r *rig) accept(ln *net.TCPListener, cfg AcceptConfig) {
	r.t.Helper()
	if err := r.Loop.(Acceptor).Accept(ln, cfg); err != nil {
		r.t.Fatalf("Accept: %v", err)
	}
}

// Whoever connects, before or after Accept, is introduced without bytes, with
// the data that was asked for, and served like any other.
func TestAccept(t *testing.T) {
	introduced := make(chan any, 64)
	n := 0
	r := start(t, epollSubject(), Config{}, func(s *shard) {
		s.data = func(c *Conn, b []byte) error {
			if len(b) == 0 {
				introduced <- c.Data
				return nil
			}
			_, err := c.Write([][]byte{b})
			return err
		}
	})
	ln := listen(t)
	peers := []*net.TCPConn{call(t, ln)}
	r.accept(ln, AcceptConfig{Data: func() any { n++; return n }})
	other := listen(t) // a second listener of the same loop
	r.accept(other, AcceptConfig{})
	if got := receive(t, introduced); got != 1 {
		t.Errorf("Data = %v", got)
	}
	_ = ln.Close() // its socket listens on
	for range 3 * acceptBatch {
		peers = append(peers, call(t, ln))
	}
	for i := range 3 * acceptBatch {
		if got := receive(t, introduced); got != i+2 {
			t.Errorf("Data = %v, want %d", got, i+2)
		}
	}
	peers = append(peers, call(t, other))
	if got := receive(t, introduced); got != nil {
		t.Errorf("Data = %v, want none", got)
	}
	for _, nc := range peers {
		send(t, nc, []byte("hi"))
		expect(t, nc, "hi")
	}
	if got := r.Len(); got != len(peers) {
		t.Errorf("Len = %d, want %d", got, len(peers))
	}
	r.end(nil)
	for _, nc := range peers {
		expectEnd(t, nc)
	}
	if nc, err := net.Dial("tcp4", ln.Addr().String()); err == nil {
		_ = nc.Close()
		t.Error("the socket listens although loop and owner have closed it")
	}
	if err := r.Loop.(Acceptor).Accept(other, AcceptConfig{}); !errors.Is(err, ErrClosed) {
		t.Errorf("Accept after Run = %v", err)
	}
}

func TestAcceptBeforeRun(t *testing.T) {
	ln := listen(t)
	sub := epollSubject()
	make := sub.make
	sub.make = func(t testing.TB, cfg Config) Loop {
		l := make(t, cfg)
		if err := l.(Acceptor).Accept(ln, AcceptConfig{}); err != nil {
			t.Fatal(err)
		}
		return l
	}
	start(t, sub, Config{}, (*shard).echo)
	nc := call(t, ln)
	send(t, nc, []byte("hi"))
	expect(t, nc, "hi")
}

// Those who aren't admitted, and those past the loop's bound, are closed at
// once; the handler never hears of them.
func TestAcceptRefuses(t *testing.T) {
	failed := make(chan error, 8)
	closed := make(chan error, 8)
	r := start(t, epollSubject(), Config{MaxConns: 2}, func(s *shard) {
		s.echo()
		s.closed = func(_ *Conn, err error) { closed <- err }
	})
	ln := listen(t)
	admit := []bool{true, false, true, true, true}
	r.accept(ln, AcceptConfig{
		Admit: func() bool {
			yes := admit[0]
			admit = admit[1:]
			return yes
		},
		Failed: func(err error) { failed <- err },
	})
	echo := func(nc net.Conn) {
		t.Helper()
		send(t, nc, []byte("hi"))
		expect(t, nc, "hi")
	}
	first := call(t, ln)
	echo(first)
	expectEnd(t, call(t, ln)) // not admitted
	echo(call(t, ln))
	expectEnd(t, call(t, ln)) // past the bound
	if err := receive(t, failed); !errors.Is(err, ErrFull) {
		t.Errorf("Failed: %v, want ErrFull", err)
	}
	_ = first.Close()
	_ = receive(t, closed)
	echo(call(t, ln)) // there is room again
	if n := r.Len(); n != 2 {
		t.Errorf("Len = %d", n)
	}
}

// Without descriptors the loop tells it once, serves who is there, doesn't
// spin, and takes the newcomers in when there are descriptors again.
func TestAcceptOutOfFiles(t *testing.T) {
	failed := make(chan error, 64)
	r := start(t, epollSubject(), Config{TickEvery: 100 * time.Millisecond}, (*shard).echo)
	ln := listen(t)
	r.accept(ln, AcceptConfig{Failed: func(err error) { failed <- err }})
	nc := call(t, ln)
	send(t, nc, []byte("x"))
	expect(t, nc, "x")

	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }()
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: was.Max}); err != nil {
		t.Fatal(err)
	}
	began, cpu := time.Now(), processTime(t)
	port := ln.Addr().(*net.TCPAddr).Port
	dialErr := unix.Connect(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}})
	var pauses []error
	for range 3 {
		pauses = append(pauses, receive(t, failed))
	}
	took, spent := time.Since(began), processTime(t)-cpu
	send(t, nc, []byte("y"))
	expect(t, nc, "y")
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	if dialErr != nil {
		t.Fatal(dialErr)
	}
	for _, err := range pauses {
		if !errors.Is(err, ErrFull) || !errors.Is(err, unix.EMFILE) {
			t.Errorf("Failed: %v", err)
		}
	}
	if spent > took/2 {
		t.Errorf("3 pauses in %v cost %v of CPU: the loop spins", took, spent)
	}
	if _, err := unix.Write(fd, []byte("z")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1)
	if n, err := unix.Read(fd, b); n != 1 || err != nil || b[0] != 'z' {
		t.Errorf("who had to wait read %q, %v", b[:n], err)
	}
}

// processTime is the CPU that this process has used.
func processTime(t *testing.T) time.Duration {
	t.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Error(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Accepted sockets have the options that added ones have, also where they
// don't inherit them.
func TestAcceptOptions(t *testing.T) {
	for name, multipath := range map[string]bool{"tcp": false, "mptcp": true} {
		t.Run(name, func(t *testing.T) {
			var lc net.ListenConfig
			lc.SetMultipathTCP(multipath)
			ln, err := lc.Listen(t.Context(), "tcp4", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = ln.Close() }()
			got := make(chan [6]int, 1)
			cfg := Config{UserTimeout: 7 * time.Second, SendBuffer: 50_000}
			r := start(t, epollSubject(), cfg, func(s *shard) {
				s.data = func(c *Conn, _ []byte) error { got <- optionsOf(t, int(c.fd)); return nil }
			})
			r.accept(ln.(*net.TCPListener), AcceptConfig{})
			call(t, ln.(*net.TCPListener))
			// The kernel doubles the buffer.
			if o := receive(t, got); o != [6]int{1, 0, 7000, 100_000, unix.O_NONBLOCK, unix.FD_CLOEXEC} {
				t.Errorf("options %v", o)
			}
		})
	}
}

func optionsOf(t *testing.T, fd int) (o [6]int) {
	var err [6]error
	o[0], err[0] = unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY)
	o[1], err[1] = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE)
	o[2], err[2] = unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT)
	o[3], err[3] = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF)
	o[4], err[4] = unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	o[5], err[5] = unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	if err := errors.Join(err[:]...); err != nil {
		t.Error(err)
	}
	o[4] &= unix.O_NONBLOCK
	return o
}

// Several loops take from one listener: everyone is served, by somebody.
func TestAcceptFromOneListener(t *testing.T) {
	ln := listen(t)
	loops := make([]*rig, 3)
	for i := range loops {
		loops[i] = start(t, epollSubject(), Config{}, (*shard).echo)
		loops[i].accept(ln, AcceptConfig{})
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				nc := call(t, ln)
				if _, err := nc.Write([]byte("x")); err != nil {
					t.Errorf("peer's write: %v", err)
				}
				if n, err := nc.Read(make([]byte, 2)); n != 1 || err != nil {
					t.Errorf("peer's read = %d, %v", n, err)
				}
			}
		})
	}
	wg.Wait()
	total := 0
	for _, r := range loops {
		total += r.Len()
	}
	if total != 200 {
		t.Errorf("%d conns, want 200", total)
	}
}
