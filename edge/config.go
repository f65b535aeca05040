package edge

import (
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/hashicorp/memberlist"

	"selvedge/internal/config"
	"selvedge/internal/identity"
	"selvedge/internal/node"
	"selvedge/internal/telemetry"
	"selvedge/topology/gossip"
	"selvedge/topology/region"
)

// Config is what an edge needs to run. It is not modified.
type Config struct {
	Name   string
	Region region.Region
	Zone   string
	Keys   node.Keys
	Tokens identity.TokenConfig
	Seeds  []string // gossip addresses to join by
	// Cluster is its name, and GossipTiming says how fast gossip finds failures; see
	// gossip.Config.
	Cluster      string
	GossipTiming gossip.Timing
	Build        config.Build
	Logger       *slog.Logger

	PublicAddr, LinkAddr, GossipAddr, AdminAddr string
	// AdvertiseURL is where clients reach this edge; "" = http://, or https://
	// with TLS, and the public address.
	AdvertiseURL string
	// RegionalURL is where clients reach the edges of the region, which of them they
	// don't choose; it takes the place of AdvertiseURL. "" = they reach each edge.
	RegionalURL string
	// TrustGeoHeaders believes the headers in which a CDN tells where a client is.
	TrustGeoHeaders bool
	Reachable       func(bound net.Addr) (string, error)

	// TLS is what the public port proves itself with; nil = plain TCP.
	TLS *identity.ServerKeys
	// ProxyProtocol wants a PROXY v2 header in front of each connection, from
	// ProxyFrom; none = from anyone.
	ProxyProtocol bool
	ProxyFrom     []netip.Prefix
	// MaxHandshakes and HandshakeTimeout bound what isn't a socket yet; 0 = as
	// package door has it.
	MaxHandshakes    int
	HandshakeTimeout time.Duration
	// AcceptRate is how many sockets are taken per second, AcceptBurst how many at
	// once; rate 0 = any number, burst 0 = those of a second.
	AcceptRate  float64
	AcceptBurst int

	Transport      string   // "epoll" or "portable"
	Compression    bool     // of frames, for clients that ask for it
	AllowedOrigins []string // "*" = any
	MaxSockets     int      // 0 = nine tenths of the file limit
	CacheBytes     int64
	SocketBudget   int // bytes that a socket may have pending
	Ping           time.Duration
	// Drain is how long clients are given to move to other edges when ctx ends;
	// 0 = none, they are closed at once.
	Drain time.Duration
	// DrainRate is how many clients are asked to move per second, at most: a drain
	// takes longer for it; 0 = any number.
	DrainRate int

	// CPUTime is how much CPU time the edge used, for its load; nil = this process.
	CPUTime func() time.Duration
	// WrapLink replaces the link's socket, for simulated latency; nil = not.
	WrapLink func(net.PacketConn) net.PacketConn
	// Network opens the sockets, and GossipTransport replaces gossip's, for
	// simulated networks; nil = the system's.
	Network         telemetry.Network
	GossipTransport memberlist.Transport
}
