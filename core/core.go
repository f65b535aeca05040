package core

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/hashicorp/memberlist"
	"golang.org/x/sync/errgroup"

	"selvedge/core/api"
	"selvedge/core/console"
	"selvedge/core/directory"
	"selvedge/core/feed"
	corelog "selvedge/core/log"
	"selvedge/internal/config"
	"selvedge/internal/identity"
	"selvedge/internal/node"
	"selvedge/internal/telemetry"
	"selvedge/topology"
	"selvedge/topology/gossip"
	"selvedge/topology/region"
	"selvedge/wire"
	"selvedge/wire/link"
)

// Config is what a core needs to run. It is not modified.
type Config struct {
	Name    string
	Region  region.Region
	Zone    string
	Keys    node.Keys
	APIKeys *identity.APIKeys
	Seeds   []string // gossip addresses to join by
	Cluster string   // its name; see gossip.Config
	// GossipTiming says how fast gossip finds failures; zero = as it thinks best.
	GossipTiming gossip.Timing
	Build        config.Build
	Logger       *slog.Logger

	APIAddr, LinkAddr, GossipAddr, AdminAddr string
	Reachable                                func(bound net.Addr) (string, error)

	// Log says where the logs are. Its Logger is set by Run, and with three
	// embedded replicas its Cluster, with LogAddr for the other cores.
	Log     corelog.Config
	LogAddr string
	// OpenLog opens the logs in place of log.Open, for simulated ones; nil = log.Open.
	OpenLog func(ctx context.Context, cfg corelog.Config) (Store, error)
	// TailBytes bounds the recent end of each log that is held in memory, in
	// bytes; 0 = 16 MiB.
	TailBytes int

	// Drain is how long edges are given to take their logs to other cores when ctx
	// ends; 0 = none. Without another core nobody waits.
	Drain time.Duration

	// Mount serves the paths of the API port that are not the API's; nil = 404.
	Mount http.Handler
	// WrapLink replaces the link's socket, for simulated latency; nil = not.
	WrapLink func(net.PacketConn) net.PacketConn
	// Network opens the sockets, and GossipTransport replaces gossip's, for
	// simulated networks; nil = the system's.
	Network         telemetry.Network
	GossipTransport memberlist.Transport
}

// leaveTimeout bounds the goodbye to the others.
const leaveTimeout = 2 * time.Second

// coreNode is a running core.
type coreNode struct {
	cfg       Config
	log       Store
	publisher *corelog.Counted // the log, as backends and clients publish to it
	view      *directory.View
	feed      *feed.Feed
	links     *link.Server
	gossip    *gossip.Gossip
	ready     *telemetry.Ready
	metrics   *metrics
	board     *console.Console
	started   time.Time
	stop      context.CancelFunc // as SIGTERM does
	lastCall  lastCall
}

// Run runs a core until ctx ends, or it is ordered to drain, then drains it, says goodbye
// and closes the logs in good order. It fails at once if an address is taken, a key is wrong, or the data
// folder can't be used or has another core.
func Run(ctx context.Context, cfg Config) (err error) {
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	n := &coreNode{cfg: cfg, ready: telemetry.NewReady("logs"), started: time.Now(), stop: leave}
	network := telemetry.OpenedBy(cfg.Network)
	apiListener, err := network.Listen("api", cfg.APIAddr, "api-addr")
	if err != nil {
		return err
	}
	front := n.openFront(ctx, apiListener, cfg.Logger)
	defer front.close()
	pc, err := node.ListenLink(network, cfg.LinkAddr, cfg.WrapLink)
	if err != nil {
		return err
	}
	defer pc.Close()
	reg, back := telemetry.NewRegistry(cfg.Build), newBack(n.ready)
	admin, err := telemetry.StartAdmin(cfg.AdminAddr, telemetry.AdminConfig{
		Registry: reg, Ready: n.ready, Mount: back, Logger: cfg.Logger, Varz: back.varz, Network: cfg.Network,
	})
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
		defer cancel()
		err = errors.Join(err, admin.Close(closing))
	}()
	// Before the logs: three cores find each other by it.
	if err := n.startGossip(ctx, apiListener.Addr(), pc.LocalAddr()); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.gossip.Close()) }()
	if err := n.openStore(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // told to stop while it waited for the others
		}
		return err
	}
	defer func() { err = errors.Join(err, n.view.Close(), n.log.Close()) }()

	n.ready.Unmet("logs", "reading the logs")
	n.metrics = newMetrics(reg, n)
	n.publisher = corelog.Count(n.log, reg)
	n.feed = feed.New(feed.Config{
		Log: n.log, View: n.view, Dir: filepath.Join(cfg.Log.Dir, "feed"), TailBytes: cfg.TailBytes, Publish: n.publisher.Publish, Signal: n.signal, Queried: n.metrics.queried, Logger: cfg.Logger,
	})
	if n.links, err = link.Listen(pc, link.ServerConfig{
		TLS: cfg.Keys.Identity.ServerTLS(), Source: n.feed, Ordered: n.ordered, Logger: cfg.Logger, Events: n.linkEvents(),
	}); err != nil {
		return err
	}

	n.log.Signals(func(sig *wire.Signal) { n.signalLinks("", sig) })

	n.board = console.New(console.Config{
		Self: topology.NodeID(cfg.Name), Nodes: n.gossip.Snapshot, Links: n.links.Peers, Published: n.metrics.published, Sent: n.metrics.bytes,
		Epoch: n.log.Epoch, Logs: n.log.Logs(),
	})
	state := n.board.State
	back.use(n.board)
	back.state.Store(&state)
	front.use(n.handler(reg))
	cfg.Logger.Info("core started", "region", cfg.Region.Name, "api", apiListener.Addr().String(), "link", pc.LocalAddr().String(),
		"gossip", n.gossip.Addr(), "admin", admin.Addr(), "data", cfg.Log.Dir, "epoch", n.log.Epoch(), "logs", n.log.Logs())

	told := ctx // everything outlives it by the drain
	g, failed := errgroup.WithContext(context.WithoutCancel(told))
	ctx, stop := context.WithCancel(failed)
	defer stop()
	g.Go(func() error { return n.feed.Run(ctx) })
	g.Go(func() error { return n.board.Run(ctx) })
	g.Go(func() error { return n.serveLinks(ctx) })
	g.Go(func() error { return front.run(ctx) })
	g.Go(func() error {
		defer stop()
		select {
		case <-told.Done():
			n.drain(failed)
		case <-failed.Done():
		}
		n.goodbye()
		n.lastCall.wait(failed)
		return nil
	})
	return g.Wait()
}

