package transport

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
)

// conformTLS runs f against every loop with TLS on top.
func conformTLS(t *testing.T, f func(t *testing.T, sub subject)) {
	t.Helper()
	for _, sub := range subjects() {
		if sub.wrap != nil {
			t.Run(sub.name, func(t *testing.T) { f(t, sub) })
		}
	}
}

// dripping writes one byte at a time.
type dripping struct{ net.Conn }

func (d dripping) Write(b []byte) (int, error) {
	for i := range b {
		if n, err := d.Conn.Write(b[i : i+1]); n == 0 {
			return i, err
		}
	}
	return len(b), nil
}

// corked collects what is written, from the second Write on, until it is
// uncorked.
type corked struct {
	net.Conn
	writes int
	held   []byte
}

func (c *corked) Write(b []byte) (int, error) {
	if c.writes++; c.writes == 1 {
		return c.Conn.Write(b)
	}
	c.held = append(c.held, b...)
	return len(b), nil
}

// Every version and kind of cipher that is agreed on, also by a peer whose
// ciphertext comes a byte at a time.
func TestTLSVersions(t *testing.T) {
	clients := map[string]*tls.Config{
		"1.3":          {MinVersion: tls.VersionTLS13},
		"1.2":          {MaxVersion: tls.VersionTLS12},
		"1.2 CBC":      {MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}},
		"1.2 ChaCha20": {MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256}},
	}
	conformTLS(t, func(t *testing.T, sub subject) {
		for name, client := range clients {
			t.Run(name, func(t *testing.T) {
				client := client.Clone()
				client.InsecureSkipVerify = true
				sub.wrap = func(t testing.TB, ours net.Conn, theirs *net.TCPConn) (net.Conn, peer) {
					return handshake(t, ours, theirs, dripping{theirs}, serverConfig(), client)
				}
				r, closed := closes(t, sub, Config{}, nil)
				nc := r.dial(nil, nil)
				for size := 1; size <= 1000; size *= 10 {
					send(t, nc, pattern(size))
					expect(t, nc, string(pattern(size)))
				}
				_ = nc.Close()
				if err := receive(t, closed); err != nil {
					t.Errorf("Closed: %v", err)
				}
			})
		}
	})
}

// What the peer said right behind its handshake is handed over although the
// socket has nothing more to read, and what was read of it before Add is not.
func TestTLSBytesBehindHandshake(t *testing.T) {
	conformTLS(t, func(t *testing.T, sub subject) {
		got := make(chan string, 8)
		r := start(t, sub, Config{}, func(s *shard) {
			s.data = func(_ *Conn, b []byte) error { got <- string(b); return nil }
		})
		ours, theirs := tcpPair(t)
		s := NewTLS(ours, serverConfig())
		cork := &corked{Conn: theirs}
		c := tls.Client(cork, clientConfig())
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := s.HandshakeContext(t.Context()); err != nil {
				t.Errorf("handshake: %v", err)
			}
		})
		if err := c.HandshakeContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		send(t, c, []byte("head, first"))
		send(t, c, []byte("second"))
		send(t, theirs, cork.held) // with the end of the handshake
		wg.Wait()
		expect(t, s, "head")
		if err := r.Add(s, []byte("early"), nil); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"early", ", first", "second"} {
			if b := receive(t, got); b != want {
				t.Errorf("got %q, want %q", b, want)
			}
		}
	})
}

// Without its handshake a TLSConn is refused by the loop that can't do it.
func TestTLSNeedsHandshake(t *testing.T) {
	r := start(t, epollSubject(), Config{}, nil)
	ours, theirs := tcpPair(t)
	if err := r.Add(NewTLS(ours, serverConfig()), nil, nil); !errors.Is(err, errNoHandshake) {
		t.Errorf("Add = %v", err)
	}
	expectEnd(t, theirs)
	if n := r.Len(); n != 0 {
		t.Errorf("Len = %d", n)
	}
	pipe, _ := net.Pipe()
	if err := r.Add(NewTLS(pipe, serverConfig()), nil, nil); err == nil {
		t.Error("Add of TLS over a pipe succeeded")
	}
}

