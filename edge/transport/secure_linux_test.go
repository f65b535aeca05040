package transport

import (
	"bytes"
	"errors"
	"io"
	"net"
	"runtime"
	"testing"
)

// secureOf is an epoll conn with TLS, inside its loop.
func secureOf(c *Conn) *secure { return c.drv.(*secure) }

// A message that nobody would send is not waited for. (Not for the portable
// loop: crypto/tls answers this one without its lock, so its reader's alert
// races with its writer, and the race detector says so.)
func TestSecureHugeMessage(t *testing.T) {
	r, closed := closes(t, epollSubject(), Config{}, nil)
	ours, theirs := tcpPair(t)
	s, _, f := forge(t, ours, theirs)
	if err := r.Add(s, nil, nil); err != nil {
		t.Fatal(err)
	}
	send(t, theirs, f.record(typeHandshake, []byte{24, 0xFF, 0xFF, 0xFF, 0}))
	if err := receive(t, closed); err == nil {
		t.Error("Closed: nil, want an error")
	}
}

// Against a peer that doesn't read, Write takes what the kernel takes and one
// record more; what it took arrives, and nothing is kept then.
func TestSecureBacklog(t *testing.T) {
	type stuck struct{ taken, kept int }
	full, empty := make(chan stuck, 1), make(chan int, 1)
	head, body := pattern(20_000), pattern(32<<20)
	r := start(t, secureSubject(epollSubject()), Config{SendBuffer: 64 << 10}, func(s *shard) {
		s.data = func(c *Conn, b []byte) error {
			if len(b) == 0 {
				n, err := c.Write([][]byte{head, body})
				full <- stuck{n, len(secureOf(c).t.pipe.out)}
				return err
			}
			return nil
		}
		s.writable = func(c *Conn) { empty <- cap(secureOf(c).t.pipe.out) }
	})
	nc := r.dial(nil, nil)
	at := receive(t, full)
	if at.taken >= 32<<20 || at.taken%maxRecord != 0 {
		t.Errorf("Write took %d bytes, want whole records and not all", at.taken)
	}
	if at.kept == 0 || at.kept > maxRecord+300 {
		t.Errorf("%d bytes of ciphertext are kept, want a record at most", at.kept)
	}
	got := make([]byte, at.taken)
	if _, err := io.ReadFull(nc, got); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got[:len(head)], head) || !bytes.Equal(got[len(head):], body[:at.taken-len(head)]) {
		t.Error("what arrived is not what was taken")
	}
	if n := receive(t, empty); n != 0 {
		t.Errorf("%d bytes are kept for nothing", n)
	}
}

// A Write that was taken in full goes out by itself, the bytes for which there
// was no room included, and no Writable follows.
func TestSecureBacklogUnasked(t *testing.T) {
	const total = 32 << 20
	introduced, done := make(chan *Conn, 1), make(chan int, 1)
	var conn *Conn
	r := start(t, secureSubject(epollSubject()), Config{SendBuffer: 64 << 10}, func(s *shard) {
		s.data = func(c *Conn, _ []byte) error { introduced <- c; return nil }
		s.woken = func() {
			sent := 0
			for len(secureOf(conn).t.pipe.out) == 0 {
				n, err := conn.Write([][]byte{pattern(100)})
				if n < 100 || err != nil {
					t.Errorf("Write = %d, %v", n, err)
				}
				sent += n
			}
			done <- sent
		}
		s.writable = func(*Conn) { t.Error("Writable although no Write was short") }
	})
	nc := r.dial(nil, nil)
	conn = receive(t, introduced)
	r.Wake()
	want := receive(t, done)
	if _, err := io.CopyN(io.Discard, nc, int64(want)); err != nil || want > total {
		t.Errorf("of %d bytes: %v", want, err)
	}
}

// From CloseAfterWrite on a conn is a plain one, with ciphertext to write.
func TestSecureFinish(t *testing.T) {
	seen := make(chan state, 1)
	r := start(t, secureSubject(epollSubject()), Config{SendBuffer: 64 << 10}, func(s *shard) {
		s.data = func(c *Conn, _ []byte) error {
			_, err := c.Write([][]byte{pattern(1 << 20)})
			c.CloseAfterWrite([][]byte{pattern(1 << 20)}, errTest)
			seen <- c.state
			return err
		}
	})
	nc := r.dial(nil, nil)
	if got := receive(t, seen) &^ (armedIn | armedOut); got != finishing|wantWrite {
		t.Errorf("state %b, want %b", got, finishing|wantWrite)
	}
	if _, err := io.Copy(io.Discard, nc); err != nil {
		t.Error(err)
	}
}

