package faults

import (
	"net"
	"sync"
)

// gate is a connection whose reader can be held: what arrives stays in the
// kernel, as with a client that hangs.
type gate struct {
	net.Conn

	mu   sync.Mutex
	open chan struct{} // guarded by mu; closed while reads may begin
}

func newGate(c net.Conn) *gate {
	g := &gate{Conn: c, open: make(chan struct{})}
	close(g.open)
	return g
}

// hold lets no read begin from now on, until a release.
func (g *gate) hold() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = make(chan struct{})
}

// release lets reads go on. It follows a hold.
func (g *gate) release() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.open)
}

// Read reads once it may.
func (g *gate) Read(b []byte) (int, error) {
	g.mu.Lock()
	open := g.open
	g.mu.Unlock()
	<-open
	return g.Conn.Read(b)
}
