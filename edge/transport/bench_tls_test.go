package transport

import (
	"crypto/tls"
	"net"
	"runtime"
	"testing"
)

// BenchmarkIdle is the heap that lives on for a conn which has said something
// once, in B/conn, some 1,300 of the test's own included. What the process
// takes is twice that, under GOGC=100.
func BenchmarkIdle(b *testing.B) {
	for name, cfg := range map[string]*tls.Config{
		"plain":     nil,
		"1.3":       {},
		"noTickets": {SessionTicketsDisabled: true},
		"x25519":    {CurvePreferences: []tls.CurveID{tls.X25519}},
		"1.2":       {MaxVersion: tls.VersionTLS12},
	} {
		b.Run(name, func(b *testing.B) {
			sub := subjects()[0]
			if cfg != nil {
				cfg.Certificates = serverConfig().Certificates
				sub.wrap = func(t testing.TB, ours net.Conn, theirs *net.TCPConn) (net.Conn, peer) {
					return handshake(t, ours, theirs, theirs, cfg, clientConfig())
				}
			}
			const conns = 500
			for b.Loop() {
				r := start(b, sub, Config{}, (*shard).echo)
				before := heap()
				peers := make([]net.Conn, conns)
				for i := range peers {
					nc := r.dial(nil, nil)
					send(b, nc, []byte("hello"))
					expect(b, nc, "hello")
					if peers[i] = nc; cfg != nil {
						peers[i] = nc.(tlsPeer).tcp // the rest is the test's own
					}
				}
				b.ReportMetric(float64(heap()-before)/conns, "B/conn")
				r.end(nil)
				runtime.KeepAlive(peers)
			}
		})
	}
}

// heap is what lives, in bytes.
func heap() int {
	runtime.GC()
	runtime.GC() // what sync.Pools keep needs two
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