// Who makes crypto/tls answer and doesn't read the answers is closed before
// they pile up.
func TestSecureAnswersUnread(t *testing.T) {
	r, closed := closes(t, epollSubject(), Config{SendBuffer: 64 << 10}, func(s *shard) {
		s.data = func(*Conn, []byte) error { return nil }
	})
	ours, theirs := tcpPair(t)
	s, _, f := forge(t, ours, theirs)
	if err := r.Add(s, nil, nil); err != nil {
		t.Fatal(err)
	}
	for range 100_000 { // far more than the kernel's buffers hold answers to
		if _, err := theirs.Write(append(f.keyUpdate(), f.record(typeApplication, []byte("x"))...)); err != nil {
			break // closed
		}
	}
	if err := receive(t, closed); !errors.Is(err, errBacklog) {
		t.Errorf("Closed: %v, want %v", err, errBacklog)
	}
}

// Records that hold more than a turn's budget are served over several turns
// although the kernel has nothing to report, a pause keeps the rest, and all of
// it comes.
func TestSecureRestWithoutEvent(t *testing.T) {
	want := pattern(3 * maxRecord)
	var got []byte
	var turns int
	all := make(chan []byte, 1)
	var r *rig
	var conn *Conn
	r = start(t, epollSubject(), Config{ReadBuffer: 5000}, func(s *shard) {
		s.data = func(c *Conn, b []byte) error {
			if conn = c; len(b) > 5000 {
				t.Errorf("Data with %d bytes", len(b))
			}
			got = append(got, b...)
			if turns++; turns%2 == 0 {
				c.PauseRead()
				r.Wake()
			}
			if len(got) == len(want) {
				all <- got
			}
			return nil
		}
		s.woken = func() { conn.ResumeRead() }
	})
	ours, theirs := tcpPair(t)
	s, c, f := forge(t, ours, theirs)
	// All of it is in crypto/tls's and the pipe's buffers before the loop is
	// asked: no event can help.
	var b []byte
	for chunk := range 3 {
		b = append(b, f.record(typeApplication, want[chunk*maxRecord:][:maxRecord])...)
	}
	s.pipe.in, s.pipe.mine = b, true
	if err := r.Add(s, nil, nil); err != nil {
		t.Fatal(err)
	}
	if got := receive(t, all); !bytes.Equal(got, want) {
		t.Error("what was handed over is not what was sent")
	}
	_ = c.Close()
}

// Small records that came with one read and wait for the end of a pause are the
// conn's own: other reads take their place in the loop's buffer.
func TestSecurePauseKeepsRecords(t *testing.T) {
	const records = 200
	var got []byte
	all := make(chan []byte, 1)
	var r *rig
	var conn *Conn
	r = start(t, epollSubject(), Config{}, func(s *shard) {
		s.data = func(c *Conn, b []byte) error {
			if c.state&paused != 0 {
				t.Error("Data while paused")
			}
			if len(b) > 0 {
				conn = c
				c.PauseRead()
				r.Wake()
			}
			if got = append(got, b...); len(got) == 2*records {
				all <- got
			}
			return nil
		}
		s.woken = func() {
			clear(r.Loop.(*epoll).buf) // as if another conn had been read
			conn.ResumeRead()
		}
	})
	ours, theirs := tcpPair(t)
	s, _, f := forge(t, ours, theirs)
	if err := r.Add(s, nil, nil); err != nil {
		t.Fatal(err)
	}
	var b, want []byte
	for i := range records {
		want = append(want, byte(i), byte(i>>8))
		b = append(b, f.record(typeApplication, want[2*i:])...)
	}
	send(t, theirs, b)
	if got := receive(t, all); !bytes.Equal(got, want) {
		t.Error("what was handed over is not what was sent")
	}
}

