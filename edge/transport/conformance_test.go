package transport

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func portableSubject() subject {
	return subject{name: "portable", make: func(_ testing.TB, cfg Config) Loop { return NewPortable(cfg) }}
}

// conform runs f against every loop.
func conform(t *testing.T, f func(t *testing.T, sub subject)) {
	t.Helper()
	for _, sub := range subjects() {
		t.Run(sub.name, func(t *testing.T) { f(t, sub) })
	}
}

var errTest = errors.New("reason of the test")

func TestEcho(t *testing.T) {
	conform(t, func(t *testing.T, sub subject) {
		r := start(t, sub, Config{}, (*shard).echo)
		nc := r.dial(nil, nil)
		for _, s := range []string{"a", "bc", "hello, world"} {
			send(t, nc, []byte(s))
			expect(t, nc, s)
		}
	})
}

// More than any buffer holds, against a peer that reads late: what is echoed
// must still be the same bytes.
func TestShortWrites(t *testing.T) {
	conform(t, func(t *testing.T, sub subject) {
		full := make(chan struct{})
		once := sync.OnceFunc(func() { close(full) })
		r := start(t, sub, Config{SendBuffer: 64 << 10}, func(s *shard) {
			s.echo()
			inner := s.data
			s.data = func(c *Conn, b []byte) error {
				err := inner(c, b)
				if rest, _ := c.Data.([]byte); len(rest) > 0 {
					once()
				}
				return err
			}
		})
		nc := r.dial(nil, nil)
		sent := pattern(8 << 20)
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := nc.Write(sent); err != nil {
				t.Errorf("peer's write: %v", err)
			}
		})
		receive(t, full) // now a Write has been short
		got := make([]byte, len(sent))
		if _, err := io.ReadFull(nc, got); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		if !bytes.Equal(got, sent) {
			t.Error("the echo differs")
		}
	})
}

// Many buffers in one Write, some empty, more than one system call takes.
func TestWriteMany(t *testing.T) {
	conform(t, func(t *testing.T, sub subject) {
		want := pattern(10_000)
		r := start(t, sub, Config{}, func(s *shard) {
			s.data = func(c *Conn, b []byte) error {
				if len(b) == 0 {
					return nil
				}
				bufs := [][]byte{nil}
				for chunk := range slices.Chunk(want, 9) {
					bufs = append(bufs, bytes.Clone(chunk), []byte{})
				}
				n, err := c.Write(bufs)
				for _, b := range bufs {
					clear(b) // nothing may be kept
				}
				if n != len(want) {
					t.Errorf("Write took %d of %d bytes", n, len(want))
				}
				if n, err := c.Write(nil); n != 0 || err != nil {
					t.Errorf("empty Write = %d, %v", n, err)
				}
				return err
			}
		})
		nc := r.dial(nil, nil)
		send(t, nc, []byte("go"))
		expect(t, nc, string(want))
	})
}

// A peer that doesn't read must not hold up the others, and Write must take
// nothing for it until Writable.
func TestSlowReader(t *testing.T) {
	conform(t, func(t *testing.T, sub subject) {
		full := make(chan struct{})
		chunk := make([]byte, 64<<10)
		var taken int64
		var slow *Conn
		r := start(t, sub, Config{SendBuffer: 64 << 10}, func(s *shard) {
			s.echo()
			echo, refill := s.data, s.writable
			s.data = func(c *Conn, b []byte) error {
				if c.Data != "slow" {
					return echo(c, b)
				}
				slow = c
				for {
					n, err := c.Write([][]byte{chunk})
					taken += int64(n)
					if n < len(chunk) {
						if n, err := c.Write([][]byte{chunk}); n != 0 || err != nil {
							t.Errorf("Write before Writable = %d, %v", n, err)
						}
						close(full)
						return err
					}
				}
			}
			s.writable = func(c *Conn) {
				if c != slow {
					refill(c)
					return
				}
				if _, err := c.Write([][]byte{[]byte("end")}); err != nil {
					t.Errorf("Write after Writable: %v", err)
				}
				c.CloseAfterWrite(nil, nil)
			}
		})
		lazy := r.dial(nil, "slow")
		receive(t, full)
		nc := r.dial(nil, nil)
		for range 100 {
			send(t, nc, []byte("x"))
			expect(t, nc, "x")
		}
		b, err := io.ReadAll(lazy)
		if err != nil || int64(len(b)) != taken+3 || string(b[taken:]) != "end" {
			t.Errorf("the slow one read %d bytes, %v; want %d", len(b), err, taken+3)
		}
	})
}

