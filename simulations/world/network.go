package world

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"

	"selvedge/simulations/netsim"
	"selvedge/topology/region"
)

// Hosts of a world. Clients follow firstClient, edges firstEdge, and further
// cores the backend.
const (
	coreHost    netsim.Host = 1
	backendHost netsim.Host = 2 // publishes, and changes rooms
	firstEdge   netsim.Host = 10
	firstClient netsim.Host = 100
)

// coreAt is the host of core number i.
func coreAt(i int) netsim.Host {
	if i == 0 {
		return coreHost
	}
	return backendHost + netsim.Host(i)
}

// CoreHost is where the first core is. A world without clients of its own leaves
// all hosts from FreeHosts to its user.
const (
	CoreHost  = coreHost
	FreeHosts = firstClient
)

// EdgeHost is where edge number i is.
func EdgeHost(i int) netsim.Host { return firstEdge + netsim.Host(i) }

// Ports, the same on every host.
const (
	httpPort   = 80 // a core's API, an edge's public port
	linkPort   = 7401
	gossipPort = 7402
	adminPort  = 7403
)

// AdminPort is where a node's /metrics are, and LinkPort where links come in.
const (
	AdminPort = adminPort
	LinkPort  = linkPort
)

// lastMile is what lies between a client and the nearest edge, one way; and
// nearby, between the core and the backend. Both are assumptions.
const (
	lastMile = 10 * time.Millisecond
	nearby   = 500 * time.Microsecond
)

// geography says where hosts are. It is complete before the network is used.
type geography map[netsim.Host]region.Region

// path is half of the measured round trip between the regions, with jitter of a
// fiftieth.
func (g geography) path(from, to netsim.Host) netsim.Path {
	rtt, _ := region.Between(g[from], g[to])
	delay := rtt / 2
	if from >= firstClient || to >= firstClient {
		delay += lastMile
	}
	return netsim.Path{Delay: max(delay, nearby), Jitter: delay / 50}
}

// sockets opens a node's: it implements telemetry.Network.
type sockets struct {
	net  *netsim.Network
	host netsim.Host
}

func (s sockets) at(addr string) (netip.AddrPort, error) {
	a, err := netip.ParseAddrPort(addr)
	return netip.AddrPortFrom(s.host.IP(), a.Port()), err
}

func (s sockets) Listen(_, addr, _ string) (net.Listener, error) {
	a, err := s.at(addr)
	if err != nil {
		return nil, err
	}
	return s.net.Listen(a)
}

func (s sockets) ListenUDP(_, addr, _ string) (net.PacketConn, error) {
	a, err := s.at(addr)
	if err != nil {
		return nil, err
	}
	return s.net.ListenPacket(a)
}

// gossipSockets is memberlist.Transport over a simulated network.
type gossipSockets struct {
	net     *netsim.Network
	host    netsim.Host
	udp     net.PacketConn
	tcp     net.Listener
	packets chan *memberlist.Packet // never closed
	streams chan net.Conn           // never closed
	done    chan struct{}           // closed by Shutdown
	end     sync.Once
	wg      sync.WaitGroup
}

func newGossipSockets(n *netsim.Network, host netsim.Host) (*gossipSockets, error) {
	udp, err := n.ListenPacket(host.Addr(gossipPort))
	if err != nil {
		return nil, err
	}
	tcp, err := n.Listen(host.Addr(gossipPort))
	if err != nil {
		return nil, err
	}
	s := &gossipSockets{
		net: n, host: host, udp: udp, tcp: tcp,
		packets: make(chan *memberlist.Packet), streams: make(chan net.Conn), done: make(chan struct{}),
	}
	s.wg.Go(s.receive)
	s.wg.Go(s.accept)
	return s, nil
}

func (s *gossipSockets) receive() {
	buf := make([]byte, 64<<10)
	for {
		n, from, err := s.udp.ReadFrom(buf)
		if err != nil {
			return
		}
		select {
		case s.packets <- &memberlist.Packet{Buf: append([]byte(nil), buf[:n]...), From: from, Timestamp: time.Now()}:
		case <-s.done:
			return
		}
	}
}

func (s *gossipSockets) accept() {
	for {
		c, err := s.tcp.Accept()
		if err != nil {
			return
		}
		select {
		case s.streams <- c:
		case <-s.done:
			_ = c.Close() // nobody wants it
			return
		}
	}
}

func (s *gossipSockets) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	return s.host.IP().AsSlice(), gossipPort, nil
}

func (s *gossipSockets) WriteTo(b []byte, addr string) (time.Time, error) {
	to, err := netip.ParseAddrPort(addr)
	if err != nil {
		return time.Time{}, err
	}
	_, err = s.udp.WriteTo(b, net.UDPAddrFromAddrPort(to))
	return time.Now(), err
}

func (s *gossipSockets) PacketCh() <-chan *memberlist.Packet { return s.packets }
func (s *gossipSockets) StreamCh() <-chan net.Conn           { return s.streams }

func (s *gossipSockets) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	return dialWithin(s.net, s.host, addr, timeout)
}

func (s *gossipSockets) Shutdown() error {
	s.end.Do(func() {
		close(s.done)
		_, _ = s.udp.Close(), s.tcp.Close() // a dead host's are closed already
		s.wg.Wait()
	})
	return nil
}
