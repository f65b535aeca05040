package link_test

import (
	"net"
	"os"
	"sync"
	"testing"
	"time"
)

// network carries datagrams between ports in memory, in the time that a test
// gives it.
type network struct {
	// way is asked for each datagram; set it before use. false loses it.
	way func(from, to string) (time.Duration, bool)

	mu    sync.Mutex
	ports map[string]*port
}

// port is one end of a network, a net.PacketConn.
type port struct {
	net  *network
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

type portAddr string

func (a portAddr) Network() string { return "memory" }
func (a portAddr) String() string  { return string(a) }

func newNetwork(way func(from, to string) (time.Duration, bool)) *network {
	return &network{way: way, ports: map[string]*port{}}
}

// port plugs a name in; its owner closes it.
func (n *network) port(name string) *port {
	p := &port{net: n, name: name, in: make(chan datagram, 1<<12), closed: make(chan struct{}), past: make(chan struct{})}
	n.mu.Lock()
	n.ports[name] = p
	n.mu.Unlock()
	return p
}

func (p *port) WriteTo(b []byte, to net.Addr) (int, error) {
	delay, ok := p.net.way(p.name, to.String())
	p.net.mu.Lock()
	dst := p.net.ports[to.String()]
	p.net.mu.Unlock()
	if ok && dst != nil {
		d := datagram{portAddr(p.name), append([]byte(nil), b...)}
		time.AfterFunc(delay, func() {
			select {
			case dst.in <- d:
			default: // a full queue loses, as networks do
			}
		})
	}
	return len(b), nil
}

func (p *port) ReadFrom(b []byte) (int, net.Addr, error) {
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

// SetReadDeadline knows two deadlines, as quic-go does: now and never.
func (p *port) SetReadDeadline(t time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !t.IsZero() {
		close(p.past)
	} else {
		p.past = make(chan struct{})
	}
	return nil
}

func (p *port) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *port) LocalAddr() net.Addr              { return portAddr(p.name) }
func (p *port) SetDeadline(t time.Time) error    { return p.SetReadDeadline(t) }
func (p *port) SetWriteDeadline(time.Time) error { return nil }
func (p *port) SetReadBuffer(int) error          { return nil }
func (p *port) SetWriteBuffer(int) error         { return nil }

var _ net.PacketConn = (*port)(nil)

// instant is a way without delay or loss.
func instant(string, string) (time.Duration, bool) { return 0, true }

func TestNetworkDelaysAndLoses(t *testing.T) {
	n := newNetwork(func(from, _ string) (time.Duration, bool) { return time.Millisecond, from == "a" })
	a, b := n.port("a"), n.port("b")
	for _, step := range []struct {
		from, to *port
		arrives  bool
	}{{a, b, true}, {b, a, false}} {
		if _, err := step.from.WriteTo([]byte("x"), step.to.LocalAddr()); err != nil {
			t.Fatal(err)
		}
		if step.arrives {
			if d := receive(t, "the datagram", step.to.in); d.from != step.from.LocalAddr() || string(d.b) != "x" {
				t.Errorf("got %q from %s", d.b, d.from)
			}
		}
	}
	_ = a.SetReadDeadline(time.Now())
	if _, _, err := a.ReadFrom(nil); err == nil {
		t.Error("what was lost arrived")
	}
}
