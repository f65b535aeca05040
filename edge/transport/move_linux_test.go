package transport

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"
)

// mover reads a byte 'm' as the order to move what comes after it to the loop
// that c.Data holds, and reports the error.
func mover(s *shard, moved chan<- error) {
	s.data = func(c *Conn, b []byte) error {
		if len(b) == 0 {
			return nil
		}
		err := c.Move(c.Data.(Loop), b[1:], "moved")
		if n, again := c.Write([][]byte{b}); n != 0 || !errors.Is(again, ErrClosed) {
			s.t.Errorf("Write after Move = %d, %v", n, again)
		}
		c.Close(errTest) // all of it does nothing any more
		c.PauseRead()
		c.ResumeRead()
		c.CloseAfterWrite([][]byte{b}, errTest)
		if a := c.RemoteAddr(); err == nil && a.IsValid() {
			s.t.Errorf("RemoteAddr after Move = %v", a)
		}
		if again := c.Move(c.Data.(Loop), nil, nil); !errors.Is(again, ErrClosed) {
			s.t.Errorf("second Move = %v", again)
		}
		if _, again := c.Detach(); !errors.Is(again, ErrClosed) {
			s.t.Errorf("Detach after Move = %v", again)
		}
		moved <- err
		return err
	}
}

// Within Data a conn goes to another loop: its early bytes come first, its
// pause ends, it leaves nothing behind, and the old loop's handler is told no
// more.
func TestMove(t *testing.T) {
	moved, closed := make(chan error, 1), make(chan error, 2)
	from := start(t, epollSubject(), Config{}, func(s *shard) {
		mover(s, moved)
		s.closed = func(_ *Conn, err error) { t.Errorf("Closed after Move: %v", err) }
	})
	to := start(t, epollSubject(), Config{}, func(s *shard) {
		s.data = func(c *Conn, b []byte) error {
			if c.Data != "moved" {
				t.Errorf("Data = %v", c.Data)
			}
			_, err := c.Write([][]byte{b})
			return err
		}
		s.closed = func(_ *Conn, err error) { closed <- err }
	})
	tcpPair(t) // Go's poller opens its own files with the first
	files := openFiles(t)
	nc := from.dial(nil, to.Loop)
	send(t, nc, []byte("mearly"))
	expect(t, nc, "early")
	if err := receive(t, moved); err != nil {
		t.Fatalf("Move: %v", err)
	}
	send(t, nc, []byte("more"))
	expect(t, nc, "more")
	if from.Len() != 0 || to.Len() != 1 {
		t.Errorf("Len = %d and %d, want 0 and 1", from.Len(), to.Len())
	}
	l := from.Loop.(*epoll)
	if watched, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", l.poll.fd)); err != nil || bytes.Contains(watched, []byte("tfd:")) {
		t.Errorf("the old loop still watches a socket: %s, %v", watched, err)
	}
	from.end(nil)
	if len(l.slots) != 0 {
		t.Errorf("%d slots are left", len(l.slots))
	}
	send(t, nc, []byte("still"))
	expect(t, nc, "still")
	_ = nc.Close()
	if err := receive(t, closed); err != nil {
		t.Errorf("Closed: %v", err)
	}
	to.end(nil)
	if n := openFiles(t); n > files {
		t.Errorf("%d files open, %d before", n, files)
	}
}

// A loop that can't take a conn, for whatever reason: it is closed, and its
// own loop's handler hears why.
func TestMoveFails(t *testing.T) {
	ended := start(t, epollSubject(), Config{}, nil)
	ended.end(nil)
	full := start(t, epollSubject(), Config{MaxConns: 1}, nil)
	full.dial(nil, nil)
	for name, test := range map[string]struct {
		to   Loop
		want error
	}{
		"ended":      {ended.Loop, ErrClosed},
		"full":       {full.Loop, ErrFull},
		"other kind": {NewPortable(Config{}), ErrCannotMove},
	} {
		t.Run(name, func(t *testing.T) {
			moved, closed := make(chan error, 1), make(chan error, 1)
			r := start(t, epollSubject(), Config{}, func(s *shard) {
				mover(s, moved)
				s.closed = func(_ *Conn, err error) { closed <- err }
			})
			before := test.to.Len()
			nc := r.dial(nil, test.to)
			send(t, nc, []byte("m"))
			if err := receive(t, moved); !errors.Is(err, test.want) {
				t.Errorf("Move = %v, want %v", err, test.want)
			}
			if err := receive(t, closed); !errors.Is(err, test.want) {
				t.Errorf("Closed: %v, want %v", err, test.want)
			}
			expectEnd(t, nc)
			if n := test.to.Len(); n != before {
				t.Errorf("the other loop's Len went from %d to %d", before, n)
			}
		})
	}
}

// A conn that was closed in the same call doesn't move.
func TestMoveAfterClose(t *testing.T) {
	to := start(t, epollSubject(), Config{}, nil)
	for name, end := range map[string]func(*Conn){
		"Close":           func(c *Conn) { c.Close(errTest) },
		"CloseAfterWrite": func(c *Conn) { c.CloseAfterWrite(nil, errTest) },
	} {
		t.Run(name, func(t *testing.T) {
			r, closed := closes(t, epollSubject(), Config{}, func(s *shard) {
				s.data = func(c *Conn, _ []byte) error {
					end(c)
					if err := c.Move(to.Loop, nil, nil); !errors.Is(err, ErrClosed) {
						t.Errorf("Move = %v", err)
					}
					if _, err := c.Detach(); !errors.Is(err, ErrClosed) {
						t.Errorf("Detach = %v", err)
					}
					return nil
				}
			})
			nc := r.dial(nil, nil)
			expectEnd(t, nc)
			_ = nc.Close()
			if err := receive(t, closed); !errors.Is(err, errTest) {
				t.Errorf("Closed: %v", err)
			}
		})
	}
}

