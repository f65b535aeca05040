package geo

import (
	"context"
	"testing"
	"time"

	"selvedge/internal/config"
	"selvedge/simulations/bubble"
	"selvedge/simulations/report"
	"selvedge/simulations/scenario"
)

// Command is `selvedge simulate geo`.
type Command struct {
	Out      string        `help:"Folder for report.html and report.json." default:"simulate-geo" type:"path" placeholder:"DIR"`
	Seed     uint64        `help:"Decides about every packet, and about who publishes when." default:"1"`
	Scenario string        `help:"A file of YAML or JSON that changes what is simulated; the report ends with the whole of it." type:"existingfile" placeholder:"FILE"`
	Real     time.Duration `help:"Play one world with real processes over a router for so long, and in virtual time, and compare. Linux, as root." placeholder:"DURATION"`
	Quick    bool          `help:"Small and short: a look, not figures to quote."`
}

// Help teaches the command.
func (*Command) Help() string {
	return `Plays the real core, edges, links, gossip and clients in virtual time, over a simulated network with measured round trips between
twelve regions, and writes how long messages take: from the core's log to each edge, and from there over an assumed last mile to clients.
Eight worlds with one thing changed in each: edges nearby or all users at the core's region, jitter and loss or none, relays or none,
an outage and a detour, a working day. Takes no ports and no privileges; minutes, and with --quick less than one.

  selvedge simulate geo --quick                     then open simulate-geo/report.html
  selvedge simulate geo --out ./geo --seed 7
  selvedge simulate geo --scenario mine.yaml        with, for example:

      core: uksouth                 a known region: see 'selvedge edge --help'
      clients_per_region: 4
      network: {loss: 0.001}        what isn't named stays

  sudo selvedge simulate geo --real 2m              the first world once more, with real processes

With --real a core, the edges and the clients are processes of this binary in network namespaces of their own, and a router in
user space delays and loses their packets as the simulated network does. It fails if the medians of both worlds differ by more
than 2 ms. It needs root, /dev/net/tun and an idle machine; nothing of it is left, however it ends.

Same seed: the same faults, and the same loss and jitter for a packet that is sent at the same instant. The nodes roll dice of their own (keys,
timers), so figures of two runs differ a little.`
}

// Run plays all worlds, and writes the report.
func (c *Command) Run(ctx context.Context, stdio *config.IO) error {
	s := Default()
	if err := scenario.FromFlag(c.Scenario, &s); err != nil {
		return err
	}
	if c.Quick {
		s.Quick()
	}
	if err := report.Prepare(c.Out); err != nil {
		return err
	}
	a, err := newAtlas(&s)
	if err != nil {
		return err
	}
	if c.Real != 0 {
		return c.cross(ctx, stdio, &s, a)
	}
	var all results
	err = bubble.Main(func(t *testing.T) (err error) {
		all, err = playAll(ctx, t, worlds(&s, a, c.Seed), stdio.Stderr)
		return err
	})
	if err != nil {
		return err
	}
	r, err := newReport(&s, a, all)
	if err != nil {
		return err
	}
	if err := r.Finish(c.asked(), stdio.Stdout); err != nil {
		return err
	}
	return all.check()
}

// asked is what the flags said.
func (c *Command) asked() report.Asked {
	a := report.Asked{Out: c.Out, Seed: c.Seed, Scenario: c.Scenario, Quick: c.Quick}
	a.Add(c.Real != 0, "--real %v", c.Real)
	return a
}
