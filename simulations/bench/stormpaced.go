package bench

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"selvedge/internal/config"
	"selvedge/simulations/fleet"
	"selvedge/simulations/load"
)

const (
	// newShare is the part of the clients that are new, 1 in so many.
	newShare = 10
	// mostPaced is how many clients this process holds, under the usual limit of
	// 20,000 files.
	mostPaced = 15_000
)

// pacedStorm is a storm at an edge that takes so many sockets per second, of
// clients that do what the SDK does: an edge without a limit holds them, and is
// killed. Others are new. They come when those do that come back, one with each so
// many, so that only what the edge makes of it tells both apart.
type pacedStorm struct {
	*StormCommand
	*rig

	quiet, edge *fleet.Node
	in          time.Duration // CPU of the quiet edge, for all that came to it
	used        time.Duration // CPU of the edge, from the kill to the last welcome, beside idle
	idle        float64       // CPU of the edge without sockets, in CPUs
	result      scrape        // of the edge, over the same time
	back, fresh arrivals
	took        time.Duration // from the kill to the last of them
}

// measurePaced is measure with a limit.
func (c *StormCommand) measurePaced(ctx context.Context, stdio *config.IO) (*Result, error) {
	if c.Sockets > mostPaced {
		return nil, config.Usagef("--sockets %d: at most %d with --rate", c.Sockets, mostPaced)
	}
	if c.TLS {
		return nil, config.Usagef("--rate is measured without --tls")
	}
	r, err := newRig(ctx, "bench storm", stdio, c.Sockets, c.edgeFlags)
	s := &pacedStorm{StormCommand: c, rig: r}
	if err == nil {
		err = s.run(ctx)
	}
	if err = r.end(err); err != nil {
		return nil, err
	}
	return s.table(), nil
}

func (s *pacedStorm) run(ctx context.Context) error {
	s.progress("%d users in %d of %d rooms each", s.Sockets, s.PerUser, s.Rooms)
	if err := s.populate(ctx, s.Sockets, s.Rooms, s.PerUser); err != nil {
		return err
	}
	s.quiet = s.fleet.Edges[0]
	var err error
	if s.edge, err = s.fleet.StartEdge(ctx, place, "--transport", s.Transport, "--accept-rate", fmt.Sprint(s.Rate)); err != nil {
		return err
	}
	clients, stop := context.WithCancel(ctx)
	var running errgroup.Group
	defer func() {
		stop()
		_ = running.Wait() // each ends with the context's error
	}()
	start := func(g *guest) { running.Go(func() error { return g.client.Run(clients) }) }
	held, fresh, err := s.fill(ctx, start)
	if err != nil {
		return err
	}
	return s.kill(ctx, held, fresh, start)
}

// fill has those clients come to the quiet edge that will come back, and makes the
// new ones.
func (s *pacedStorm) fill(ctx context.Context, start func(*guest)) (held, fresh []*guest, err error) {
	begun := time.Now()
	idle, err := load.CPU(s.edge.PID())
	if err != nil {
		return nil, nil, err
	}
	before, err := load.CPU(s.quiet.PID())
	if err != nil {
		return nil, nil, err
	}
	count := s.Sockets - s.Sockets/newShare
	s.progress("%d clients come to an edge without a limit", count)
	there := newStay(s.quiet.URL, count)
	for i := range s.Sockets {
		g, err := newGuest(i, s.quiet.URL, s.edge.URL)
		if err != nil {
			return nil, nil, err
		}
		if i >= count {
			fresh = append(fresh, g)
			continue
		}
		held = append(held, g)
		g.goesTo(there)
		start(g)
	}
	if err := there.full(ctx); err != nil {
		return nil, nil, err
	}
	if err := settle(ctx, quiet); err != nil {
		return nil, nil, err
	}
	now, err := load.CPU(s.quiet.PID())
	if err != nil {
		return nil, nil, err
	}
	s.in = now - before
	idleNow, err := load.CPU(s.edge.PID())
	s.idle = float64(idleNow-idle) / float64(time.Since(begun))
	return held, fresh, err
}

// kill kills the quiet edge, and waits until all clients are at the other.
func (s *pacedStorm) kill(ctx context.Context, held, fresh []*guest, start func(*guest)) error {
	s.progress("it is killed: %d come to one that takes %g per second, and %d new ones", len(held), s.Rate, len(fresh))
	cpu, err := load.CPU(s.edge.PID())
	if err != nil {
		return err
	}
	counts, err := scrapeNode(ctx, s.edge.Admin)
	if err != nil {
		return err
	}
	back, strangers := newStay(s.edge.URL, len(held)), newStay(s.edge.URL, len(fresh))
	for _, g := range held {
		g.goesTo(back)
	}
	for _, g := range fresh {
		g.goesTo(strangers)
	}
	killed := time.Now()
	s.quiet.Kill()
	for i, g := range fresh {
		if err := back.tried(ctx, i*len(held)/len(fresh)+1); err != nil {
			return err
		}
		start(g)
	}
	for _, h := range []*stay{back, strangers} {
		if err := h.full(ctx); err != nil {
			return err
		}
	}
	s.back, s.fresh = back.arrivals(), strangers.arrivals()
	s.took = time.Since(killed)
	after, err := load.CPU(s.edge.PID())
	if err != nil {
		return err
	}
	s.used = after - cpu - time.Duration(s.idle*float64(s.took))
	now, err := scrapeNode(ctx, s.edge.Admin)
	if err != nil {
		return err
	}
	s.result = now.since(counts)
	return nil
}

// table is the result.
func (s *pacedStorm) table() *Result {
	r := newResult("bench storm --rate", s.StormCommand, s.Quick)
	count := func(result string) float64 { return s.result[`selvedge_edge_accepts_total{result="`+result+`"}`] }
	held := len(s.back.millis)
	free := micros(s.in, held)
	s.back.show(r, "clients whose edge was killed, and that are back")
	s.fresh.show(r, "new clients that are in")
	r.show("until all are in", "s", s.took.Seconds())
	r.show("  sockets taken per second", "1/s", float64(s.Sockets)/s.took.Seconds())
	r.show("refused by 503 with Retry-After", "", count("rate"))
	r.show("closed at accept", "", count("shed"))
	r.show("edge CPU per client welcomed without a limit", "us", free)
	r.show("edge CPU per client welcomed in the storm, refusals included", "us", micros(s.used, s.Sockets))
	r.note("clients are Go SDKs; those whose edge is killed know both edges. Times are from a client's first try at the limited one, to which a new one comes with each %d that come back. It takes %g sockets per second and as many at once, so that all could be in after %.1f s",
		newShare-1, s.Rate, max(0, float64(s.Sockets)-s.Rate)/s.Rate)
	r.note("what an edge without sockets uses, %.1f %% of a CPU, is taken off; what each refusal costs, BenchmarkDoor in edge/door tells", 100*s.idle)
	r.note("the clients are in this process, on the same machine: their CPU makes the edge's dearer")
	return r
}
