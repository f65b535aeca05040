package transport

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// piped runs a portable loop over net.Pipe in simulated time. A pipe has no
// buffer, no half-close and no addresses: all that TCP gives for free.
func piped(t *testing.T, cfg Config, set func(*shard), f func(t *testing.T, l Loop, dial func() net.Conn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &shard{t: t, seen: map[*Conn]bool{}}
		set(s)
		l := NewPortable(cfg)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- l.Run(ctx, s) }()
		f(t, l, func() net.Conn {
			ours, theirs := net.Pipe()
			if err := l.Add(ours, nil, nil); err != nil {
				t.Fatal(err)
			}
			return theirs
		})
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
		if n := l.Len(); n != 0 {
			t.Errorf("Len after Run = %d", n)
		}
	})
}

func TestPipeEcho(t *testing.T) {
	piped(t, Config{SendBuffer: 100}, (*shard).echo, func(t *testing.T, _ Loop, dial func() net.Conn) {
		nc := dial()
		want := pattern(100_000)
		go func() {
			if _, err := nc.Write(want); err != nil {
				t.Errorf("peer's write: %v", err)
			}
		}()
		expect(t, nc, string(want))
		_ = nc.Close()
	})
}

// Without room for more, Write is short at the bound exactly, and a peer that
// never reads holds nobody up.
func TestPipeShortWrite(t *testing.T) {
	took := make([]int, 0, 2)
	piped(t, Config{SendBuffer: 100}, func(s *shard) {
		write := func(c *Conn) {
			n, err := c.Write([][]byte{make([]byte, 60), make([]byte, 60)})
			if err != nil {
				t.Errorf("Write: %v", err)
			}
			took = append(took, n)
		}
		s.data = func(c *Conn, _ []byte) error { write(c); return nil }
		s.writable = write
	}, func(t *testing.T, _ Loop, dial func() net.Conn) {
		nc := dial()
		synctest.Wait()
		if len(took) != 1 || took[0] != 100 {
			t.Errorf("took %v, want 100", took)
		}
		expect(t, nc, string(make([]byte, 100)))
		synctest.Wait()
		if len(took) != 2 || took[1] != 100 {
			t.Errorf("took %v, want 100 twice", took)
		}
	})
}

// A pause stops the reader after one buffer.
func TestPipePause(t *testing.T) {
	var conn *Conn
	got := 0
	piped(t, Config{ReadBuffer: 10}, func(s *shard) {
		s.data = func(c *Conn, b []byte) error {
			if conn, got = c, got+len(b); len(b) > 0 {
				c.PauseRead()
			}
			return nil
		}
		s.woken = func() { conn.ResumeRead() }
	}, func(t *testing.T, l Loop, dial func() net.Conn) {
		nc := dial()
		if err := nc.SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if n, err := nc.Write(make([]byte, 100)); n != 10 || err == nil || got != 10 {
			t.Errorf("a paused conn took %d bytes, %v, and handed over %d; want one buffer, 10", n, err, got)
		}
		if err := nc.SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		l.Wake()
		if n, err := nc.Write(make([]byte, 100)); n != 10 || err == nil || got != 20 {
			t.Errorf("after resuming once it took %d bytes, %v, and handed over %d", n, err, got)
		}
	})
}

// Ticks and the linger's bound are in simulated time, and exact.
func TestPipeLinger(t *testing.T) {
	var ticks int
	var reason error
	var after time.Duration
	var began time.Time
	piped(t, Config{Linger: time.Minute, TickEvery: time.Second}, func(s *shard) {
		s.tick = func(time.Time) { ticks++ }
		s.data = func(c *Conn, _ []byte) error {
			began = time.Now()
			c.CloseAfterWrite([][]byte{[]byte("nobody reads this")}, errTest)
			return nil
		}
		s.closed = func(_ *Conn, err error) { reason, after = err, time.Since(began) }
	}, func(t *testing.T, _ Loop, dial func() net.Conn) {
		dial()
		time.Sleep(2 * time.Minute) // simulated
		synctest.Wait()
		if !errors.Is(reason, errTest) || after != time.Minute {
			t.Errorf("closed with %v after %v, want a minute", reason, after)
		}
		if ticks != 120 {
			t.Errorf("%d ticks in 2 minutes, want 120", ticks)
		}
	})
}

// A pipe can't be half-closed: it is closed once the last byte is written.
func TestPipeCloseAfterWrite(t *testing.T) {
	var reason error
	piped(t, Config{}, func(s *shard) {
		s.data = func(c *Conn, _ []byte) error {
			c.CloseAfterWrite([][]byte{[]byte("the"), []byte("end")}, errTest)
			return nil
		}
		s.closed = func(_ *Conn, err error) { reason = err }
	}, func(t *testing.T, _ Loop, dial func() net.Conn) {
		b, err := io.ReadAll(dial())
		if string(b) != "theend" || err != nil {
			t.Errorf("the peer read %q, %v", b, err)
		}
		synctest.Wait()
		if !errors.Is(reason, errTest) {
			t.Errorf("Closed: %v", reason)
		}
	})
}
