package gossip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/memberlist"
)

// transport is one over sockets, or the one configured, with three additions: what
// comes in passes a gate, dialing and open streams end with the node, and of the
// stream to the seed being joined it keeps what an attempt needs to explain its
// failure.
type transport struct {
	memberlist.Transport // sends and receives packets, accepts streams

	// Fixed.
	ctx     context.Context // the node's life
	cluster string
	ring    *ring
	connect time.Duration // what dialing may take
	gate    *gate

	mu    sync.Mutex
	conns map[*stream]struct{}
	try   *attempt // the one under way, if any
	tried string   // its address
}

var _ memberlist.NodeAwareTransport = (*transport)(nil)

// newTransport opens the sockets, unless cfg brings a transport, and completes
// mc's addresses. ctx bounds the lookup of names, background is the node's life.
func newTransport(ctx, background context.Context, cfg *Config, mc *memberlist.Config, ring *ring, refused *refusals) (*transport, error) {
	t := &transport{
		Transport: cfg.Transport, ctx: background, cluster: cfg.Cluster, ring: ring, connect: mc.TCPTimeout * 2 / 5,
		conns: map[*stream]struct{}{},
	}
	if cfg.Transport == nil || cfg.Bind != "" { // else it knows its address
		if err := t.bind(ctx, cfg, mc); err != nil {
			return nil, err
		}
	}
	t.gate = newGate(t.Transport, ring, cfg.Cluster, refused, mc.TCPTimeout)
	return t, nil
}

// bind opens the sockets, unless there is a transport, and completes mc's addresses.
func (t *transport) bind(ctx context.Context, cfg *Config, mc *memberlist.Config) error {
	bind, err := resolveOne(ctx, cfg.Bind)
	if err != nil {
		return err
	}
	advertise := netip.AddrPort{}
	if cfg.Advertise != "" {
		if advertise, err = resolveOne(ctx, cfg.Advertise); err != nil {
			return err
		}
	}
	if t.Transport == nil {
		if t.Transport, err = listen(&bind, mc); err != nil {
			return err
		}
	}
	switch {
	case advertise.IsValid() && advertise.Port() == 0:
		advertise = netip.AddrPortFrom(advertise.Addr(), bind.Port())
	case !advertise.IsValid() && bind.Addr().IsUnspecified():
		ip, err := ownAddr()
		if err != nil {
			return errors.Join(err, t.Transport.Shutdown())
		}
		advertise = netip.AddrPortFrom(ip, bind.Port())
	case !advertise.IsValid():
		advertise = bind
	}
	mc.BindAddr, mc.BindPort = bind.Addr().String(), int(bind.Port())
	mc.AdvertiseAddr, mc.AdvertisePort = advertise.Addr().String(), int(advertise.Port())
	return nil
}

// listen opens TCP and UDP on one port, and puts the port that it took into bind.
func listen(bind *netip.AddrPort, mc *memberlist.Config) (memberlist.Transport, error) {
	// A port that is free for TCP may be taken for UDP: where any will do, try others.
	const tries = 10
	for try := 1; ; try++ {
		opened, err := newSockets(*bind, mc.Logger)
		switch {
		case err == nil:
			*bind = netip.AddrPortFrom(bind.Addr(), opened.port())
			return opened, nil
		case bind.Port() == 0 && try < tries:
			continue
		}
		cause := probeBind(*bind) // of both, whichever failed
		switch {
		case errors.Is(cause, syscall.EADDRINUSE):
			return nil, explained(ErrAddrInUse, "gossip: %s is in use by another process: choose another --gossip-addr", bind)
		case cause != nil:
			return nil, fmt.Errorf("gossip: can't listen at %s: %w", bind, cause)
		case try >= tries:
			return nil, fmt.Errorf("gossip: can't listen at %s: %w", bind, err)
		}
		// It was in use a moment ago, and no more.
	}
}

