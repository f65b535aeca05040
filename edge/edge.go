package edge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"selvedge/edge/door"
	"selvedge/edge/upstream"
	"selvedge/internal/identity"
	"selvedge/internal/node"
	"selvedge/internal/telemetry"
	"selvedge/topology"
	"selvedge/topology/gossip"
	"selvedge/wire/link"
)

const (
	// fresh is how old the last watermark may be for the edge to count as ready
	// (rule 5).
	fresh = 3 * time.Second
	// tick paces the look at freshness and load.
	tick = time.Second
	// leaveTimeout bounds the goodbye to the others.
	leaveTimeout = 2 * time.Second
	// closeTimeout bounds the wait for sockets to take their close frames.
	closeTimeout = 2 * time.Second
	// spareFiles are what an edge needs beside its sockets: the door's reserve
	// of connections, and all else.
	spareFiles = door.Reserve + 256
)

// edgeNode is a running edge.
type edgeNode struct {
	// Fixed by Run before anything is served.
	cfg      Config
	verifier *identity.Verifier
	gossip   *gossip.Gossip
	up       *upstream.Upstream
	siblings *siblings
	metrics  *metrics
	ready    *telemetry.Ready
	load     *loadMeter // nil = an idle edge's
	limit    int
	started  time.Time
	stop     context.CancelFunc // as SIGTERM does

	world     atomic.Pointer[world]
	door      atomic.Pointer[door.Door]
	draining  atomic.Bool
	lastTold  atomic.Int64 // when gossip was told our load: nanoseconds since started
	lastWater atomic.Int64 // of the newest watermark: nanoseconds since started, whatever the wall clock does
}

// Run runs an edge until ctx ends, or a core orders it to drain, then drains it and
// says goodbye. It fails at once if an address is taken or a key is wrong.
func Run(ctx context.Context, cfg Config) (err error) {
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	n := &edgeNode{cfg: cfg, ready: telemetry.NewReady("gossip", "link"), started: time.Now(), stop: leave}
	if n.verifier, err = identity.NewVerifier(cfg.Tokens); err != nil {
		return err
	}
	if n.limit, err = socketLimit(cfg.MaxSockets); err != nil {
		return err
	}
	n.load = newLoadMeter(cfg.CPUTime)
	reg := telemetry.NewRegistry(cfg.Build)
	n.metrics = newMetrics(reg, cfg.Region.Name)

	network := telemetry.OpenedBy(cfg.Network)
	public, err := network.Listen("public", cfg.PublicAddr, "public-addr")
	if err != nil {
		return err
	}
	defer public.Close()
	pc, err := node.ListenLink(network, cfg.LinkAddr, cfg.WrapLink)
	if err != nil {
		return err
	}
	defer pc.Close()
	linkTransport := link.NewTransport(pc)
	defer linkTransport.Close()

	self, err := n.describe(public.Addr(), pc.LocalAddr())
	if err != nil {
		return err
	}
	if n.gossip, err = gossip.Start(ctx, gossip.Config{
		Self: self, Bind: cfg.GossipAddr, Seeds: cfg.Seeds, Keys: cfg.Keys.Gossip, Cluster: cfg.Cluster, Timing: cfg.GossipTiming, Logger: cfg.Logger,
		Transport: cfg.GossipTransport,
	}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.gossip.Close()) }()
	changed, unwatch := n.gossip.Watch()
	defer unwatch()

	told := ctx // everything outlives it by the drain
	g, failed := errgroup.WithContext(context.WithoutCancel(told))
	ctx, stop := context.WithCancel(failed)
	defer stop()
	// The sockets outlive ctx by their goodbye.
	socketsCtx, endSockets := context.WithCancel(context.WithoutCancel(ctx))
	defer endSockets()
	n.siblings = newSiblings(n)
	if n.siblings.server, err = link.ListenOn(linkTransport, link.ServerConfig{
		TLS: cfg.Keys.Identity.ServerTLS(), Source: n.siblings.relay, Logger: cfg.Logger, Events: n.linkEvents(),
	}); err != nil {
		return err
	}
	n.up = upstream.New(upstream.Config{
		Transport: linkTransport, TLS: cfg.Keys.Identity.ClientTLS(), Node: cfg.Name, Region: cfg.Region.Name,
		Relay: n.siblings.relayOf, Placed: n.siblings.relay.Placed, Fed: n.siblings.fed,
		Targets: n.targets, TargetsChanged: changed, Sink: &follower{n: n, ctx: socketsCtx, g: g}, Logger: cfg.Logger,
		Status: n.linkStatus, Ordered: n.ordered, Events: n.metrics.upstreamEvents(),
	})
	n.gauges(reg)
	admin, err := telemetry.StartAdmin(cfg.AdminAddr, telemetry.AdminConfig{
		Registry: reg, Ready: n.ready, Varz: func() any { return n.status() }, Logger: cfg.Logger,
		Network: cfg.Network,
	})
	if err != nil {
		return err
	}
	cfg.Logger.Info("edge started", "region", cfg.Region.Name, "public", self.Public, "gossip", n.gossip.Addr(), "admin", admin.Addr(), "sockets_limit", n.limit)

	g.Go(func() error { return n.up.Run(ctx) })
	g.Go(func() error { return n.siblings.server.Run(ctx) })
	g.Go(func() error { return n.warm(ctx) })
	g.Go(func() error { return n.watch(ctx) })
	g.Go(func() error { return n.serve(ctx, public) })
	g.Go(func() error {
		defer endSockets()
		defer stop()
		select {
		case <-told.Done():
			n.drain(failed)
		case <-failed.Done():
		}
		n.goodbye()
		return nil
	})
	err = g.Wait()
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
	defer cancel()
	return errors.Join(err, admin.Close(closing))
}