// While paused nothing is handed over and the peer's writes fill up; then all
// of it comes.
func TestPauseReachesPeer(t *testing.T) {
	conform(t, func(t *testing.T, sub subject) {
		var conn *Conn
		var isPaused bool
		var got []byte
		resumed, all := make(chan struct{}), make(chan []byte, 1)
		r := start(t, sub, Config{}, func(s *shard) {
			s.data = func(c *Conn, b []byte) error {
				if isPaused {
					t.Error("Data while paused")
				}
				if got = append(got, b...); conn == nil {
					conn, isPaused = c, true
					c.PauseRead()
				}
				return nil
			}
			s.woken = func() { isPaused = false; conn.ResumeRead(); close(resumed) }
			s.closed = func(*Conn, error) { all <- got }
		})
		nc := r.dial(nil, nil)
		if err := nc.SetWriteDeadline(time.Now().Add(300 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		sent := pattern(64 << 20)
		n, err := nc.Write(sent)
		var timeout net.Error
		if !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Fatalf("the peer could write %d bytes (%v) to a paused conn", n, err)
		}
		r.Wake()
		receive(t, resumed)
		_ = nc.Close()
		if b := receive(t, all); !bytes.Equal(b, sent[:n]) {
			t.Errorf("got %d bytes, want the %d that were sent", len(b), n)
		}
	})
}

// Pausing and resuming inside Data loses and swaps nothing.
func TestPauseInsideData(t *testing.T) {
	conform(t, func(t *testing.T, sub subject) {
		all := make(chan []byte, 1)
		var got []byte
		var held *Conn
		var r *rig
		ready := make(chan struct{})
		r = start(t, sub, Config{ReadBuffer: 512}, func(s *shard) {
			s.data = func(c *Conn, b []byte) error {
				<-ready
				if held != nil {
					t.Error("Data while paused")
				}
				got = append(got, b...)
				held = c
				c.PauseRead()
				r.Wake()
				return nil
			}
			s.woken = func() {
				if held != nil {
					c := held
					held = nil
					c.ResumeRead()
				}
			}
			s.closed = func(_ *Conn, err error) {
				if err != nil {
					t.Errorf("Closed: %v", err)
				}
				all <- got
			}
		})
		close(ready)
		nc := r.dial([]byte("early"), nil)
		sent := pattern(100_000)
		send(t, nc, sent)
		if err := nc.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if b := receive(t, all); string(b) != "early"+string(sent) {
			t.Errorf("got %d bytes, want %d", len(b), len(sent)+5)
		}
	})
}

func TestEarlyBytesFirst(t *testing.T) {
	conform(t, func(t *testing.T, sub subject) {
		calls := make(chan string, 16)
		r := start(t, sub, Config{}, func(s *shard) {
			s.data = func(c *Conn, b []byte) error { calls <- c.Data.(string) + ":" + string(b); return nil }
		})
		nc := r.dial([]byte("early"), "a")
		if got := receive(t, calls); got != "a:early" {
			t.Errorf("first = %q", got)
		}
		send(t, nc, []byte("late"))
		if got := receive(t, calls); got != "a:late" {
			t.Errorf("second = %q", got)
		}
		r.dial(nil, "silent") // introduced although it never says anything
		if got := receive(t, calls); got != "silent:" {
			t.Errorf("third = %q", got)
		}
	})
}

// One that never stops sending gets a buffer full per turn, and leaves the next
// turn to the others.
func TestFairness(t *testing.T) {
	conform(t, func(t *testing.T, sub subject) {
		var conns []*Conn
		introduced, done := make(chan struct{}, 2), make(chan struct{}, 1)
		r := start(t, sub, Config{ReadBuffer: 512}, func(s *shard) {
			s.data = func(c *Conn, b []byte) error {
				switch {
				case len(b) == 0:
					conns = append(conns, c)
					c.PauseRead()
					introduced <- struct{}{}
				case len(b) > 512:
					t.Errorf("a turn of %d bytes", len(b))
				case c.Data == "modest":
					done <- struct{}{}
				}
				return nil
			}
			s.woken = func() {
				for _, c := range conns {
					c.ResumeRead()
				}
			}
		})
		greedy := r.dial(nil, "greedy")
		receive(t, introduced)
		modest := r.dial(nil, "modest")
		receive(t, introduced)
		var wg sync.WaitGroup
		served := make(chan struct{})
		wg.Go(func() {
			for b := pattern(64 << 10); ; {
				select {
				case <-served:
					return
				default:
				}
				if _, err := greedy.Write(b); err != nil {
					t.Errorf("the greedy one's write: %v", err)
					return
				}
			}
		})
		send(t, modest, []byte("x"))
		r.Wake()
		receive(t, done)
		close(served)
		wg.Wait()
	})
}

func TestOneByteAtATime(t *testing.T) {
	conform(t, func(t *testing.T, sub subject) {
		r := start(t, sub, Config{}, (*shard).echo)
		nc := r.dial(nil, nil)
		want := pattern(2_000)
		var wg sync.WaitGroup
		wg.Go(func() {
			for i := range want {
				if _, err := nc.Write(want[i : i+1]); err != nil {
					t.Errorf("peer's write: %v", err)
					return
				}
			}
		})
		expect(t, nc, string(want))
		wg.Wait()
	})
}

func TestRemoteAddr(t *testing.T) {
	conform(t, func(t *testing.T, sub subject) {
		addrs := make(chan netip.AddrPort, 1)
		r := start(t, sub, Config{}, func(s *shard) {
			s.data = func(c *Conn, _ []byte) error { addrs <- c.RemoteAddr(); return nil }
		})
		nc := r.dial(nil, nil)
		if got := receive(t, addrs); got.String() != nc.LocalAddr().String() {
			t.Errorf("RemoteAddr = %v, want %v", got, nc.LocalAddr())
		}
	})
}

func TestTick(t *testing.T) {
	conform(t, func(t *testing.T, sub subject) {
		ticks := make(chan time.Time, 100)
		began := time.Now()
		start(t, sub, Config{TickEvery: 10 * time.Millisecond}, func(s *shard) {
			s.tick = func(now time.Time) { ticks <- now }
		})
		var last time.Time
		for range 5 {
			last = receive(t, ticks)
		}
		if d := last.Sub(began); d < 50*time.Millisecond {
			t.Errorf("5 ticks of 10 ms within %v", d)
		}
	})
}

// Each Wake is followed by a Woken that begins after it; many make few.
func TestWakeFromMany(t *testing.T) {
	conform(t, func(t *testing.T, sub subject) {
		var posted, seen atomic.Int64
		news := make(chan struct{}, 1)
		r := start(t, sub, Config{TickEvery: time.Hour}, func(s *shard) {
			s.woken = func() {
				seen.Store(posted.Load())
				select {
				case news <- struct{}{}:
				default:
				}
			}
		})
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 5_000 {
					posted.Add(1)
					r.Wake()
				}
			})
		}
		wg.Wait()
		for seen.Load() < 40_000 { // no tick helps: a lost wake-up hangs here
			receive(t, news)
		}
		for i := range 1_000 { // from sleep, one at a time
			posted.Add(1)
			r.Wake()
			for seen.Load() < 40_001+int64(i) {
				receive(t, news)
			}
		}
	})
}

