package transport

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

// shard is a Handler whose methods are set by a test; those that are nil do
// nothing. It checks what every handler may rely on.
type shard struct {
	t        testing.TB
	data     func(c *Conn, b []byte) error
	writable func(c *Conn)
	closed   func(c *Conn, err error)
	woken    func()
	tick     func(now time.Time)

	// Owned by the loop's goroutine.
	inside bool
	seen   map[*Conn]bool // true = closed
}

// enter checks that calls are neither concurrent nor nested.
func (s *shard) enter() func() {
	if s.inside {
		s.t.Error("the handler was called from inside a call of itself")
	}
	s.inside = true
	return func() { s.inside = false }
}

func (s *shard) live(c *Conn, call string) {
	if over, known := s.seen[c]; over || !known {
		s.t.Errorf("%s for a conn that is closed (%t) or unknown (%t)", call, over, !known)
	}
}

func (s *shard) Data(c *Conn, b []byte) error {
	defer s.enter()()
	if _, known := s.seen[c]; known {
		s.live(c, "Data")
		if len(b) == 0 {
			s.t.Error("Data without bytes")
		}
	}
	s.seen[c] = false
	if s.data == nil {
		return nil
	}
	err := s.data(c, b)
	for i := range b {
		b[i] = 0xAA // it may be overwritten
	}
	return err
}

func (s *shard) Writable(c *Conn) {
	defer s.enter()()
	s.live(c, "Writable")
	if s.writable != nil {
		s.writable(c)
	}
}

func (s *shard) Closed(c *Conn, err error) {
	defer s.enter()()
	if s.seen[c] {
		s.t.Error("Closed twice")
	}
	s.seen[c] = true
	if s.closed != nil {
		s.closed(c, err)
	}
}

func (s *shard) Woken() {
	defer s.enter()()
	if s.woken != nil {
		s.woken()
	}
}

func (s *shard) Tick(now time.Time) {
	defer s.enter()()
	if s.tick != nil {
		s.tick(now)
	}
}

// echo writes back what comes, and keeps what there is no room for.
func (s *shard) echo() {
	s.data = func(c *Conn, b []byte) error {
		rest, _ := c.Data.([]byte)
		if len(rest) > 0 {
			c.Data = append(rest, b...)
			return nil
		}
		n, err := c.Write([][]byte{b})
		if n < len(b) {
			c.Data = slices.Clone(b[n:])
			c.PauseRead()
		}
		return err
	}
	s.writable = func(c *Conn) {
		rest, _ := c.Data.([]byte)
		n, err := c.Write([][]byte{rest})
		if c.Data = rest[n:]; err == nil && n == len(rest) {
			c.ResumeRead()
		}
	}
}

// rig runs a loop until the test ends.
type rig struct {
	Loop
	t    testing.TB
	sub  subject
	stop context.CancelCauseFunc
	done chan struct{} // closed when Run has returned
	err  error         // of Run, after done
}

// subject is an implementation under test.
type subject struct {
	name string
	make func(testing.TB, Config) Loop
	wrap func(t testing.TB, ours net.Conn, theirs *net.TCPConn) (net.Conn, peer) // nil = plain TCP
}

// peer is the other side of a conn.
type peer interface {
	net.Conn
	CloseWrite() error
}

func start(t testing.TB, sub subject, cfg Config, set func(*shard)) *rig {
	t.Helper()
	if cfg.TickEvery == 0 {
		cfg.TickEvery = time.Hour // who was forgotten is not saved by a tick
	}
	s := &shard{t: t, seen: map[*Conn]bool{}}
	if set != nil {
		set(s)
	}
	ctx, stop := context.WithCancelCause(t.Context())
	r := &rig{Loop: sub.make(t, cfg), t: t, sub: sub, stop: stop, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.err = r.Run(ctx, s)
	}()
	t.Cleanup(func() { r.end(nil) })
	return r
}

// end stops the loop and waits for it.
func (r *rig) end(cause error) {
	r.t.Helper()
	r.stop(cause)
	receive(r.t, r.done)
	if r.err != nil {
		r.t.Errorf("Run = %v", r.err)
	}
	if n := r.Len(); n != 0 {
		r.t.Errorf("Len after Run = %d", n)
	}
}

// pair is a connection that the subject takes.
func (sub subject) pair(t testing.TB) (ours net.Conn, theirs peer) {
	t.Helper()
	ours, tcp := tcpPair(t)
	if sub.wrap != nil {
		return sub.wrap(t, ours, tcp)
	}
	return ours, tcp
}

// dial adds a conn and returns the peer's side.
func (r *rig) dial(early []byte, data any) peer {
	r.t.Helper()
	ours, theirs := r.sub.pair(r.t)
	if err := r.Add(ours, early, data); err != nil {
		r.t.Fatalf("Add: %v", err)
	}
	return theirs
}

// tcpPair is a connection over loopback; the test's end closes both sides.
func tcpPair(t testing.TB) (ours net.Conn, theirs *net.TCPConn) {
	t.Helper()
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	var wg sync.WaitGroup
	wg.Go(func() { ours, err = ln.Accept() })
	nc, dialErr := net.Dial("tcp4", ln.Addr().String())
	wg.Wait()
	if err = errors.Join(err, dialErr); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = nc.Close()
		_ = ours.Close()
	})
	if err := nc.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return ours, nc.(*net.TCPConn)
}

func receive[T any](t testing.TB, ch <-chan T) T {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case v := <-ch:
		return v
	case <-timer.C:
		t.Fatal("nothing came in time")
		panic("unreachable")
	}
}

func send(t testing.TB, nc net.Conn, b []byte) {
	t.Helper()
	if _, err := nc.Write(b); err != nil {
		t.Fatalf("peer's write: %v", err)
	}
}

func expect(t testing.TB, nc net.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(nc, got); err != nil {
		t.Fatalf("peer's read: %v", err)
	}
	if string(got) != want {
		t.Fatalf("peer read %q, want %q", got, want)
	}
}

// expectEnd wants an orderly close and nothing before it.
func expectEnd(t testing.TB, nc net.Conn) {
	t.Helper()
	if n, err := nc.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Fatalf("peer's read = %d, %v; want the end", n, err)
	}
}

// pattern is n bytes in which a lost, doubled or swapped byte shows.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return b
}