// Conns run around between three loops, one of which ends meanwhile: each is
// closed exactly once, by somebody, and the bytes of those that stay are all
// there, in order.
func TestMoveAround(t *testing.T) {
	t.Run("plain", func(t *testing.T) { moveAround(t, epollSubject()) })
	t.Run("TLS", func(t *testing.T) { moveAround(t, secureSubject(epollSubject())) })
}

func moveAround(t *testing.T, sub subject) {
	const conns, hops = 60, 100
	var loops [3]*rig
	var closed atomic.Int64
	ready := make(chan struct{})
	for i := range loops {
		loops[i] = start(t, sub, Config{}, func(s *shard) {
			s.data = func(c *Conn, b []byte) error {
				<-ready
				n, err := c.Write([][]byte{b})
				if n < len(b) || err != nil || len(b) == 0 {
					return err
				}
				_ = c.Move(loops[(i+1)%len(loops)].Loop, nil, nil)
				return nil
			}
			s.closed = func(*Conn, error) { closed.Add(1) }
		})
	}
	close(ready)
	peers := make([]net.Conn, conns)
	for i := range peers {
		peers[i] = loops[i%len(loops)].dial(nil, nil)
	}
	for i := range hops {
		for _, nc := range peers {
			send(t, nc, []byte{byte(i)})
		}
		for _, nc := range peers {
			expect(t, nc, string([]byte{byte(i)}))
		}
	}
	for _, nc := range peers {
		send(t, nc, []byte("x"))
	}
	loops[1].stop(nil)
	receive(t, loops[1].done)
	for _, nc := range peers {
		_ = nc.Close()
	}
	loops[0].end(nil)
	loops[2].end(nil)
	loops[1].end(nil) // a Move that it refuses counts for a moment
	if n := closed.Load(); n != conns {
		t.Errorf("%d of %d conns were closed", n, conns)
	}
}

// What was Writable's to say, and a pause, end with the old loop.
func TestMoveWhileStuck(t *testing.T) {
	var to *rig
	var took int
	rest := make(chan int, 1)
	to = start(t, epollSubject(), Config{}, func(s *shard) {
		s.writable = func(*Conn) { t.Error("Writable for a Write of the old loop") }
		s.data = func(c *Conn, b []byte) error {
			if string(b) == "go" {
				rest <- took
				c.CloseAfterWrite(nil, nil)
			}
			return nil
		}
	})
	from := start(t, epollSubject(), Config{SendBuffer: 64 << 10}, func(s *shard) {
		s.writable = func(*Conn) { t.Error("Writable after Move") }
		s.data = func(c *Conn, _ []byte) error {
			var err error
			if took, err = c.Write([][]byte{pattern(16 << 20)}); err != nil {
				return err
			}
			c.PauseRead()
			return c.Move(to.Loop, nil, nil)
		}
	})
	nc := from.dial(nil, nil)
	send(t, nc, []byte("go"))
	want := receive(t, rest)
	if b, err := io.ReadAll(nc); err != nil || len(b) != want {
		t.Errorf("the peer read %d bytes, %v; want %d", len(b), err, want)
	}
}

// A detached conn is one of Go's: it reads, waits for deadlines, and closes.
func TestDetach(t *testing.T) {
	detached := make(chan net.Conn, 1)
	r := start(t, epollSubject(), Config{}, func(s *shard) {
		s.data = func(c *Conn, b []byte) error {
			if len(b) == 0 {
				return nil
			}
			nc, err := c.Detach()
			if err != nil {
				t.Errorf("Detach: %v", err)
			}
			c.Close(errTest)
			detached <- nc
			return errTest
		}
		s.closed = func(_ *Conn, err error) { t.Errorf("Closed after Detach: %v", err) }
	})
	tcpPair(t) // Go's poller opens its own files with the first
	files := openFiles(t)
	peer := r.dial(nil, nil)
	send(t, peer, []byte("x"))
	nc := receive(t, detached)
	if n := r.Len(); n != 0 {
		t.Errorf("Len = %d", n)
	}
	if n := openFiles(t) - files; n != 2 {
		t.Errorf("a pair is %d files, want 2", n)
	}
	r.end(nil)
	if nc.RemoteAddr().String() != peer.LocalAddr().String() {
		t.Errorf("RemoteAddr = %v", nc.RemoteAddr())
	}
	if err := nc.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	var timeout net.Error
	if _, err := nc.Read(make([]byte, 1)); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("Read = %v, want a timeout", err)
	}
	if err := nc.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	send(t, nc, []byte("hello"))
	expect(t, peer, "hello")
	send(t, peer, []byte("you"))
	expect(t, nc, "you")
	if err := nc.Close(); err != nil {
		t.Error(err)
	}
	expectEnd(t, peer)
}

// The portable loop can't, and says so.
func TestPortableStays(t *testing.T) {
	for name, way := range map[string]func(*Conn) error{
		"Move":   func(c *Conn) error { return c.Move(NewPortable(Config{}), nil, nil) },
		"Detach": func(c *Conn) error { _, err := c.Detach(); return err },
	} {
		t.Run(name, func(t *testing.T) {
			r, closed := closes(t, portableSubject(), Config{}, func(s *shard) {
				s.data = func(c *Conn, _ []byte) error {
					err := way(c)
					if again := way(c); !errors.Is(again, ErrClosed) {
						t.Errorf("the second time: %v", again)
					}
					return err
				}
			})
			nc := r.dial(nil, nil)
			if err := receive(t, closed); !errors.Is(err, ErrCannotMove) {
				t.Errorf("Closed: %v", err)
			}
			expectEnd(t, nc)
		})
	}
}