func TestThousandConns(t *testing.T) {
	conform(t, func(t *testing.T, sub subject) {
		closed := make(chan error, 1000)
		r := start(t, sub, Config{}, func(s *shard) {
			s.echo()
			s.closed = func(_ *Conn, err error) { closed <- err }
		})
		conns := make([]net.Conn, 1000)
		var wg sync.WaitGroup
		for w := range 4 {
			wg.Go(func() {
				for i := w; i < len(conns); i += 4 {
					ours, theirs := sub.pair(t)
					conns[i] = theirs
					if err := r.Add(ours, nil, nil); err != nil {
						t.Errorf("Add: %v", err)
					}
				}
			})
		}
		wg.Wait()
		if n := r.Len(); n != len(conns) {
			t.Errorf("Len = %d", n)
		}
		for i, nc := range conns {
			send(t, nc, []byte{byte(i), byte(i >> 8)})
		}
		for i, nc := range conns {
			expect(t, nc, string([]byte{byte(i), byte(i >> 8)}))
		}
		for _, nc := range conns {
			_ = nc.Close()
		}
		for range conns {
			if err := receive(t, closed); err != nil {
				t.Errorf("Closed: %v", err)
			}
		}
		if n := r.Len(); n != 0 {
			t.Errorf("Len after all closed = %d", n)
		}
	})
}
