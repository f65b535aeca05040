package linktest

import (
	"net"
	"os"
	"sync"
	"time"
)

// Network carries datagrams between ports in memory, in the time that a test
// gives it. It is safe for concurrent use.
type Network struct {
	// way is asked for each datagram; false loses it.
	way func(from, to string) (time.Duration, bool)

	mu    sync.Mutex
	ports map[string]*Port
}

// Port is one end of a Network, a net.PacketConn. It knows two read deadlines:
// now and never.
type Port struct {
	net  *Network
	name string
	in   chan datagram

	closed chan struct{}
	once   sync.Once
	mu     sync.Mutex
	past   chan struct{} // guarded by mu; closed when the read deadline has passed
}

type datagram struct {
	from net.Addr
	b    []byte
}

// Addr is the address of a port: its name.
type Addr string

// Network implements net.Addr.
func (a Addr) Network() string { return "memory" }

// String implements net.Addr.
func (a Addr) String() string { return string(a) }

// NewNetwork is a network where a datagram from one name to another takes as long
// as way says; false loses it.
func NewNetwork(way func(from, to string) (time.Duration, bool)) *Network {
	return &Network{way: way, ports: map[string]*Port{}}
}

// Port plugs a name in, in place of what had it; its owner closes it.
func (n *Network) Port(name string) *Port {
	p := &Port{net: n, name: name, in: make(chan datagram, 1<<12), closed: make(chan struct{}), past: make(chan struct{})}
	n.mu.Lock()
	n.ports[name] = p
	n.mu.Unlock()
	return p
}

// WriteTo implements net.PacketConn.
func (p *Port) WriteTo(b []byte, to net.Addr) (int, error) {
	delay, ok := p.net.way(p.name, to.String())
	p.net.mu.Lock()
	dst := p.net.ports[to.String()]
	p.net.mu.Unlock()
	if ok && dst != nil {
		d := datagram{Addr(p.name), append([]byte(nil), b...)}
		time.AfterFunc(delay, func() {
			select {
			case dst.in <- d:
			default: // a full queue loses, as networks do
			}
		})
	}
	return len(b), nil
}

// ReadFrom implements net.PacketConn.
func (p *Port) ReadFrom(b []byte) (int, net.Addr, error) {
	p.mu.Lock()
	past := p.past
	p.mu.Unlock()
	select {
	case d := <-p.in:
		return copy(b, d.b), d.from, nil
	case <-past:
		return 0, nil, os.ErrDeadlineExceeded
	case <-p.closed:
		return 0, nil, net.ErrClosed
	}
}

// SetReadDeadline implements net.PacketConn.
func (p *Port) SetReadDeadline(t time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !t.IsZero() {
		close(p.past)
	} else {
		p.past = make(chan struct{})
	}
	return nil
}

// Close implements net.PacketConn.
func (p *Port) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

// LocalAddr implements net.PacketConn.
func (p *Port) LocalAddr() net.Addr { return Addr(p.name) }

// SetDeadline implements net.PacketConn.
func (p *Port) SetDeadline(t time.Time) error { return p.SetReadDeadline(t) }

// SetWriteDeadline implements net.PacketConn: writing never waits.
func (p *Port) SetWriteDeadline(time.Time) error { return nil }

// SetReadBuffer and SetWriteBuffer let quic-go ask for what there is.
func (p *Port) SetReadBuffer(int) error { return nil }

// SetWriteBuffer is as SetReadBuffer.
func (p *Port) SetWriteBuffer(int) error { return nil }

var _ net.PacketConn = (*Port)(nil)

// Instant is a way without delay or loss.
func Instant(string, string) (time.Duration, bool) { return 0, true }