// probeBind is why TCP or UDP can't be bound.
func probeBind(at netip.AddrPort) error {
	tcp, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(at))
	if err != nil {
		return err
	}
	udp, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
	if err == nil {
		err = udp.Close()
	}
	return errors.Join(err, tcp.Close())
}

func resolveOne(ctx context.Context, hostPort string) (netip.AddrPort, error) {
	addrs, err := resolve(ctx, hostPort)
	if err != nil {
		return netip.AddrPort{}, err
	}
	for _, a := range addrs {
		if a.Addr().Is4() {
			return a, nil
		}
	}
	return addrs[0], nil
}

// ownAddr is the first private address of this machine, or the first other one
// that isn't loopback.
func ownAddr() (netip.Addr, error) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return netip.Addr{}, fmt.Errorf("gossip: list this machine's addresses: %w", err)
	}
	var other netip.Addr
	for _, a := range all {
		prefix, err := netip.ParsePrefix(a.String())
		if err != nil {
			continue
		}
		switch ip := prefix.Addr(); {
		case ip.IsPrivate():
			return ip, nil
		case ip.IsGlobalUnicast() && !other.IsValid():
			other = ip
		}
	}
	if !other.IsValid() {
		return netip.Addr{}, fmt.Errorf("gossip: %w: this machine has no address but loopback: bind one address, or say which one to advertise", ErrBadConfig)
	}
	return other, nil
}

// WriteToAddress is memberlist.NodeAwareTransport's.
func (t *transport) WriteToAddress(b []byte, a memberlist.Address) (time.Time, error) {
	if aware, ok := t.Transport.(memberlist.NodeAwareTransport); ok {
		return aware.WriteToAddress(b, a)
	}
	return t.WriteTo(b, a.Addr)
}

// PacketCh is memberlist.Transport's.
func (t *transport) PacketCh() <-chan *memberlist.Packet { return t.gate.packets }

// StreamCh is memberlist.Transport's.
func (t *transport) StreamCh() <-chan net.Conn { return t.gate.streams }

// DialTimeout is memberlist.Transport's.
func (t *transport) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	return t.DialAddressTimeout(memberlist.Address{Addr: addr}, timeout)
}

// DialAddressTimeout is memberlist.NodeAwareTransport's.
func (t *transport) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	conn, err := t.dial(a, min(timeout, t.connect))
	t.mu.Lock()
	defer t.mu.Unlock()
	var try *attempt
	if t.try != nil && t.tried == a.Addr {
		try = t.try
		try.dialed(err)
	}
	if err != nil {
		return nil, err
	}
	if err := t.ctx.Err(); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	s := &stream{Conn: conn, t: t, try: try}
	t.conns[s] = struct{}{}
	return s, nil
}

func (t *transport) dial(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	switch inner := t.Transport.(type) {
	case *sockets:
		d := net.Dialer{Timeout: timeout}
		return d.DialContext(t.ctx, "tcp", a.Addr)
	case memberlist.NodeAwareTransport:
		return inner.DialAddressTimeout(a, timeout)
	default:
		return inner.DialTimeout(a.Addr, timeout)
	}
}

// Shutdown is memberlist.Transport's.
func (t *transport) Shutdown() error {
	err := t.Transport.Shutdown()
	t.gate.close()
	t.mu.Lock()
	defer t.mu.Unlock()
	for s := range t.conns {
		_ = s.Conn.Close() // its user sees it
	}
	return err
}

// stream is an outgoing connection. Its last closing takes it off the list.
type stream struct {
	net.Conn
	t   *transport
	try *attempt // keeps what is read; nil if nobody asks
}

// Read is net.Conn's.
func (s *stream) Read(b []byte) (int, error) {
	n, err := s.Conn.Read(b)
	if s.try != nil {
		s.try.heard(b[:n])
	}
	return n, err
}

// Close is net.Conn's.
func (s *stream) Close() error {
	s.t.mu.Lock()
	delete(s.t.conns, s)
	s.t.mu.Unlock()
	return s.Conn.Close()
}
