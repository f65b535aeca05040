package edge

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"selvedge/internal/config"
	"selvedge/internal/identity"
	"selvedge/internal/node"
)

// Command is `selvedge edge`.
type Command struct {
	node.Flags

	PublicAddr   string `help:"Where clients connect: HTTP and WebSocket." default:":7410"`
	LinkAddr     string `help:"UDP address of links." default:":7411"`
	GossipAddr   string `help:"TCP and UDP address of gossip." default:":7412"`
	AdminAddr    string `help:"Metrics, health and profiles." default:"127.0.0.1:7413"`
	AdvertiseURL string `help:"The URL by which clients reach this edge." placeholder:"URL" name:"advertise-url"`

	RegionalURL       string        `help:"The balanced URL of this edge's region, where clients can't reach edges one by one: they are told it instead of --advertise-url, once for all edges of the region. No team affinity then." placeholder:"URL" name:"regional-url"`
	TrustGeoHeaders   bool          `help:"Believe what CloudFront-Viewer-Latitude and -Longitude, CF-IPLatitude and -IPLongitude, or X-Geo-Lat and -Lon say of where a client is that asks for the nearest edge. For a proxy that sets them, and takes them from nobody else."`
	TLSCert           string        `help:"Certificate of the public port (PEM), with those that lead to its CA: clients come by https:// and wss://. Read again when it changes. Default: plain TCP, behind a load balancer that ends TLS." placeholder:"FILE" name:"tls-cert"`
	TLSKey            string        `help:"The key of --tls-cert (PEM)." placeholder:"FILE" name:"tls-key"`
	ProxyProtocol     bool          `help:"Each connection begins with a PROXY v2 header, which tells the client's address; others are closed. For a load balancer that sends it."`
	ProxyProtocolFrom []string      `help:"Who may send PROXY headers: addresses or networks of the load balancers. Default: anyone, so that whoever reaches this port can claim any address." placeholder:"CIDR"`
	MaxHandshakes     int           `help:"The most connections that are no sockets yet; one more is closed at accept. 0 = 16384, with TLS or --transport portable 4096." default:"0"`
	HandshakeTimeout  time.Duration `help:"What a client may take from connecting to the end of its request, TLS included." default:"10s"`
	AcceptRate        float64       `help:"How many new sockets are taken per second. Of more, as many as come in a second wait, those who come back first; others are told to come again (503 with Retry-After), and connections that come four times as fast, with TLS twice, are closed at accept. 0 = no limit. -1 = 2000 per CPU, with TLS 500." default:"-1"`
	AcceptBurst       int           `help:"How many new sockets are taken at once, after a while with fewer. 0 = as many as --accept-rate takes in a second." default:"0"`

	Transport      string        `help:"How sockets are served: epoll (Linux), or portable (a goroutine per socket)." enum:"epoll,portable" default:"${transport}"`
	Compression    bool          `help:"Compress frames of 256 bytes or more (permessage-deflate), once each, for clients that ask for it." default:"true" negatable:""`
	AllowedOrigins []string      `help:"Origins of pages that may connect; * = any. Default: pages of the same host, with --dev any." placeholder:"ORIGIN"`
	MaxSockets     int           `help:"The most sockets; 0 = nine tenths of the file limit." default:"0"`
	CacheBytes     int64         `help:"How much of the logs is kept in memory, in bytes." default:"268435456"`
	SocketBudget   int           `help:"How much a slow socket may have pending, in bytes, before it has to catch up from the cache." default:"262144"`
	Ping           time.Duration `help:"Time between pings of a socket; one that is silent for two of them is closed. At most 50m." default:"25s"`
	Drain          time.Duration `help:"When told to stop: how long clients are given to move to other edges. 0 = none." default:"20s"`
	DrainRate      int           `help:"When told to stop: at most so many clients are asked to move per second, also if --drain is over then. 0 = any number." default:"2000"`

	TokenSecretFile []string `help:"Files with HS256 secrets of client tokens, at least 32 bytes each." placeholder:"FILE"`
	TokenKeyFile    []string `help:"Files with public keys (PEM or JWKS) of client tokens." placeholder:"FILE"`
	TokenJWKSURL    string   `help:"URL of a JSON Web Key Set." placeholder:"URL" name:"token-jwks-url"`
	TokenAudience   string   `help:"The aud that tokens must have." placeholder:"AUD"`
	TokenIssuer     string   `help:"The iss that tokens must have." placeholder:"ISS"`
}

