package dev

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"selvedge/core"
	corelog "selvedge/core/log"
	"selvedge/edge"
	"selvedge/internal/config"
	"selvedge/internal/identity"
	"selvedge/internal/node"
	"selvedge/simulations/delay"
	"selvedge/simulations/fleet"
	"selvedge/topology/region"
)

const (
	host      = "127.0.0.1"
	corePort  = 7400 // API; then link, gossip, admin
	edgePort  = 7410 // the first edge's, as the core's; each next one ten further
	maxEdges  = 9
	readyTime = 20 * time.Second
)

// Config says what to run. It is not modified.
type Config struct {
	Core   region.Region
	Edges  []region.Region
	Data   string
	Delay  bool // as the oceans do
	Logger *slog.Logger
	Out    io.Writer // gets the URLs when all is ready
}

// place is one edge.
type place struct {
	name   string
	region region.Region
	port   int           // public
	rtt    time.Duration // to the core
}

func (p *place) url() string { return fmt.Sprintf("http://%s:%d", host, p.port) }

func addr(port int) string { return fmt.Sprintf("%s:%d", host, port) }

// Run runs the cluster until ctx ends or a node fails.
func Run(ctx context.Context, cfg Config) error {
	places := layOut(cfg)
	demo, err := newDemo(cfg, places)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	if err := startCore(ctx, g, cfg, demo); err != nil {
		return err
	}
	g.Go(func() error {
		wait, cancel := context.WithTimeout(ctx, readyTime)
		defer cancel()
		// Edges that come first would do as well, but complain of a missing core.
		if err := awaitReady(wait, "http://"+addr(corePort)); err != nil {
			return err
		}
		var urls []string
		for i := range places {
			if err := startEdge(ctx, g, cfg, &places[i]); err != nil {
				return err
			}
			urls = append(urls, places[i].url())
		}
		if err := awaitReady(wait, urls...); err != nil {
			return err
		}
		if err := seed(wait); err != nil {
			return err
		}
		return announce(cfg, places)
	})
	return g.Wait()
}

// layOut gives each edge its port and its distance.
func layOut(cfg Config) []place {
	places := make([]place, len(cfg.Edges))
	seen := map[string]int{}
	for i, r := range cfg.Edges {
		name := "edge-" + r.Name
		if seen[r.Name]++; seen[r.Name] > 1 {
			name = fmt.Sprintf("%s-%d", name, seen[r.Name])
		}
		places[i] = place{name: name, region: r, port: edgePort + 10*i}
		if cfg.Delay {
			places[i].rtt, _ = region.Between(cfg.Core, r)
		}
	}
	return places
}

func devKeys(role, name string) (node.Keys, error) {
	id, err := identity.DevNode(role, name)
	return node.Keys{Identity: id, Gossip: identity.DevGossipKey()}, err
}

func reachable(bound net.Addr) (string, error) { return bound.String(), nil }

func startCore(ctx context.Context, g *errgroup.Group, cfg Config, demo http.Handler) error {
	name := "core-" + cfg.Core.Name
	keys, err := devKeys("core", name)
	if err != nil {
		return err
	}
	c := core.Config{
		Name: name, Region: cfg.Core, Keys: keys, APIKeys: identity.DevAPIKeys(),
		Build: config.ReadBuild(), Logger: cfg.Logger.With("node", name),
		APIAddr: addr(corePort), LinkAddr: addr(corePort + 1), GossipAddr: addr(corePort + 2), AdminAddr: addr(corePort + 3),
		Reachable: reachable, Log: corelog.Config{Dir: filepath.Clean(cfg.Data)}, Mount: demo,
	}
	g.Go(func() error { return core.Run(ctx, c) })
	return nil
}

func startEdge(ctx context.Context, g *errgroup.Group, cfg Config, p *place) error {
	keys, err := devKeys("edge", p.name)
	if err != nil {
		return err
	}
	c := edge.Config{
		Name: p.name, Region: p.region, Keys: keys, Tokens: identity.DevTokens(), Seeds: []string{addr(corePort + 2)},
		Build: config.ReadBuild(), Logger: cfg.Logger.With("node", p.name),
		PublicAddr: addr(p.port), LinkAddr: addr(p.port + 1), GossipAddr: addr(p.port + 2), AdminAddr: addr(p.port + 3),
		Reachable: reachable, Transport: edge.DefaultTransport(), AllowedOrigins: []string{"*"}, Compression: true,
		CacheBytes: 64 << 20, Ping: 25 * time.Second,
	}
	if oneWay := p.rtt / 2; oneWay > 0 {
		c.WrapLink = func(pc net.PacketConn) net.PacketConn {
			return delay.Wrap(pc, func(net.Addr) time.Duration { return oneWay })
		}
	}
	g.Go(func() error { return edge.Run(ctx, c) })
	return nil
}

// awaitReady waits until every node is fit for traffic.
func awaitReady(ctx context.Context, urls ...string) error {
	for _, url := range urls {
		for !fleet.Ready(ctx, url) {
			select {
			case <-ctx.Done():
				if errors.Is(ctx.Err(), context.DeadlineExceeded) {
					return fmt.Errorf("%s was not ready within %v: run with --log-level info to see why", url, readyTime)
				}
				return ctx.Err()
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
	return nil
}

// announce prints where everything is.
func announce(cfg Config, places []place) error {
	var out strings.Builder
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(&out, format+"\n", args...) } // a Builder takes all
	line("\nSelvedge is running on this machine only, with development keys. Data: %s\n", cfg.Data)
	line("  demo page   http://%s   open it twice, in two regions, and chat", addr(corePort))
	line("  console     http://%s   the map, live", addr(corePort+3))
	line("  core API    http://%s/v1   key: %s   (%s)", addr(corePort), identity.DevAPIKey, cfg.Core.Name)
	for i := range places {
		p := &places[i]
		line("  edge        %s   %-14s %s away from the core and back", p.url(), p.region.Name, p.rtt.Round(100*time.Microsecond))
	}
	line("\nPublish, and see it in every page:\n")
	line(`  curl -H 'Authorization: Bearer %s' -H 'Content-Type: application/json' \`, identity.DevAPIKey)
	line(`       -d '{"channel":"room:general","from":"curl","data":{"text":"Hello, world"}}' http://%s/v1/publish`, addr(corePort))
	line("\nOr listen as a user in another terminal:  selvedge listen --dev --user u1")
	line("Ctrl-C stops it.\n")
	_, err := io.WriteString(cfg.Out, out.String())
	return err
}
