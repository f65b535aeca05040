package transport

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// closes starts a loop that reports how conns close.
func closes(t *testing.T, sub subject, cfg Config, set func(*shard)) (*rig, chan error) {
	t.Helper()
	closed := make(chan error, 16)
	r := start(t, sub, cfg, func(s *shard) {
		s.echo()
		if set != nil {
			set(s)
		}
		s.closed = func(c *Conn, err error) {
			if n, err := c.Write([][]byte{[]byte("x")}); n != 0 || !errors.Is(err, ErrClosed) {
				t.Errorf("Write in Closed = %d, %v", n, err)
			}
			c.Close(errTest) // all of it does nothing any more
			c.PauseRead()
			c.ResumeRead()
			c.CloseAfterWrite(nil, errTest)
			if a := c.RemoteAddr(); a.IsValid() {
				t.Errorf("RemoteAddr in Closed = %v", a)
			}
			closed <- err
		}
	})
	return r, closed
}

func TestPeerCloses(t *testing.T) {
	conform(t, func(t *testing.T, sub subject) {
		r, closed := closes(t, sub, Config{}, nil)
		nc := r.dial(nil, nil)
		send(t, nc, []byte("hi"))
		expect(t, nc, "hi")
		_ = nc.Close()
		if err := receive(t, closed); err != nil {
			t.Errorf("Closed: %v, want nil", err)
		}
	})
}

// A peer that half-closes has said all it will say: its bytes are delivered,
// then the conn closes.
func TestPeerHalfCloses(t *testing.T) {
	conform(t, func(t *testing.T, sub subject) {
		r, closed := closes(t, sub, Config{}, nil)
		nc := r.dial(nil, nil)
		want := pattern(200_000)
		send(t, nc, want[:100_000])
		expect(t, nc, string(want[:100_000]))
		send(t, nc, []byte("last"))
		expect(t, nc, "last")
		if err := nc.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		expectEnd(t, nc)
		if err := receive(t, closed); err != nil {
			t.Errorf("Closed: %v, want nil", err)
		}
	})
}

// While paused an orderly close goes unnoticed: who resumes gets it, and what
// was sent before it.
func TestPeerClosesWhilePaused(t *testing.T) {
	conform(t, func(t *testing.T, sub subject) {
		var conn *Conn
		got := make(chan string, 4)
		r, closed := closes(t, sub, Config{TickEvery: time.Millisecond}, func(s *shard) {
			resume, ticks := false, 0
			s.data = func(c *Conn, b []byte) error {
				if conn = c; len(b) > 0 {
					c.PauseRead()
					got <- string(b)
				}
				return nil
			}
			s.woken = func() { resume = true }
			s.tick = func(time.Time) {
				if resume {
					ticks++
				}
				if ticks == 20 {
					conn.ResumeRead()
					got <- "resumed"
				}
			}
		})
		nc := r.dial(nil, nil)
		send(t, nc, []byte("a"))
		if b := receive(t, got); b != "a" {
			t.Errorf("got %q", b)
		}
		_ = nc.Close()
		r.Wake()
		select {
		case err := <-closed:
			t.Fatalf("Closed (%v) while paused", err)
		case b := <-got:
			if b != "resumed" {
				t.Errorf("got %q", b)
			}
		}
		if err := receive(t, closed); err != nil {
			t.Errorf("Closed: %v", err)
		}
	})
}

