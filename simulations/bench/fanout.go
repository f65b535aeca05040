package bench

import (
	"context"
	"fmt"
	"time"

	"selvedge/core/client"
	"selvedge/internal/config"
	"selvedge/simulations/load"
	"selvedge/wire"
)

// FanoutCommand is `selvedge bench fanout`.
type FanoutCommand struct {
	Sockets    int    `help:"Sockets, all members of one room." default:"10000"`
	Pairs      int    `help:"Pairs of floor and ours, by turns." default:"9"`
	Frames     int    `help:"Frames of each sample that are published one at a time." default:"5"`
	Burst      int    `help:"Frames that are published back to back." default:"100"`
	Publishers int    `help:"Connections over which these are published." default:"8"`
	Size       int    `help:"Mean size of a message, in bytes of JSON." default:"1024"`
	Seed       uint64 `help:"Another one gives other messages." default:"1"`
	InFlight   int    `help:"Sockets that are connected at once." default:"200"`
	edgeFlags
	checks
	Quick bool   `help:"Few sockets, for a look."`
	JSON  string `help:"Write the result to this file, too." placeholder:"FILE" name:"json"`
}

// Help teaches the command.
func (*FanoutCommand) Help() string {
	return `Starts a core, an edge and the bare floor as processes on loopback, and clients of both. The floor is a process that writes
the same bytes to as many sockets in a plain loop of write(2), a thread per CPU. Floor and ours take turns; every figure is
the median over the pairs, with the interval that has the true one in 95 of 100 cases. The first pair is not counted.

Clients parse every frame's header and compare every body's hash with one that was decoded and checked. A frame that is
lost, damaged or repeated, or a socket that is closed, fails the command; falling short of what is to be reached doesn't.

  selvedge bench fanout
  selvedge bench fanout --sockets 2000 --pairs 5 --json fanout.json`
}

// everybody is the room that everybody is in.
const everybody = wire.RoomID("bench-all")

// Run measures, and prints a table.
func (c *FanoutCommand) Run(ctx context.Context, stdio *config.IO) error {
	res, err := c.measure(ctx, stdio)
	if err != nil {
		return fmt.Errorf("bench fanout: %w", err)
	}
	return res.finish(stdio.Stdout, c.JSON)
}

func (c *FanoutCommand) measure(ctx context.Context, stdio *config.IO) (*Result, error) {
	if c.Quick {
		c.Sockets, c.Pairs, c.Frames = min(c.Sockets, 2000), min(c.Pairs, 3), min(c.Frames, 3)
	}
	if c.Sockets < 1 || c.Pairs < 1 || c.Frames < 1 || c.Burst < 1 || c.Publishers < 1 || c.Size < 1 || c.InFlight < 1 {
		return nil, config.Usagef("every number must be positive")
	}
	r, err := newRig(ctx, "bench fanout", stdio, c.Sockets, c.edgeFlags)
	r.checks, r.texts = c.checks, load.Texts{Seed: c.Seed, Size: c.Size}
	f := &fanout{FanoutCommand: c, rig: r}
	if err == nil {
		err = f.run(ctx)
	}
	if err = r.end(err); err != nil {
		return nil, err
	}
	return f.result(), nil
}

// fanout is one run.
type fanout struct {
	*FanoutCommand
	*rig
	publisher *client.Client

	idle usage // in idleTime, of sockets that get nothing

	// By pair.
	one, oneFloor                  []sample
	burst, burstFloor, writevFloor []sample
}

// run measures the frames one at a time, then those back to back: what these
// leave behind in caches and buffers isn't the other's business.
func (f *fanout) run(ctx context.Context) error {
	if err := f.connect(ctx); err != nil {
		return err
	}
	if err := f.rest(ctx); err != nil {
		return err
	}
	mine := f.edges(f.publisher, f.Publishers)
	plain, writev := f.floor(1), f.floor(16)
	one := dose{rounds: f.Frames, frames: 1, sockets: f.Sockets}
	if err := f.pairs(ctx, "one frame at a time", one, f.Pairs, turn{plain, &f.oneFloor}, turn{mine, &f.one}); err != nil {
		return err
	}
	burst := dose{rounds: 1, frames: f.Burst, sockets: f.Sockets}
	if err := f.pairs(ctx, "back to back", burst, f.Pairs, turn{plain, &f.burstFloor}, turn{mine, &f.burst}, turn{writev, &f.writevFloor}); err != nil {
		return err
	}
	return f.faultless(ctx, f.Sockets, ours, bare)
}