// Whatever a peer sends in place of ciphertext ends its conn with an error,
// which the peer is told, and nobody else's.
func TestTLSGarbage(t *testing.T) {
	for name, garbage := range map[string]func(f *forger) []byte{
		"noise":            func(*forger) []byte { return pattern(300) },
		"plain text":       func(*forger) []byte { return []byte("GET / HTTP/1.1\r\n\r\n") },
		"wrong key":        func(f *forger) []byte { f.use(make([]byte, 32)); return f.record(typeApplication, []byte("x")) },
		"wrong order":      func(f *forger) []byte { f.seq++; return f.record(typeApplication, []byte("x")) },
		"wrong version":    func(f *forger) []byte { b := f.record(typeApplication, []byte("x")); b[2] = 9; return b },
		"too long":         func(*forger) []byte { return append([]byte{typeApplication, 3, 3, 0xFF, 0xFF}, pattern(1000)...) },
		"a bit flipped":    func(f *forger) []byte { b := f.record(typeApplication, []byte("x")); b[7] ^= 1; return b },
		"no such type":     func(f *forger) []byte { return f.record(99, []byte("x")) },
		"a hello":          func(f *forger) []byte { return f.record(typeHandshake, []byte{1, 0, 0, 0}) },
		"alert of 1 byte":  func(f *forger) []byte { return f.record(typeAlert, []byte{2}) },
		"nothing for ever": func(f *forger) []byte { return f.empty(40) },
	} {
		t.Run(name, func(t *testing.T) {
			conformTLS(t, func(t *testing.T, sub subject) {
				r, closed := closes(t, sub, Config{}, nil)
				good := r.dial(nil, nil)
				ours, theirs := tcpPair(t)
				s, c, f := forge(t, ours, theirs)
				if err := r.Add(s, nil, nil); err != nil {
					t.Fatal(err)
				}
				send(t, theirs, f.record(typeApplication, []byte("hi")))
				expect(t, c, "hi")
				send(t, theirs, garbage(f))
				if err := receive(t, closed); err == nil {
					t.Error("Closed: nil, want an error")
				}
				send(t, good, []byte("hi"))
				expect(t, good, "hi")
			})
		})
	}
}

// empty is n records without content, which are allowed, but not for ever.
func (f *forger) empty(n int) (b []byte) {
	for range n {
		b = append(b, f.record(typeApplication, nil)...)
	}
	return b
}

// Alerts: a goodbye is an orderly end, what is behind it counts no more; others
// are errors.
func TestTLSAlerts(t *testing.T) {
	for name, test := range map[string]struct {
		alert []byte
		ok    bool
	}{
		"close_notify":      {[]byte{1, 0}, true},
		"bad_record_mac":    {[]byte{2, 20}, false},
		"internal_error":    {[]byte{2, 80}, false},
		"handshake_failure": {[]byte{1, 40}, false}, // in TLS 1.3 the level says nothing
	} {
		t.Run(name, func(t *testing.T) {
			conformTLS(t, func(t *testing.T, sub subject) {
				var got []byte
				r, closed := closes(t, sub, Config{}, func(s *shard) {
					s.data = func(_ *Conn, b []byte) error { got = append(got, b...); return nil }
				})
				ours, theirs := tcpPair(t)
				s, _, f := forge(t, ours, theirs)
				if err := r.Add(s, nil, nil); err != nil {
					t.Fatal(err)
				}
				b := f.record(typeApplication, []byte("last"))
				b = append(b, f.record(typeAlert, test.alert)...)
				send(t, theirs, append(b, f.record(typeApplication, []byte("ghost"))...))
				if err := receive(t, closed); (err == nil) != test.ok {
					t.Errorf("Closed: %v", err)
				}
				if string(got) != "last" {
					t.Errorf("got %q", got)
				}
			})
		})
	}
}

