package geo

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"selvedge/core"
	"selvedge/edge"
	"selvedge/simulations/bubble"
	"selvedge/simulations/netsim"
	"selvedge/simulations/world"
)

// plan is one world of a run: the same scenario and the same seed, with one thing
// changed.
type plan struct {
	name     string
	scenario *Scenario
	atlas    *atlas
	seed     uint64

	edges   []int // by edge: its region's number
	direct  bool  // several edges of a region are strangers: none takes logs from another
	central bool  // clients use the core's region's edges, wherever they are
	clients int   // per region
	jitter  float64
	loss    float64
	trouble bool
	probe   time.Duration // of gossip; 0 = its default
	// rate is how many a region publishes per second at a time since publishing began,
	// at most peak.
	rate func(region int, at time.Duration) float64
	peak float64
	last time.Duration // how long is published

	settle, idle time.Duration // before that

	watch func(netsim.Packet) // sees each packet, beside who counts them; nil = nobody
}

// newPlan is a world with n edges in each region.
func newPlan(name string, s *Scenario, a *atlas, seed uint64, n int) *plan {
	perSecond := s.PublishesPerMinute / 60
	p := &plan{
		name: name, scenario: s, atlas: a, seed: seed, clients: s.ClientsPerRegion,
		jitter: s.Network.Jitter, loss: s.Network.Loss, last: s.For, settle: settle, idle: idle,
		rate: func(int, time.Duration) float64 { return perSecond }, peak: perSecond,
	}
	for r := range a.regions {
		for range n {
			p.edges = append(p.edges, r)
		}
	}
	return p
}

const (
	// settle is for gossip to tell everybody of everybody, and for edges to choose
	// relays.
	settle = 30 * time.Second
	// idle is how long nobody publishes, to see what that costs.
	idle = 30 * time.Second
	// patience bounds what follows the last publish: a client that lost its edge
	// believes in it for half a minute.
	patience = 3 * time.Minute
)

// play runs the world in a bubble of its own. It ends early, with an error, when
// outer does.
func (p *plan) play(outer context.Context, t *testing.T) (out *Outcome, err error) {
	begin, used := time.Now(), processTime()
	err = bubble.Play(outer, t, func(ctx context.Context, dir string) (err error) {
		out, err = p.run(ctx, dir)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.name, err)
	}
	out.Wall, out.CPU = time.Since(begin), processTime()-used
	return out, nil
}

// run is what happens in the bubble.
func (p *plan) run(ctx context.Context, dir string) (out *Outcome, err error) {
	spots := p.layOut()
	oceans := newTraffic(spots, len(p.atlas.regions))
	rec := newRecorder(len(p.atlas.regions))
	cfg := world.Config{
		Seed: p.seed, Dir: dir, Home: p.scenario.Core, Path: p.path(spots), Watch: p.watching(oceans),
		Core: func(c *core.Config) { c.OpenLog, c.GossipTiming.Probe = rec.open, p.probe },
	}
	seen := map[int]int{}
	strangers := map[string]string{} // by the edge's name: its region's
	for i, r := range p.edges {
		cfg.Regions = append(cfg.Regions, p.scenario.Regions[r])
		if seen[r]++; p.direct && seen[r] > 1 {
			strangers[fmt.Sprintf("edge-%d", i+1)] = fmt.Sprintf("%s-%d", p.scenario.Regions[r], seen[r])
		}
	}
	cfg.Edge = func(c *edge.Config) {
		c.GossipTiming.Probe = p.probe
		if other := strangers[c.Name]; other != "" {
			c.Region.Name = other
		}
	}
	w, err := world.Start(ctx, cfg)
	defer func() {
		if closing := w.Close(); err == nil {
			err = closing
		}
	}()
	if err != nil {
		return nil, err
	}
	rec.begins(w.Net.Since)
	crowd := newCrowd(p, virtual(w), rec)
	defer func() {
		if closing := crowd.leave(); err == nil {
			err = closing
		}
	}()
	if err := crowd.come(ctx); err != nil {
		return nil, err
	}
	if err := wait(ctx, p.settle); err != nil {
		return nil, err
	}
	return p.measure(ctx, w, crowd, oceans)
}

// watching is netsim.Config.Watch.
func (p *plan) watching(oceans *traffic) func(netsim.Packet) {
	if p.watch == nil {
		return oceans.watch
	}
	return func(packet netsim.Packet) {
		oceans.watch(packet)
		p.watch(packet)
	}
}

// measure publishes, and looks what becomes of it.
func (p *plan) measure(ctx context.Context, w *world.World, crowd *crowd, oceans *traffic) (*Outcome, error) {
	rec := crowd.rec
	before := oceans.so()
	if err := wait(ctx, p.idle); err != nil {
		return nil, err
	}
	quiet := oceans.so().minus(before)
	framesBefore, err := crowd.oceanFrames(ctx)
	if err != nil {
		return nil, err
	}
	if err := crowd.warm(ctx); err != nil {
		return nil, err
	}
	begin, bytesBefore := w.Net.Since(), oceans.so()
	rec.begin = begin
	if p.trouble {
		w.Net.Inject(p.faults(begin)...)
	}
	if err := crowd.publish(ctx); err != nil {
		return nil, err
	}
	took := w.Net.Since() - begin
	bytes := oceans.so().minus(bytesBefore)
	for deadline := w.Net.Since() + patience; rec.missing() > 0 && w.Net.Since() < deadline; {
		if err := wait(ctx, time.Second); err != nil {
			return nil, err
		}
	}
	frames, err := crowd.oceanFrames(ctx)
	if err != nil {
		return nil, err
	}
	stats := w.Net.Stats()
	out := rec.outcome(p)
	out.Quiet, out.Oceans, out.Took = quiet.oceans, bytes.oceans, took
	for i := range out.Regions {
		r := &out.Regions[i]
		r.OceanFrames, r.OceanBytes, r.QuietBytes = frames[i]-framesBefore[i], bytes.regional[i], quiet.regional[i]
		out.OceanFrames += r.OceanFrames
	}
	out.Virtual, out.Packets, out.PacketsLost = w.Net.Since(), stats.Sent, stats.Lost
	return out, nil
}

// faults are those of a plan with trouble, whose clock begins at begin.
func (p *plan) faults(begin time.Duration) []netsim.Fault {
	t := &p.scenario.Trouble
	outage := netsim.Fault{At: begin + t.OutageAt, For: t.OutageFor, Cut: true}
	reroute := netsim.Fault{At: begin + t.RerouteAt, For: t.RerouteFor, Worse: netsim.Path{Delay: t.Detour / 2}}
	spots := p.layOut()
	for i, r := range p.edges {
		if p.scenario.Regions[r] == t.Outage {
			outage.Hosts = append(outage.Hosts, world.EdgeHost(i))
		}
	}
	for host, s := range spots {
		away := false
		for _, name := range t.Reroute {
			away = away || p.scenario.Regions[s.region] == name
		}
		if away {
			reroute.Hosts = append(reroute.Hosts, host)
		} else {
			reroute.Others = append(reroute.Others, host)
		}
	}
	return []netsim.Fault{outage, reroute}
}

// dice are those of a region, for one thing.
func (p *plan) dice(what, region int) *rand.Rand {
	return rand.New(rand.NewPCG(p.seed, uint64(what)<<32|uint64(region)))
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
