package edge

import (
	"context"
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

	Transport      string        `help:"How sockets are served: epoll (Linux), or portable (a goroutine per socket)." enum:"epoll,portable" default:"${transport}"`
	AllowedOrigins []string      `help:"Origins of pages that may connect; * = any. Default: pages of the same host, with --dev any." placeholder:"ORIGIN"`
	MaxSockets     int           `help:"The most sockets; 0 = nine tenths of the file limit." default:"0"`
	CacheBytes     int64         `help:"How much of the logs is kept in memory, in bytes." default:"268435456"`
	SocketBudget   int           `help:"How much a slow socket may have pending, in bytes, before it has to catch up from the cache." default:"262144"`
	Ping           time.Duration `help:"Time between pings of a socket; one that is silent for two of them is closed." default:"25s"`

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
  selvedge edge --dev --join 127.0.0.1:7402 --region eu-west`
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
	logger, err := c.Logger(stdio.Stderr)
	if err != nil {
		return Config{}, err
	}
	place, err := c.Place()
	if err != nil {
		return Config{}, err
	}
	if err := c.Bind(
		node.Listen{Flag: "public-addr", Addr: &c.PublicAddr}, node.Listen{Flag: "link-addr", Addr: &c.LinkAddr},
		node.Listen{Flag: "gossip-addr", Addr: &c.GossipAddr}, node.Listen{Flag: "admin-addr", Addr: &c.AdminAddr},
	); err != nil {
		return Config{}, err
	}
	if err := c.check(); err != nil {
		return Config{}, err
	}
	if len(c.Join) == 0 {
		return Config{}, config.Usagef("--join is needed: the gossip address of a core or another edge, such as 127.0.0.1:7402")
	}
	name := c.NodeName("edge", c.PublicAddr)
	keys, err := c.Keys("edge", name)
	if err != nil {
		return Config{}, err
	}
	name = keys.Identity.Name()
	seeds, err := c.Seeds()
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
		Name: name, Region: place, Zone: c.Zone, Keys: keys, Tokens: tokens, Seeds: seeds,
		Build: config.ReadBuild(), Logger: logger.With("node", name),
		PublicAddr: c.PublicAddr, LinkAddr: c.LinkAddr, GossipAddr: c.GossipAddr, AdminAddr: c.AdminAddr,
		AdvertiseURL: c.AdvertiseURL, Reachable: c.Reachable,
		Transport: c.Transport, AllowedOrigins: origins, MaxSockets: c.MaxSockets,
		CacheBytes: c.CacheBytes, SocketBudget: c.SocketBudget, Ping: c.Ping,
	}, nil
}

// check refuses numbers that an edge can't work with.
func (c *Command) check() error {
	switch {
	case c.MaxSockets < 0:
		return config.Usagef("--max-sockets %d: use a positive number, or 0 for nine tenths of the file limit", c.MaxSockets)
	case c.CacheBytes < 1:
		return config.Usagef("--cache-bytes %d: use a positive number of bytes", c.CacheBytes)
	case c.SocketBudget < 1:
		return config.Usagef("--socket-budget %d: use a positive number of bytes", c.SocketBudget)
	case c.Ping < time.Second:
		return config.Usagef("--ping %s: use 1s or more", c.Ping)
	}
	return nil
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
