package bench

import (
	"context"
	"fmt"
	"time"

	"selvedge/internal/config"
	"selvedge/simulations/load"
)

// MemoryCommand is `selvedge bench memory`.
type MemoryCommand struct {
	Sockets  int           `help:"Idle sockets." default:"10000"`
	Settle   time.Duration `help:"Time from the last hello to the look at the memory." default:"60s"`
	Rooms    int           `help:"Rooms in all." default:"2000"`
	PerUser  int           `help:"Rooms that each user is in." default:"20"`
	InFlight int           `help:"Sockets that are connected at once." default:"200"`
	edgeFlags
	Quick bool   `help:"Few sockets and a short wait, for a look."`
	JSON  string `help:"Write the result to this file, too." placeholder:"FILE" name:"json"`
}

// Help teaches the command.
func (*MemoryCommand) Help() string {
	return `What an idle socket costs: how much the resident memory of the edge's process (VmRSS) grows by sockets that are welcome,
and then say nothing but pongs. Go's garbage collector has its defaults, and isn't told to run. Beside it the bare floor, which
keeps nothing but descriptors; what the kernel holds for a socket is in neither.

  selvedge bench memory
  selvedge bench memory --tls
  selvedge bench memory --sockets 2000 --settle 20s`
}

const (
	// warmSockets come and go before the first look, so that what a process
	// needs once isn't counted.
	warmSockets = 50
	// longestWarm is the longest wait after them.
	longestWarm = 15 * time.Second
)

// Run measures, and prints a table.
func (c *MemoryCommand) Run(ctx context.Context, stdio *config.IO) error {
	res, err := c.measure(ctx, stdio)
	if err != nil {
		return fmt.Errorf("bench memory: %w", err)
	}
	return res.finish(stdio.Stdout, c.JSON)
}

func (c *MemoryCommand) measure(ctx context.Context, stdio *config.IO) (*Result, error) {
	if c.Quick {
		c.Sockets, c.Settle, c.Rooms = min(c.Sockets, 2000), min(c.Settle, 5*time.Second), min(c.Rooms, 200)
	}
	if c.Sockets < 1 || c.Settle < 0 || c.PerUser < 1 || c.Rooms < c.PerUser || c.InFlight < 1 {
		return nil, config.Usagef("every number must be positive, and --per-user can't be more than --rooms")
	}
	r, err := newRig(ctx, "bench memory", stdio, c.Sockets+warmSockets, c.edgeFlags)
	m := &memory{MemoryCommand: c, rig: r}
	if err == nil {
		err = m.run(ctx)
	}
	if err = r.end(err); err != nil {
		return nil, err
	}
	return m.result(), nil
}

// memory is one run.
type memory struct {
	*MemoryCommand
	*rig

	before, after footprint
}

// footprint is the memory of the servers, at one moment.
type footprint struct {
	edges, floors load.Memory
	metrics       scrape // of the edges, added up
}

func (m *memory) run(ctx context.Context) error {
	m.progress("%d users in %d of %d rooms each", m.Sockets+warmSockets, m.PerUser, m.Rooms)
	if err := m.populate(ctx, m.Sockets+warmSockets, m.Rooms, m.PerUser); err != nil {
		return err
	}
	if err := m.spawn(2 * m.Sockets); err != nil {
		return err
	}
	if err := m.warm(ctx); err != nil {
		return err
	}
	var err error
	if m.before, err = m.footprint(ctx); err != nil {
		return err
	}
	m.progress("connecting %d sockets, twice", m.Sockets)
	for _, g := range []load.Group{m.bare(0, m.Sockets, m.InFlight), m.ours(0, m.Sockets, m.InFlight)} {
		if _, err := m.arrive(ctx, g); err != nil {
			return fmt.Errorf("%s: %w", g.Name, err)
		}
	}
	m.progress("waiting %v", m.Settle)
	if err := settle(ctx, m.Settle); err != nil {
		return err
	}
	if m.after, err = m.footprint(ctx); err != nil {
		return err
	}
	return m.faultless(ctx, m.Sockets, ours, bare)
}