// Help teaches the command.
func (*Command) Help() string {
	return `An edge holds the sockets of the clients near it, and follows the logs of a core for them.
It finds the cores and the other edges by one gossip address.

On one machine, with development keys:
  selvedge core --dev
  selvedge edge --dev --join 127.0.0.1:7402 --region eu-west

Clients come by plain TCP, from a load balancer that ends TLS and sends PROXY headers:
  selvedge edge ... --proxy-protocol --proxy-protocol-from 10.0.0.0/8
or by TLS, with a certificate for the name that they use:
  selvedge edge ... --tls-cert fullchain.pem --tls-key key.pem --advertise-url https://eu.example.com:7410

Told to stop (SIGTERM, SIGINT), it asks its clients to move to other edges and ends when they have gone, or after --drain.
Told twice, it ends at once.`
}

// Run runs the edge until it is told to stop.
func (c *Command) Run(ctx context.Context, stdio *config.IO) error {
	cfg, err := c.config(stdio)
	if err != nil {
		return err
	}
	return Run(ctx, cfg)
}

func (c *Command) config(stdio *config.IO) (Config, error) {
	if err := c.check(); err != nil {
		return Config{}, err
	}
	if len(c.Join) == 0 {
		return Config{}, config.Usagef("--join is needed: the gossip address of a core or another edge, such as 127.0.0.1:7402")
	}
	own, err := c.Settings(
		"edge", stdio.Stderr,
		node.Listen{Flag: "public-addr", Addr: &c.PublicAddr}, node.Listen{Flag: "link-addr", Addr: &c.LinkAddr},
		node.Listen{Flag: "gossip-addr", Addr: &c.GossipAddr}, node.Listen{Flag: "admin-addr", Addr: &c.AdminAddr},
	)
	if err != nil {
		return Config{}, err
	}
	serverKeys, err := c.serverKeys(own.Logger)
	if err != nil {
		return Config{}, err
	}
	proxies, err := c.proxies()
	if err != nil {
		return Config{}, err
	}
	tokens, err := c.tokens()
	if err != nil {
		return Config{}, err
	}
	origins := c.AllowedOrigins
	if c.Dev && len(origins) == 0 {
		origins = []string{"*"}
	}
	return Config{
		Name: own.Name, Region: own.Region, Zone: c.Zone, Keys: own.Keys, Tokens: tokens, Seeds: own.Seeds, Cluster: c.Cluster, GossipTiming: own.Gossip,
		Build: config.ReadBuild(), Logger: own.Logger,
		PublicAddr: c.PublicAddr, LinkAddr: c.LinkAddr, GossipAddr: c.GossipAddr, AdminAddr: c.AdminAddr,
		AdvertiseURL: c.AdvertiseURL, RegionalURL: c.RegionalURL, TrustGeoHeaders: c.TrustGeoHeaders, Reachable: c.Reachable,
		TLS: serverKeys, ProxyProtocol: c.ProxyProtocol, ProxyFrom: proxies,
		MaxHandshakes: c.MaxHandshakes, HandshakeTimeout: c.HandshakeTimeout,
		AcceptRate: acceptRate(c.AcceptRate, serverKeys != nil), AcceptBurst: c.AcceptBurst,
		Transport: c.Transport, Compression: c.Compression, AllowedOrigins: origins, MaxSockets: c.MaxSockets,
		CacheBytes: c.CacheBytes, SocketBudget: c.SocketBudget, Ping: c.Ping, Drain: c.Drain, DrainRate: c.DrainRate,
	}, nil
}

// MaxPing is the longest --ping: the sockets' turns are numbered by tenths of a second
// in 15 bits.
const MaxPing = 50 * time.Minute