// connect makes the room, and the sockets of both sides.
func (f *fanout) connect(ctx context.Context) error {
	f.publisher = f.rig.publisher(f.Publishers)
	f.progress("a room of %d", f.Sockets)
	if err := f.join(ctx, everybody, numbers(f.Sockets)); err != nil {
		return err
	}
	if err := f.spawn(2 * f.Sockets); err != nil {
		return err
	}
	f.progress("connecting %d sockets, twice", f.Sockets)
	c, err := f.arrive(ctx, f.ours(0, f.Sockets, f.InFlight))
	if err != nil {
		return err
	}
	if err := f.startFloors(ctx, f.Sockets, c.Welcome); err != nil {
		return err
	}
	_, err = f.arrive(ctx, f.bare(0, f.Sockets, f.InFlight))
	return err
}

// idleTime is how long the servers are looked at while nothing is published.
const idleTime = time.Second

// rest sees what the servers do while nothing is published.
func (f *fanout) rest(ctx context.Context) error {
	if err := settle(ctx, quiet); err != nil {
		return err
	}
	before, err := f.usage()
	if err != nil {
		return err
	}
	if err := settle(ctx, idleTime); err != nil {
		return err
	}
	now, err := f.usage()
	f.idle = now.since(before)
	return err
}

// result is the table.
func (f *fanout) result() *Result {
	r := newResult("bench fanout", f.FanoutCommand, f.Quick)
	cpu := func(s sample) float64 { return s.cpu }
	edge := func(s sample) float64 { return s.edge }
	core := func(s sample) float64 { return s.core }
	last := func(s sample) float64 { return s.last }
	rate := func(s sample) float64 { return s.rate }
	size := func(s sample) float64 { return s.bytes }
	at := fmt.Sprintf(" (%d sockets)", f.Sockets)
	r.compare("server CPU per delivery, one frame at a time"+at, "us", each(f.one, cpu), each(f.oneFloor, cpu)).ratioAtMost(1.10)
	r.compare("last of all delivered, one frame"+at, "ms", each(f.one, last), each(f.oneFloor, last)).ratioAtMost(1.10)
	r.compare(fmt.Sprintf("deliveries/s, %d frames back to back", f.Burst)+at, "1/s", each(f.burst, rate), each(f.burstFloor, rate)).ratioAtLeast(5)
	r.compare("  the same, beside a floor of 16 frames per writev", "1/s", each(f.burst, rate), each(f.writevFloor, rate))
	r.compare("  server CPU per delivery, back to back", "us", each(f.burst, cpu), each(f.burstFloor, cpu))
	r.note("CPU is user and kernel time of edge and core together, until %v after the last receipt; one frame at a time: edge %s us, core %s us per delivery; back to back: edge %s us, core %s us",
		quiet, middle(f.one, edge), middle(f.one, core), middle(f.burst, edge), middle(f.burst, core))
	r.note("of that, what they do anyway (pings, pongs, watermarks): edge %.1f ms, core %.1f ms of CPU in each second",
		f.idle.edge.Seconds()*1e3/idleTime.Seconds(), f.idle.core.Seconds()*1e3/idleTime.Seconds())
	r.note("bytes per frame with its header: floor %s, ours %s", middle(f.oneFloor, size), middle(f.one, size))
	r.note("medians of %d pairs after one that isn't counted; intervals at %.0f %%; %d frames one at a time per sample; %d publishes over %d connections back to back",
		f.Pairs, 100*r.Rows[0].Ratio.Confidence, f.Frames, f.Burst, f.Publishers)
	r.note("every frame was received once, whole and in its place; no socket was closed")
	return r
}

// middle is the median of a figure, for people.
func middle[S any](samples []S, of func(S) float64) string {
	return figure(estimate(each(samples, of)).Median)
}
