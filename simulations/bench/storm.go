package bench

import (
	"context"
	"fmt"
	"slices"
	"time"

	"selvedge/internal/config"
	"selvedge/simulations/load"
)

// StormCommand is `selvedge bench storm`.
type StormCommand struct {
	Sockets  int `help:"Sockets that arrive at once." default:"10000"`
	Pairs    int `help:"Pairs of floor and ours, by turns." default:"9"`
	Rooms    int `help:"Rooms in all." default:"2000"`
	PerUser  int `help:"Rooms that each user is in." default:"20"`
	InFlight int `help:"Sockets that are between connection and welcome at once." default:"200"`
	// Rate has no floor beside it.
	Rate float64 `help:"Measure an edge that takes so many sockets per second instead, in a storm of SDKs: --sockets of them, a tenth of them new, the others from an edge that is killed. 0 = not." default:"0"`
	edgeFlags
	Quick bool   `help:"Few sockets, for a look."`
	JSON  string `help:"Write the result to this file, too." placeholder:"FILE" name:"json"`
}

// Help teaches the command.
func (*StormCommand) Help() string {
	return `What happens when another edge died: sockets arrive as fast as they are let in, each with a token and a user whom this edge
has not seen. Each pair has users of its own. Beside it the bare floor, a process that accepts, reads the request, writes an
answer of the same size, reads the hello and writes a welcome of the same size: without a look at any of it.

A socket counts when its client has the welcome. The first pair is not counted. Sockets are closed between pairs, and what the
servers do about that is not counted either.

  selvedge bench storm
  selvedge bench storm --sockets 2000 --in-flight 1000 --pairs 3

With --rate: how long it takes until all are in at an edge that takes so many per second, how many are refused, and at what cost.

  selvedge bench storm --rate 500 --sockets 5000`
}

// Run measures, and prints a table.
func (c *StormCommand) Run(ctx context.Context, stdio *config.IO) error {
	res, err := c.measure(ctx, stdio)
	if err != nil {
		return fmt.Errorf("bench storm: %w", err)
	}
	return res.finish(stdio.Stdout, c.JSON)
}

func (c *StormCommand) measure(ctx context.Context, stdio *config.IO) (*Result, error) {
	if c.Quick {
		c.Sockets, c.Pairs, c.Rooms = min(c.Sockets, 500), min(c.Pairs, 3), min(c.Rooms, 200)
	}
	if c.Rate < 0 || c.Sockets < 1 || c.Pairs < 1 || c.PerUser < 1 || c.Rooms < c.PerUser || c.InFlight < 1 {
		return nil, config.Usagef("every number must be positive, and --per-user can't be more than --rooms")
	}
	if c.Rate > 0 {
		return c.measurePaced(ctx, stdio)
	}
	r, err := newRig(ctx, "bench storm", stdio, c.Sockets, c.edgeFlags)
	s := &storm{StormCommand: c, rig: r}
	if err == nil {
		err = s.run(ctx)
	}
	if err = r.end(err); err != nil {
		return nil, err
	}
	return s.result(), nil
}

// storm is one run.
type storm struct {
	*StormCommand
	*rig

	mine, floor []stormSample // by pair
	welcome     int           // bytes
}

// stormSample is what the arrival of all sockets took.
type stormSample struct {
	cpu, core float64 // us per socket; of the edge or the floor, and of the core
	rate      float64 // sockets/s
	p50, p99  float64 // ms from a socket's beginning to its welcome
}

func (s *storm) run(ctx context.Context) error {
	users := (s.Pairs + 1) * s.Sockets
	s.progress("%d users in %d of %d rooms each", users, s.PerUser, s.Rooms)
	if err := s.populate(ctx, users, s.Rooms, s.PerUser); err != nil {
		return err
	}
	if err := s.spawn(s.Sockets); err != nil {
		return err
	}
	for pair := range s.Pairs + 1 {
		if pair == 0 {
			s.progress("warming up")
		} else {
			s.progress("pair %d of %d", pair, s.Pairs)
		}
		// Ours first, because the first welcome says how large the floor's are.
		a, err := s.arrival(ctx, s.ours(pair*s.Sockets, s.Sockets, s.InFlight))
		if err != nil {
			return fmt.Errorf("ours: %w", err)
		}
		if s.floors == nil {
			if err := s.startFloors(ctx, s.Sockets, s.welcome); err != nil {
				return err
			}
		}
		b, err := s.arrival(ctx, s.bare(pair*s.Sockets, s.Sockets, s.InFlight))
		if err != nil {
			return fmt.Errorf("floor: %w", err)
		}
		if pair > 0 {
			s.mine, s.floor = append(s.mine, a), append(s.floor, b)
		}
	}
	return nil
}

// arrival lets a pair's users in.
func (s *storm) arrival(ctx context.Context, g load.Group) (stormSample, error) {
	if err := s.clients.Sign(ctx, g); err != nil {
		return stormSample{}, err
	}
	before, err := s.usage()
	if err != nil {
		return stormSample{}, err
	}
	c, err := s.clients.Connect(ctx, g)
	if err != nil {
		return stormSample{}, err
	}
	if err := settle(ctx, quiet); err != nil {
		return stormSample{}, err
	}
	now, err := s.usage()
	if err != nil {
		return stormSample{}, err
	}
	if err := s.faultless(ctx, s.Sockets, g.Name); err != nil {
		return stormSample{}, err
	}
	s.welcome = c.Welcome
	used := now.since(before)
	cpu := used.edge
	if g.Name == bare {
		cpu = used.floor
	}
	slices.Sort(c.Times)
	return stormSample{
		cpu: micros(cpu, s.Sockets), core: micros(used.core, s.Sockets), rate: float64(s.Sockets) / c.Took.Seconds(),
		p50: millis(c.Times, 0.5), p99: millis(c.Times, 0.99),
	}, s.leave(ctx, g.Name)
}

// millis is a quantile of sorted times, in milliseconds.
func millis(sorted []time.Duration, q float64) float64 {
	return float64(quantile(sorted, q)) / 1e6
}

// result is the table.
func (s *storm) result() *Result {
	r := newResult("bench storm", s.StormCommand, s.Quick)
	cpu := func(s stormSample) float64 { return s.cpu }
	core := func(s stormSample) float64 { return s.core }
	rate := func(s stormSample) float64 { return s.rate }
	p50 := func(s stormSample) float64 { return s.p50 }
	p99 := func(s stormSample) float64 { return s.p99 }
	r.compare(fmt.Sprintf("edge CPU per accepted, authenticated, welcomed socket (%d sockets)", s.Sockets), "us",
		each(s.mine, cpu), each(s.floor, cpu)).atMost(100)
	r.show("  core CPU for each of them", "us", each(s.mine, core)...)
	r.compare("  sockets/s", "1/s", each(s.mine, rate), each(s.floor, rate))
	r.compare("  from connect to welcome, median", "ms", each(s.mine, p50), each(s.floor, p50))
	r.compare("  from connect to welcome, p99", "ms", each(s.mine, p99), each(s.floor, p99))
	r.note("CPU is user and kernel time of the edge's process, for a user in %d of %d rooms, unknown to the edge; %d sockets in flight", s.PerUser, s.Rooms, s.InFlight)
	r.note("a welcome has %d bytes", s.welcome)
	r.note("medians of %d pairs after one that isn't counted; intervals at %.0f %%", s.Pairs, 100*r.Rows[0].Ratio.Confidence)
	return r
}