// warm lets a few sockets come and go.
func (m *memory) warm(ctx context.Context) error {
	m.progress("warming up")
	c, err := m.arrive(ctx, m.ours(m.Sockets, warmSockets, warmSockets))
	if err != nil {
		return err
	}
	if err := m.startFloors(ctx, m.Sockets, c.Welcome); err != nil {
		return err
	}
	if _, err := m.arrive(ctx, m.bare(0, warmSockets, warmSockets)); err != nil {
		return err
	}
	for _, g := range []string{ours, bare} {
		if err := m.leave(ctx, g); err != nil {
			return err
		}
	}
	return settle(ctx, min(longestWarm, m.Settle))
}

// footprint looks. The metrics come last: to make them takes memory.
func (m *memory) footprint(ctx context.Context) (footprint, error) {
	f := footprint{metrics: scrape{}}
	for _, e := range m.fleet.Edges {
		n, err := load.MemoryOf(e.PID())
		if err != nil {
			return f, err
		}
		f.edges = f.edges.Plus(n)
	}
	for _, floor := range m.floors {
		n, err := load.MemoryOf(floor.PID())
		if err != nil {
			return f, err
		}
		f.floors = f.floors.Plus(n)
	}
	for _, e := range m.fleet.Edges {
		s, err := scrapeNode(ctx, e.Admin)
		if err != nil {
			return f, err
		}
		f.metrics = f.metrics.plus(s)
	}
	return f, nil
}

// The goals, in KiB per socket.
const (
	plainKiB  = 2
	secureKiB = 12
)

// result is the table.
func (m *memory) result() *Result {
	r := newResult("bench memory", m.MemoryCommand, m.Quick)
	what, goal := "resident memory per idle socket, member of %d rooms (%d sockets)", float64(plainKiB)
	if m.TLS {
		r.Command += " --tls"
		what, goal = "resident memory per idle TLS socket, member of %d rooms (%d sockets)", secureKiB
	}
	kib := func(bytes float64) float64 { return bytes / 1024 / float64(m.Sockets) }
	r.beside(fmt.Sprintf(what, m.PerUser, m.Sockets), "KiB",
		kib(float64(m.after.edges.Resident-m.before.edges.Resident)),
		kib(float64(m.after.floors.Resident-m.before.floors.Resident))).atMost(goal)
	grown := m.after.metrics.since(m.before.metrics)
	r.beside("  of it: anonymous, so not the pages of the program", "KiB",
		kib(float64(m.after.edges.Anonymous-m.before.edges.Anonymous)),
		kib(float64(m.after.floors.Anonymous-m.before.floors.Anonymous)))
	r.show("  of the edge's: half of the heap at which Go's collector runs next, what it last found live", "KiB", kib(grown["go_memstats_next_gc_bytes"]/2))
	r.show("  of the edge's: live or not yet collected objects", "KiB", kib(grown["go_memstats_heap_alloc_bytes"]))
	r.show("  of the edge's: heap in use", "KiB", kib(grown["go_memstats_heap_inuse_bytes"]))
	r.show("  of the edge's: heap that is free and not given back", "KiB", kib(grown["go_memstats_heap_idle_bytes"]-grown["go_memstats_heap_released_bytes"]))
	r.show("  of the edge's: stacks", "KiB", kib(grown["go_memstats_stack_inuse_bytes"]))
	const mib = 1 << 20
	r.note("VmRSS of the edge: %.1f MiB before the first socket, %.1f MiB %v after the last welcome; the floor: %.1f and %.1f MiB",
		float64(m.before.edges.Resident)/mib, float64(m.after.edges.Resident)/mib, m.Settle,
		float64(m.before.floors.Resident)/mib, float64(m.after.floors.Resident)/mib)
	r.note("one measurement; %d rooms in all; default GOGC, no forced collection: %.0f since the first look", m.Rooms, grown["go_gc_duration_seconds_count"])
	return r
}
