package bench

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"selvedge/core/client"
	"selvedge/internal/config"
	"selvedge/simulations/load"
	"selvedge/wire"
)

// GCCommand is `selvedge bench gc`.
type GCCommand struct {
	Sockets    int     `help:"Sockets at one edge." default:"18000"`
	Seconds    float64 `help:"How long to publish." default:"60"`
	Pauses     int     `help:"Go on for as many pauses of the collector; 0 = as there are." default:"100"`
	Most       float64 `help:"Seconds after which that ends, however few there were." default:"300"`
	Halls      int     `help:"Rooms that are published to; each socket is in one." default:"18"`
	Rooms      int     `help:"Rooms in all beside them." default:"2000"`
	PerUser    int     `help:"Of these, those that each user is in." default:"19"`
	Publishers int     `help:"Connections over which messages are published." default:"8"`
	Ahead      int     `help:"Messages to each room that may be published and not yet received by all." default:"2"`
	Size       int     `help:"Mean size of a message, in bytes of JSON." default:"1024"`
	Seed       uint64  `help:"Another one gives other messages." default:"1"`
	InFlight   int     `help:"Sockets that are connected at once." default:"200"`
	Apart      bool    `help:"The edge has the first CPU to itself, and all else the others. Uses taskset."`
	edgeFlags
	checks
	Quick bool   `help:"Few sockets and a short time, for a look."`
	JSON  string `help:"Write the result to this file, too." placeholder:"FILE" name:"json"`
}

// Help teaches the command.
func (*GCCommand) Help() string {
	return `How much Go's garbage collector disturbs an edge that is full and busy: messages are published to rooms of 1,000 as fast as
their members take them. What the collector did in that time is read from the edge's own metrics: its pauses
(go_sched_pauses_total_gc_seconds, Go's /sched/pauses/total/gc) and its CPU time (go_cpu_classes_gc_total_cpu_seconds).

A p99 needs a hundred pauses, and at this load there are some in a minute: more with smaller rooms, since then more messages
make the same load.

Clients on the same CPUs take them from the edge in the middle of a pause, for as long as the kernel sees fit; a machine that is
an edge's own has no such clients. --apart keeps them away from it.

  selvedge bench gc
  selvedge bench gc --apart
  selvedge bench gc --halls 360 --most 900
  selvedge bench gc --sockets 5000 --halls 5 --seconds 10 --pauses 0`
}

// Run measures, and prints a table.
func (c *GCCommand) Run(ctx context.Context, stdio *config.IO) error {
	res, err := c.measure(ctx, stdio)
	if err != nil {
		return fmt.Errorf("bench gc: %w", err)
	}
	return res.finish(stdio.Stdout, c.JSON)
}

func (c *GCCommand) measure(ctx context.Context, stdio *config.IO) (*Result, error) {
	if c.Quick {
		c.Sockets, c.Seconds, c.Halls, c.Rooms = min(c.Sockets, 2000), min(c.Seconds, 5), min(c.Halls, 4), min(c.Rooms, 200)
		c.Pauses = 0
	}
	if c.Sockets < 1 || c.Sockets > edgeSockets || c.Seconds <= 0 || c.Halls < 1 || c.Halls > c.Sockets || c.PerUser < 0 || c.Rooms < c.PerUser ||
		c.Publishers < 1 || c.Pauses < 0 || c.Most < 0 || c.Ahead < 1 || c.Size < 1 || c.InFlight < 1 {
		return nil, config.Usagef("every number must be positive, there can be at most %d sockets, no more --halls than these, and no more --per-user than --rooms", edgeSockets)
	}
	c.apart = c.Apart
	r, err := newRig(ctx, "bench gc", stdio, c.Sockets, c.edgeFlags)
	r.checks, r.texts = c.checks, load.Texts{Seed: c.Seed, Size: c.Size}
	g := &gc{GCCommand: c, rig: r}
	if err == nil {
		err = g.run(ctx)
	}
	if err = r.end(err); err != nil {
		return nil, err
	}
	return g.result()
}

// gc is one run.
type gc struct {
	*GCCommand
	*rig

	messages []client.Message // by their number modulo their count

	took      time.Duration
	used      usage
	grown     scrape // of the edge
	published int
	frames    int64
}

// prepared is how many different messages there are.
const prepared = 1000

func hall(i int) wire.RoomID { return wire.RoomID(fmt.Sprintf("bench-hall-%d", i)) }

func (g *gc) run(ctx context.Context) error {
	g.progress("%d users in one of %d rooms of %d, and in %d of %d others", g.Sockets, g.Halls, g.Sockets/g.Halls, g.PerUser, g.Rooms)
	if err := g.populate(ctx, g.Sockets, g.Rooms, g.PerUser); err != nil {
		return err
	}
	for h := range g.Halls {
		if err := g.join(ctx, hall(h), numbers(g.Sockets)[g.Sockets*h/g.Halls:g.Sockets*(h+1)/g.Halls]); err != nil {
			return err
		}
	}
	for n := range prepared {
		data, err := g.texts.Data(n)
		if err != nil {
			return err
		}
		g.messages = append(g.messages, client.Message{Channel: wire.RoomChannel(hall(n % g.Halls)), Data: data, From: load.From})
	}
	if err := g.spawn(g.Sockets); err != nil {
		return err
	}
	g.progress("connecting %d sockets", g.Sockets)
	if _, err := g.arrive(ctx, g.ours(0, g.Sockets, g.InFlight)); err != nil {
		return err
	}
	g.progress("warming up")
	if _, err := g.publish(ctx, g.time()/4); err != nil {
		return err
	}
	g.progress("publishing for %v, and then for %d pauses, at most for %g s", g.time(), g.Pauses, max(g.Seconds, g.Most))
	if err := g.busy(ctx); err != nil {
		return err
	}
	return g.faultless(ctx, g.Sockets, ours)
}