func reset(t *testing.T, nc net.Conn) {
	t.Helper()
	if secured, ok := nc.(tlsPeer); ok {
		nc = secured.tcp
	}
	if err := nc.(*net.TCPConn).SetLinger(0); err != nil {
		t.Fatal(err)
	}
	if err := nc.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestPeerResets(t *testing.T) {
	conform(t, func(t *testing.T, sub subject) {
		for name, set := range map[string]func(*shard){
			"reading": nil,
			"paused":  func(s *shard) { s.data = func(c *Conn, _ []byte) error { c.PauseRead(); return nil } },
		} {
			t.Run(name, func(t *testing.T) {
				introduced := make(chan struct{}, 1)
				r, closed := closes(t, sub, Config{}, func(s *shard) {
					if set != nil {
						set(s)
					}
					inner := s.data
					s.data = func(c *Conn, b []byte) error {
						defer func() { introduced <- struct{}{} }()
						return inner(c, b)
					}
				})
				nc := r.dial(nil, nil)
				receive(t, introduced)
				reset(t, nc)
				if err := receive(t, closed); err == nil {
					t.Error("Closed: nil, want the reset")
				}
			})
		}
	})
}

// The handler's own ways to close: the reason comes back, the peer sees it.
func TestHandlerCloses(t *testing.T) {
	ways := map[string]func(c *Conn) error{
		"Close":           func(c *Conn) error { c.Close(errTest); c.Close(io.EOF); return nil },
		"Close in order":  func(c *Conn) error { c.CloseAfterWrite(nil, errTest); c.Close(io.EOF); return nil },
		"error":           func(*Conn) error { return errTest },
		"error and Close": func(c *Conn) error { c.Close(errTest); return io.EOF },
	}
	conform(t, func(t *testing.T, sub subject) {
		for name, way := range ways {
			t.Run(name, func(t *testing.T) {
				r, closed := closes(t, sub, Config{}, func(s *shard) {
					s.data = func(c *Conn, b []byte) error {
						if len(b) == 0 {
							return nil
						}
						return way(c)
					}
				})
				nc := r.dial(nil, nil)
				send(t, nc, []byte("x"))
				if err := receive(t, closed); !errors.Is(err, errTest) {
					t.Errorf("Closed: %v, want the handler's reason", err)
				}
				expectEnd(t, nc)
			})
		}
	})
}

// One handler call closes other conns, also some that are ready in the same
// turn: they get nothing more.
func TestCloseOthers(t *testing.T) {
	conform(t, func(t *testing.T, sub subject) {
		all := map[*Conn]bool{}
		introduced := make(chan struct{}, 64)
		r, closed := closes(t, sub, Config{}, func(s *shard) {
			s.data = func(c *Conn, b []byte) error {
				if len(b) == 0 {
					all[c] = true
					introduced <- struct{}{}
					return nil
				}
				for other := range all {
					other.Close(errTest)
				}
				return nil
			}
		})
		peers := make([]net.Conn, 16)
		for i := range peers {
			peers[i] = r.dial(nil, nil)
			receive(t, introduced)
		}
		for _, nc := range peers {
			_, _ = nc.Write([]byte("x")) // some are closed by then
		}
		for range peers {
			if err := receive(t, closed); !errors.Is(err, errTest) {
				t.Errorf("Closed: %v", err)
			}
		}
	})
}

// The last bytes reach a peer that is still sending and reads late: closing at
// once would reset the connection under them.
func TestCloseAfterWriteReachesPeer(t *testing.T) {
	conform(t, func(t *testing.T, sub subject) {
		want := pattern(4 << 20)
		r, closed := closes(t, sub, Config{SendBuffer: 64 << 10}, func(s *shard) {
			s.writable = func(*Conn) { t.Error("Writable after CloseAfterWrite") }
			s.data = func(c *Conn, b []byte) error {
				if len(b) == 0 {
					return nil
				}
				n, err := c.Write([][]byte{want})
				rest := append([]byte(nil), want[n:]...)
				c.CloseAfterWrite([][]byte{rest, []byte("end")}, errTest)
				clear(rest) // nothing may be kept
				return err
			}
		})
		nc := r.dial(nil, nil)
		send(t, nc, pattern(4<<10))
		first := make([]byte, 1000)
		if _, err := io.ReadFull(nc, first); err != nil {
			t.Fatal(err)
		}
		send(t, nc, pattern(100<<10)) // must be swallowed
		b, err := io.ReadAll(nc)
		if got := string(first) + string(b); err != nil || got != string(want)+"end" {
			t.Fatalf("the peer got %d bytes, %v; want %d", len(got), err, len(want)+3)
		}
		select {
		case err := <-closed:
			t.Fatalf("Closed (%v) before the peer closed", err)
		default:
		}
		_ = nc.Close()
		if err := receive(t, closed); !errors.Is(err, errTest) {
			t.Errorf("Closed: %v, want the reason given", err)
		}
	})
}

// A peer that neither reads nor closes is given up.
func TestLingerEnds(t *testing.T) {
	conform(t, func(t *testing.T, sub subject) {
		const bound = 50 * time.Millisecond
		for name, last := range map[string][]byte{"all written": []byte("end"), "stuck": pattern(8 << 20)} {
			t.Run(name, func(t *testing.T) {
				var began time.Time
				r, closed := closes(t, sub, Config{Linger: bound, TickEvery: 5 * time.Millisecond, SendBuffer: 64 << 10}, func(s *shard) {
					s.data = func(c *Conn, _ []byte) error {
						began = time.Now()
						c.CloseAfterWrite([][]byte{last}, errTest)
						return nil
					}
				})
				r.dial(nil, nil)
				if err := receive(t, closed); !errors.Is(err, errTest) {
					t.Errorf("Closed: %v, want the reason given", err)
				}
				if d := time.Since(began); d < bound {
					t.Errorf("given up after %v", d)
				}
			})
		}
	})
}

// The end of the context closes everyone, whatever they are at.
func TestContextEnds(t *testing.T) {
	conform(t, func(t *testing.T, sub subject) {
		introduced := make(chan struct{}, 4)
		r, closed := closes(t, sub, Config{}, func(s *shard) {
			s.data = func(c *Conn, _ []byte) error {
				switch c.Data {
				case "paused":
					c.PauseRead()
				case "full":
					_, _ = c.Write([][]byte{pattern(8 << 20)})
				case "lingering":
					c.CloseAfterWrite(nil, io.EOF)
				}
				introduced <- struct{}{}
				return nil
			}
		})
		peers := map[string]net.Conn{}
		for _, kind := range []string{"idle", "paused", "full", "lingering"} {
			peers[kind] = r.dial(nil, kind)
			receive(t, introduced)
		}
		r.end(errTest)
		got := map[string]int{}
		for range peers {
			got[receive(t, closed).Error()]++
		}
		if got[errTest.Error()] != 3 || got[io.EOF.Error()] != 1 {
			t.Errorf("reasons: %v; want the cause of the context for 3, its own for the lingering one", got)
		}
		expectEnd(t, peers["idle"])
		expectEnd(t, peers["paused"])
		expectEnd(t, peers["lingering"])
	})
}