// check refuses numbers that an edge can't work with.
func (c *Command) check() error {
	switch {
	case c.RegionalURL != "" && c.AdvertiseURL != "":
		return config.Usagef("--regional-url %s and --advertise-url %s exclude each other: clients are told one of them", c.RegionalURL, c.AdvertiseURL)
	case c.MaxSockets < 0:
		return config.Usagef("--max-sockets %d: use a positive number, or 0 for nine tenths of the file limit", c.MaxSockets)
	case c.CacheBytes < 1:
		return config.Usagef("--cache-bytes %d: use a positive number of bytes", c.CacheBytes)
	case c.SocketBudget < 1:
		return config.Usagef("--socket-budget %d: use a positive number of bytes", c.SocketBudget)
	case c.Ping < time.Second || c.Ping > MaxPing:
		return config.Usagef("--ping %s: use 1s to %s", c.Ping, MaxPing)
	case c.DrainRate < 0:
		return config.Usagef("--drain-rate %d: use a positive number, or 0 for any", c.DrainRate)
	case c.Drain < 0:
		return config.Usagef("--drain %s: use a positive time, or 0 to close all sockets at once", c.Drain)
	case c.MaxHandshakes < 0:
		return config.Usagef("--max-handshakes %d: use a positive number, or 0 for the default", c.MaxHandshakes)
	case c.HandshakeTimeout < 100*time.Millisecond:
		return config.Usagef("--handshake-timeout %s: use 100ms or more", c.HandshakeTimeout)
	case c.TLSCert == "" && c.TLSKey != "":
		return config.Usagef("--tls-key %s needs its certificate: give --tls-cert, too", c.TLSKey)
	case c.TLSCert != "" && c.TLSKey == "":
		return config.Usagef("--tls-cert %s needs its key: give --tls-key, too", c.TLSCert)
	case len(c.ProxyProtocolFrom) > 0 && !c.ProxyProtocol:
		return config.Usagef("--proxy-protocol-from says whose PROXY headers count, and none are read: give --proxy-protocol, too")
	}
	return checkPace(c.AcceptRate, c.AcceptBurst)
}

// serverKeys are those of the public port; nil = plain TCP.
func (c *Command) serverKeys(logger *slog.Logger) (*identity.ServerKeys, error) {
	if c.TLSCert == "" {
		return nil, nil
	}
	return identity.LoadServer(identity.ServerFiles{Cert: c.TLSCert, Key: c.TLSKey}, logger)
}

// proxies are the networks that may send PROXY headers.
func (c *Command) proxies() ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, s := range c.ProxyProtocolFrom {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			addr, addrErr := netip.ParseAddr(s)
			if addrErr != nil || addr.Zone() != "" {
				return nil, config.Usagef("--proxy-protocol-from %q: use an address or a network, such as 10.0.0.0/8", s)
			}
			p = netip.PrefixFrom(addr, addr.BitLen())
		}
		if p != p.Masked() {
			return nil, config.Usagef("--proxy-protocol-from %s: a network has no bits beyond its length: use %s", s, p.Masked())
		}
		out = append(out, p)
	}
	return out, nil
}

func (c *Command) tokens() (identity.TokenConfig, error) {
	if c.Dev {
		return identity.DevTokens(), nil
	}
	cfg := identity.TokenConfig{KeyFiles: c.TokenKeyFile, JWKSURL: c.TokenJWKSURL, Audience: c.TokenAudience, Issuer: c.TokenIssuer}
	for _, path := range c.TokenSecretFile {
		secret, err := identity.LoadSecret(path)
		if err != nil {
			return cfg, err
		}
		cfg.Secrets = append(cfg.Secrets, secret)
	}
	if len(cfg.Secrets)+len(cfg.KeyFiles) == 0 && cfg.JWKSURL == "" {
		return cfg, config.Usagef("no key to check client tokens with: give --token-secret-file, --token-key-file or --token-jwks-url, or --dev")
	}
	return cfg, nil
}