// describe is this node as the others see it.
func (n *edgeNode) describe(public, udp net.Addr) (topology.Node, error) {
	linkAddr, err := n.cfg.Reachable(udp)
	if err != nil {
		return topology.Node{}, err
	}
	url := cmp.Or(n.cfg.RegionalURL, n.cfg.AdvertiseURL)
	if url == "" {
		addr, err := n.cfg.Reachable(public)
		if err != nil {
			return topology.Node{}, err
		}
		if url = "http://" + addr; n.cfg.TLS != nil {
			url = "https://" + addr
		}
	}
	return topology.Node{
		ID: topology.NodeID(n.cfg.Name), Role: topology.RoleEdge, Region: n.cfg.Region.Name, Zone: n.cfg.Zone,
		Lat: n.cfg.Region.Lat, Lon: n.cfg.Region.Lon, State: topology.StateStarting,
		Link: linkAddr, Public: url, Regional: n.cfg.RegionalURL != "", Version: n.cfg.Build.Version,
	}, nil
}

// watch keeps readiness, state and load true.
func (n *edgeNode) watch(ctx context.Context) error {
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		if len(n.gossip.Snapshot().Cores()) > 0 {
			n.ready.Met("gossip")
		} else if err := n.gossip.LastError(); err != nil {
			n.ready.Unmet("gossip", err.Error())
		} else {
			n.ready.Unmet("gossip", "no core is known")
		}
		if since := time.Since(n.started) - time.Duration(n.lastWater.Load()); n.world.Load() != nil && since < fresh {
			n.ready.Met("link")
		} else {
			n.ready.Unmet("link", "no word from a core")
		}
		n.measure()
		n.tell()
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

// tell gossips our state and load when they changed enough to matter.
func (n *edgeNode) tell() {
	state := topology.StateStarting
	switch {
	case n.draining.Load():
		state = topology.StateDraining
	case len(n.ready.Reasons()) == 0:
		state = topology.StateReady
	}
	load, now := n.load.load().total(), time.Since(n.started)
	self, _ := n.gossip.Snapshot().Node(topology.NodeID(n.cfg.Name))
	if self.State == state && !worthTelling(load, self.Load, now-time.Duration(n.lastTold.Load())) {
		return
	}
	n.lastTold.Store(int64(now))
	if err := n.gossip.Update(func(s *topology.Node) { s.State, s.Load = state, load }); err != nil {
		n.cfg.Logger.Debug("gossip update", "err", err)
	}
}

func (n *edgeNode) watermark() { n.lastWater.Store(int64(time.Since(n.started))) }

func (n *edgeNode) sockets() int {
	if w := n.world.Load(); w != nil {
		return w.engine.Sockets()
	}
	return 0
}

func (n *edgeNode) clockOffset() time.Duration {
	_, _, offset, _ := n.up.Status()
	return offset
}

// Status is what /varz shows of an edge, and what a console may poll.
type Status struct {
	Node          string  `json:"node"`
	Region        string  `json:"region"`
	Upstream      string  `json:"upstream,omitempty"`
	RTTMillis     float64 `json:"rtt_ms"`
	Load          float64 `json:"load"` // as gossip has it, from LoadParts
	LoadParts     Load    `json:"load_parts"`
	Sockets       int     `json:"sockets"`
	SocketsLimit  int     `json:"sockets_limit"`
	Users         int     `json:"users"`
	Interests     int     `json:"interests"`
	CacheBytes    int64   `json:"cache_bytes"`
	Frames        uint64  `json:"frames"` // received since the start
	LinkBytes     uint64  `json:"link_bytes"`
	Delivered     uint64  `json:"delivered"` // to sockets since the start
	DelayMillis   float64 `json:"delay_ms"`  // of the newest frame
	UptimeSeconds float64 `json:"uptime_s"`
	Logs          int     `json:"logs"`          // taken from upstreams
	Siblings      int     `json:"siblings"`      // that take logs from this edge
	FedLogs       int     `json:"fed_logs"`      // to siblings, each of them counted
	FedInterests  int     `json:"fed_interests"` // of theirs
}

func (n *edgeNode) status() Status {
	s := Status{
		Node: n.cfg.Name, Region: n.cfg.Region.Name, SocketsLimit: n.limit, UptimeSeconds: time.Since(n.started).Seconds(),
		Load: n.load.load().total(), LoadParts: n.load.load(),
		Interests: n.up.Interests(), Frames: n.metrics.framesN.Load(), LinkBytes: n.metrics.bytesN.Load(),
		Delivered: n.metrics.deliveredN.Load(), DelayMillis: float64(n.metrics.lastDelay.Load()) / 1e6,
	}
	for _, p := range n.siblings.server.Peers() {
		s.FedInterests += p.Interests
		if p.Logs > 0 {
			s.Siblings++
			s.FedLogs += p.Logs
		}
	}
	if to, rtt, _, ok := n.up.Status(); ok {
		s.Upstream, s.RTTMillis = to, float64(rtt)/1e6
	}
	if w := n.world.Load(); w != nil {
		s.Sockets, s.Users, s.CacheBytes, s.Logs = w.engine.Sockets(), w.sessions.Users(), w.cache.Bytes(), w.cache.Logs()
	}
	return s
}

// linkStatus is the part of status that the core's console shows.
func (n *edgeNode) linkStatus() link.Status {
	s := n.status()
	return link.Status{
		Sockets: s.Sockets, SocketsLimit: s.SocketsLimit, Users: s.Users, Frames: s.Frames, Bytes: s.LinkBytes, Delivered: s.Delivered,
		DelayMillis: s.DelayMillis, RTTMillis: s.RTTMillis, UptimeMillis: int64(s.UptimeSeconds * 1000), Fed: n.metrics.fedN.Load(),
	}
}

// socketLimit is how many sockets the process can hold.
func socketLimit(want int) (int, error) {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil {
		return 0, fmt.Errorf("read the file limit: %w", err)
	}
	limit := int(min(r.Cur, 1<<30))
	if want == 0 {
		return max(limit/10*9-spareFiles, 1), nil
	}
	if want+spareFiles > limit {
		return 0, fmt.Errorf("--max-sockets %d needs a file limit of %d, it is %d: raise it (ulimit -n) or choose at most %d", want, want+spareFiles, limit, limit-spareFiles)
	}
	return want, nil
}