// A conn moves and leaves with all that it holds: bytes read and not yet handed
// over, in each of the places where they can be, and bytes not yet sent.
func TestSecureMove(t *testing.T) {
	const taken = 16 << 20
	want := pattern(3 * maxRecord)
	for name, leave := range map[string]func(c *Conn, to Loop) (net.Conn, error){
		"Move":   func(c *Conn, to Loop) (net.Conn, error) { return nil, c.Move(to, nil, "moved") },
		"Detach": func(c *Conn, _ Loop) (net.Conn, error) { return c.Detach() },
	} {
		t.Run(name, func(t *testing.T) {
			var first []byte
			var wrote int
			left, all := make(chan net.Conn, 1), make(chan []byte, 1)
			var rest []byte
			to := start(t, epollSubject(), Config{}, func(s *shard) {
				s.data = func(_ *Conn, b []byte) error {
					if rest = append(rest, b...); len(rest)+1000 == len(want) {
						all <- rest
					}
					return nil
				}
			})
			from := start(t, epollSubject(), Config{ReadBuffer: 1000, SendBuffer: 64 << 10}, func(s *shard) {
				s.data = func(c *Conn, b []byte) error {
					if len(b) == 0 {
						return nil
					}
					first = bytes.Clone(b)
					pipe := &secureOf(c).t.pipe
					read := pipe.in
					pipe.mine = false // as if they had come with the last read
					defer clear(read)
					var err error
					if wrote, err = c.Write([][]byte{pattern(taken)}); err != nil {
						return err
					}
					nc, err := leave(c, to.Loop)
					if err != nil {
						t.Error(err)
					}
					left <- nc
					return nil
				}
				s.closed = func(_ *Conn, err error) { t.Errorf("Closed: %v", err) }
			})
			ours, theirs := tcpPair(t)
			s, c, f := forge(t, ours, theirs)
			for chunk := range 3 {
				s.pipe.in = append(s.pipe.in, f.record(typeApplication, want[chunk*maxRecord:][:maxRecord])...)
			}
			s.pipe.mine = true
			if err := from.Add(s, nil, nil); err != nil {
				t.Fatal(err)
			}
			nc := receive(t, left)
			if nc != nil {
				got := make([]byte, len(want)-1000)
				if _, err := io.ReadFull(nc, got); err != nil {
					t.Fatal(err)
				}
				all <- got
				go func() { _, _ = nc.Write([]byte("end")) }() // pushes out what was left
			}
			if got := append(first, receive(t, all)...); !bytes.Equal(got, want) {
				t.Errorf("%d bytes came in, not the ones that were sent", len(got))
			}
			got := make([]byte, wrote)
			if _, err := io.ReadFull(c, got); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, pattern(taken)[:wrote]) {
				t.Error("what was taken did not arrive as it was")
			}
			if nc != nil {
				expect(t, c, "end")
				_ = nc.Close()
			}
		})
	}
}

// An idle conn keeps no buffer of its own: not of the handshake, not of what it
// said last.
func TestSecureMemory(t *testing.T) {
	if rawInput == 0 || hand == 0 {
		t.Fatal("this Go's crypto/tls keeps its buffers elsewhere: see tlsmemory.go")
	}
	const conns, most = 200, 6 << 10 // some 1,300 of it are the test's own
	var all []*Conn
	measured := make(chan struct{})
	r := start(t, secureSubject(epollSubject()), Config{}, func(s *shard) {
		s.echo()
		echo := s.data
		s.data = func(c *Conn, b []byte) error {
			if len(b) == 0 {
				all = append(all, c)
			}
			return echo(c, b)
		}
		s.woken = func() {
			for _, c := range all {
				s := secureOf(c)
				for _, at := range []uintptr{rawInput, hand} {
					if n := s.t.buffer(at).Cap(); n > 0 {
						t.Errorf("crypto/tls keeps a buffer of %d bytes", n)
					}
				}
				if s.t.pipe.in != nil || s.t.pipe.out != nil || s.t.plain != nil {
					t.Error("a buffer is kept")
				}
			}
			close(measured)
		}
	})
	before := heap()
	peers := make([]net.Conn, conns)
	for i := range peers {
		nc := r.dial(nil, nil)
		send(t, nc, pattern(1000))
		expect(t, nc, string(pattern(1000)))
		peers[i] = nc.(tlsPeer).tcp // the rest is the test's own
	}
	r.Wake()
	receive(t, measured)
	if n := (heap() - before) / conns; n > most {
		t.Errorf("%d bytes per conn, want %d at most", n, most)
	}
	runtime.KeepAlive(peers)
}