// TCP's end without a goodbye is an orderly one between two records, and an
// error within one.
func TestTLSTruncated(t *testing.T) {
	conformTLS(t, func(t *testing.T, sub subject) {
		for name, cut := range map[string]int{"between records": 0, "within one": 3, "within a header": 25} {
			t.Run(name, func(t *testing.T) {
				r, closed := closes(t, sub, Config{}, nil)
				ours, theirs := tcpPair(t)
				s, c, f := forge(t, ours, theirs)
				if err := r.Add(s, nil, nil); err != nil {
					t.Fatal(err)
				}
				b := append(f.record(typeApplication, []byte("hi")), f.record(typeApplication, []byte("gone"))...)
				send(t, theirs, b[:len(b)-cut])
				expect(t, c, "hi")
				if err := theirs.CloseWrite(); err != nil {
					t.Fatal(err)
				}
				if err := receive(t, closed); errors.Is(err, io.ErrUnexpectedEOF) != (cut != 0) {
					t.Errorf("Closed: %v", err)
				}
			})
		}
	})
}

// A key update changes the keys of both sides, in the middle of everything.
func TestTLSKeyUpdate(t *testing.T) {
	conformTLS(t, func(t *testing.T, sub subject) {
		r := start(t, sub, Config{}, (*shard).echo)
		ours, theirs := tcpPair(t)
		s, c, f := forge(t, ours, theirs)
		if err := r.Add(s, nil, nil); err != nil {
			t.Fatal(err)
		}
		for i := range 5 {
			b := f.record(typeApplication, []byte("old"))
			b = append(b, f.keyUpdate()...)
			b = append(b, f.record(typeApplication, []byte("new"))...)
			for len(b) > 0 { // cut anywhere
				k := min(len(b), 7+i)
				send(t, theirs, b[:k])
				b = b[k:]
			}
			expect(t, c, "oldnew")
		}
	})
}

// The last thing that crypto/tls says is its goodbye, however the conn ends.
func TestTLSGoodbye(t *testing.T) {
	for name, way := range map[string]func(c *Conn){
		"Close":           func(c *Conn) { c.Close(errTest) },
		"CloseAfterWrite": func(c *Conn) { c.CloseAfterWrite([][]byte{[]byte("last")}, errTest) },
		"peer's":          nil,
	} {
		t.Run(name, func(t *testing.T) {
			conformTLS(t, func(t *testing.T, sub subject) {
				r := start(t, sub, Config{}, func(s *shard) {
					s.data = func(c *Conn, b []byte) error {
						if len(b) > 0 && way != nil {
							way(c)
						}
						return nil
					}
				})
				ours, theirs := tcpPair(t)
				client := clientConfig()
				client.MaxVersion = tls.VersionTLS12 // whose records show their type
				tap := &tapped{Conn: theirs}
				s, c := handshake(t, ours, theirs, tap, serverConfig(), client)
				if err := r.Add(s, nil, nil); err != nil {
					t.Fatal(err)
				}
				send(t, c, []byte("x"))
				if way == nil {
					if err := c.CloseWrite(); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := io.ReadAll(c); err != nil {
					t.Fatal(err)
				}
				last := byte(0)
				for b := tap.read; len(b) >= 5; b = b[5+int(b[3])<<8+int(b[4]):] {
					last = b[0]
				}
				if last != typeAlert {
					t.Errorf("the last record is of type %d", last)
				}
			})
		})
	}
}

// tapped remembers what was read.
type tapped struct {
	net.Conn
	read []byte
}

func (t *tapped) Read(b []byte) (int, error) {
	n, err := t.Conn.Read(b)
	t.read = append(t.read, b[:n]...)
	return n, err
}