// openStore opens the logs, and the view of the state log beside them.
func (n *coreNode) openStore(ctx context.Context) (err error) {
	cfg := n.cfg.Log
	cfg.Logger = n.cfg.Logger
	cfg.Waiting = func(what string) { n.ready.Unmet("logs", what) }
	if cfg.Replicas > 1 && len(cfg.Servers) == 0 {
		cfg.Cluster = &corelog.Cluster{
			Name: n.cfg.Name, Addr: n.cfg.LogAddr, Advertise: n.cfg.Reachable, Identity: n.cfg.Keys.Identity,
			Peers: logPeers{n.gossip, topology.NodeID(n.cfg.Name)},
		}
	}
	open := n.cfg.OpenLog
	if open == nil {
		open = openLog
	}
	if n.log, err = open(ctx, cfg); err != nil {
		return err
	}
	if n.view, err = directory.Open(directory.Config{
		Dir: filepath.Join(cfg.Dir, "directory"), Epoch: n.log.Epoch(), Logger: n.cfg.Logger,
	}); err != nil {
		return errors.Join(err, n.log.Close())
	}
	return nil
}

// serveLinks takes links once the feed knows every channel's last frame.
func (n *coreNode) serveLinks(ctx context.Context) error {
	select {
	case <-n.feed.Ready():
	case <-ctx.Done():
	}
	if ctx.Err() == nil {
		n.ready.Met("logs")
		if err := tellReady(n.gossip); err != nil {
			return err
		}
	}
	return n.links.Run(ctx)
}

// tellReady tells the others that a core is ready that has been starting. One that was
// told to stop meanwhile drains, or has left.
func tellReady(g *gossip.Gossip) error {
	err := g.Update(func(s *topology.Node) {
		if s.State == topology.StateStarting {
			s.State = topology.StateReady
		}
	})
	if errors.Is(err, gossip.ErrClosed) {
		return nil
	}
	return err
}

func (n *coreNode) startGossip(ctx context.Context, apiAddr, udp net.Addr) error {
	linkAddr, err := n.cfg.Reachable(udp)
	if err != nil {
		return err
	}
	httpAddr, err := n.cfg.Reachable(apiAddr)
	if err != nil {
		return err
	}
	n.gossip, err = gossip.Start(ctx, gossip.Config{
		Self: topology.Node{
			ID: topology.NodeID(n.cfg.Name), Role: topology.RoleCore, Region: n.cfg.Region.Name, Zone: n.cfg.Zone,
			Lat: n.cfg.Region.Lat, Lon: n.cfg.Region.Lon, State: topology.StateStarting,
			Link: linkAddr, API: httpAddr, Version: n.cfg.Build.Version,
		},
		Bind: n.cfg.GossipAddr, Seeds: n.cfg.Seeds, Keys: n.cfg.Keys.Gossip, Cluster: n.cfg.Cluster, Timing: n.cfg.GossipTiming, Logger: n.cfg.Logger,
		Transport: n.cfg.GossipTransport,
	})
	return err
}

// signal hands a signal to the links that hold interest in its channel, but for the
// one that it came from, and to the other cores.
func (n *coreNode) signal(from string, s *wire.Signal) {
	n.signalLinks(from, s)
	if err := n.log.Signal(s); err != nil {
		n.cfg.Logger.Debug("signal kept from the other cores", "err", err)
	}
}

func (n *coreNode) signalLinks(from string, s *wire.Signal) {
	if err := n.links.Signal(from, s, wire.LogOf(s.Ch, n.log.Logs())); err != nil {
		n.cfg.Logger.Debug("signal dropped", "err", err)
	}
}

func (n *coreNode) linkEvents() link.ServerEvents {
	log := n.cfg.Logger
	return link.ServerEvents{
		Up: func(node, region string) { log.Info("link up", "edge", node, "region", region) },
		Down: func(node, region string, err error) {
			if err == nil {
				log.Info("link closed", "edge", node, "region", region)
				return
			}
			log.Warn("link down", "edge", node, "region", region, "err", err)
		},
		Refused:    func(addr net.Addr, err error) { log.Warn("link refused", "addr", addr.String(), "err", err) },
		Sent:       n.metrics.sent,
		ReadFailed: func(p wire.LogID, err error) { log.Warn("log can't be read", "log", p, "err", err) },
	}
}

// history adapts the feed's pages to the API's.
func (n *coreNode) history(ctx context.Context, ch wire.Channel, before, after *wire.Seq, limit int) (api.HistoryPage, error) {
	page, err := n.feed.History(ctx, ch, before, after, limit)
	if err != nil {
		return api.HistoryPage{}, fmt.Errorf("history of %s: %w", ch, err)
	}
	out := api.HistoryPage{Frames: page.Frames, Floor: page.Floor, Last: page.Last}
	if page.More {
		out.Next = page.Next
	}
	return out, nil
}
