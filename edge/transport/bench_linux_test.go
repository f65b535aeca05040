package transport

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkEcho is a round trip through the loop: what a client's message
// costs before anything looks at it.
func BenchmarkEcho(b *testing.B) {
	for _, sub := range subjects() {
		b.Run(sub.name, func(b *testing.B) {
			nc, buf := start(b, sub, Config{}, (*shard).echo).dial(nil, nil), make([]byte, 64)
			if err := nc.SetDeadline(time.Time{}); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := nc.Write(buf); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(nc, buf); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkWrite is one frame to one of 100 sockets from inside the loop,
// header and body apart, as fan-out writes it. The peers read all the while.
func BenchmarkWrite(b *testing.B) {
	const peers = 100
	for _, sub := range subjects() {
		b.Run(sub.name, func(b *testing.B) {
			var conns []*Conn
			left, at := 0, 0
			frame := [][]byte{make([]byte, 4), make([]byte, 1024)}
			introduced, done := make(chan struct{}, peers), make(chan struct{})
			r := start(b, sub, Config{}, func(s *shard) {
				fanOut := func() {
					for ; left > 0; left-- {
						at++
						n, err := conns[at%peers].Write(frame)
						if err != nil {
							b.Error(err)
						}
						if n < 1028 { // the peers are behind
							return
						}
					}
					done <- struct{}{}
				}
				s.data = func(c *Conn, _ []byte) error {
					conns = append(conns, c)
					introduced <- struct{}{}
					return nil
				}
				s.woken, s.writable = fanOut, func(*Conn) { fanOut() }
			})
			for range peers {
				nc := r.dial(nil, nil)
				receive(b, introduced)
				if err := nc.SetDeadline(time.Time{}); err != nil {
					b.Fatal(err)
				}
				go func() { _, _ = io.Copy(io.Discard, nc) }()
			}
			b.ReportAllocs()
			b.ResetTimer()
			left = b.N
			r.Wake()
			<-done
		})
	}
}

// BenchmarkWake is from a Wake to its Woken and back, as a link's reader has it
// with an idle shard.
func BenchmarkWake(b *testing.B) {
	for _, sub := range []subject{epollSubject(), portableSubject()} {
		b.Run(sub.name, func(b *testing.B) {
			woken := make(chan struct{})
			r := start(b, sub, Config{}, func(s *shard) { s.woken = func() { woken <- struct{}{} } })
			b.ReportAllocs()
			for b.Loop() {
				r.Wake()
				<-woken
			}
		})
	}
}

// BenchmarkMove is a conn that is handed to and fro between two loops.
func BenchmarkMove(b *testing.B) {
	for _, sub := range []subject{epollSubject(), secureSubject(epollSubject())} {
		b.Run(sub.name, func(b *testing.B) {
			var loops [2]*rig
			var left atomic.Int64
			ready, done := make(chan struct{}), make(chan struct{})
			for i := range loops {
				loops[i] = start(b, sub, Config{}, func(s *shard) {
					s.data = func(c *Conn, _ []byte) error {
						<-ready
						clear(s.seen) // else it grows for ever
						if left.Add(-1) == 0 {
							close(done)
							return nil
						}
						return c.Move(loops[1-i].Loop, nil, nil)
					}
				})
			}
			loops[0].dial(nil, nil)
			b.ReportAllocs()
			left.Store(int64(b.N))
			b.ResetTimer()
			close(ready)
			<-done
		})
	}
}

// BenchmarkAccept is a connection from dial to its first Data, and its end, by
// the loop itself and by way of net.Listener and Add.
func BenchmarkAccept(b *testing.B) {
	for _, way := range []string{"Accept", "net.Listener and Add"} {
		b.Run(way, func(b *testing.B) {
			introduced := make(chan struct{})
			r := start(b, epollSubject(), Config{}, func(s *shard) {
				s.data = func(*Conn, []byte) error { introduced <- struct{}{}; return nil }
				s.closed = func(c *Conn, _ error) { delete(s.seen, c) }
			})
			ln := listen(b)
			if way == "Accept" {
				r.accept(ln, AcceptConfig{})
				if err := ln.Close(); err != nil {
					b.Fatal(err)
				}
			} else {
				go func() {
					for {
						nc, err := ln.Accept()
						if err != nil {
							return
						}
						if err := r.Add(nc, nil, nil); err != nil {
							b.Error(err)
						}
					}
				}()
			}
			b.ReportAllocs()
			for b.Loop() {
				nc, err := net.DialTCP("tcp4", nil, ln.Addr().(*net.TCPAddr))
				if err != nil {
					b.Fatal(err)
				}
				<-introduced
				if err := errors.Join(nc.SetLinger(0), nc.Close()); err != nil { // leaves no TIME_WAIT
					b.Fatal(err)
				}
			}
		})
	}
}