func (g *gc) time() time.Duration { return time.Duration(g.Seconds * float64(time.Second)) }

// busy publishes, and sees what that makes of the edge.
func (g *gc) busy(ctx context.Context) error {
	edge := g.fleet.Edges[0]
	metrics, err := scrapeNode(ctx, edge.Admin)
	if err != nil {
		return err
	}
	stats, err := g.clients.Stats(ctx, ours)
	if err != nil {
		return err
	}
	used, err := g.usage()
	if err != nil {
		return err
	}
	start := time.Now()
	for more := true; more; {
		published, err := g.publish(ctx, g.time())
		if err != nil {
			return err
		}
		g.published += published
		now, err := scrapeNode(ctx, edge.Admin)
		if err != nil {
			return err
		}
		g.took = time.Since(start)
		more = g.goesOn(now.since(metrics)[gcPauses+"_count"], g.took)
	}
	usedNow, err := g.usage()
	if err != nil {
		return err
	}
	g.used = usedNow.since(used)
	now, err := scrapeNode(ctx, edge.Admin)
	if err != nil {
		return err
	}
	g.grown = now.since(metrics)
	after, err := g.clients.Stats(ctx, ours)
	g.frames = after.Frames - stats.Frames
	return err
}

// goesOn reports whether more pauses are to be waited for.
func (c *GCCommand) goesOn(pauses float64, took time.Duration) bool {
	return pauses < float64(c.Pauses) && took.Seconds() < c.Most
}

// The goals: p99 of the pauses in milliseconds, the collector's share of the
// edge's CPU, and the edge's share of the machine's under which these count.
const (
	longestPause = 1.0
	largestShare = 5.0
	leastLoad    = 50.0
)

// The edge's histograms of the pauses, and of their first part: until everything
// has stopped.
const (
	gcPauses   = "go_sched_pauses_total_gc_seconds"
	gcStopping = "go_sched_pauses_stopping_gc_seconds"
)

// p99 is an upper bound of a histogram's, in seconds. Of what is beyond the last
// bucket nothing is known but that it was over in time.
func (g *gc) p99(histogram string) (float64, error) {
	bound, err := g.grown.bound(histogram, 0.99)
	return min(bound, g.took.Seconds()), err
}

// result is the table.
func (g *gc) result() (*Result, error) {
	r := newResult("bench gc", g.GCCommand, g.Quick)
	pause, err := g.p99(gcPauses)
	if err != nil {
		return nil, err
	}
	stopping, err := g.p99(gcStopping)
	if err != nil {
		return nil, err
	}
	const collector = "go_cpu_classes_gc_total_cpu_seconds_total"
	if _, ok := g.grown[collector]; !ok {
		return nil, fmt.Errorf("there is no metric %s", collector)
	}
	percent := func(part, whole float64) float64 { return 100 * part / whole }
	machine := g.took.Seconds() * float64(runtime.NumCPU())
	of, what, where := machine, "the edge's share of the machine's CPU", ""
	if g.Apart {
		of, what, where = g.took.Seconds(), "the edge's share of a CPU of its own", ", on a CPU of its own"
	}
	load := percent(g.used.edge.Seconds(), of)
	row := r.show(fmt.Sprintf("%s (%d sockets)", what, g.Sockets), "%", load)
	row.Goal = &Goal{fmt.Sprintf(">= %g %%", leastLoad), load >= leastLoad}
	pauses := g.grown[gcPauses+"_count"]
	row = r.show("garbage collector, p99 pause, at most"+where, "ms", pause*1e3)
	row.Goal = &Goal{fmt.Sprintf("< %g ms", longestPause), pauses > 0 && pause*1e3 < longestPause}
	r.show("  the same until everything has stopped", "ms", stopping*1e3)
	r.show("  pauses of at least as much as the goal", "%", 100-percent(g.grown.within(gcPauses, longestPause/1e3), max(pauses, 1)))
	share := percent(g.grown[collector], g.used.edge.Seconds())
	row = r.show("garbage collector, share of the edge's CPU"+where, "%", share)
	row.Goal = &Goal{fmt.Sprintf("< %g %%", largestShare), share < largestShare}
	r.show("  deliveries/s meanwhile", "1/s", float64(g.frames)/g.took.Seconds())
	r.note("%.0f collections and %.0f pauses in %.1f s; the p99 is the upper bound of its bucket of the runtime's histogram, as /metrics has it",
		g.grown["go_gc_duration_seconds_count"], pauses, g.took.Seconds())
	if pauses > 0 && pauses < 100 {
		r.note("of fewer than 100 pauses, the p99 is the longest")
	}
	if pauses == 0 {
		r.note("there was no collection in that time, so nothing is known of its pauses: give --seconds more")
	}
	r.note("of the machine's CPU, the core used %.0f %% and the clients %.0f %%", percent(g.used.core.Seconds(), machine), percent(g.used.clients.Seconds(), machine))
	r.note("%d messages published to %d rooms of %d", g.published, g.Halls, g.Sockets/g.Halls)
	return r, nil
}
