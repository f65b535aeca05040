package transport

import (
	"io"
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
