package fanout

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"selvedge/internal/config"
	"selvedge/simulations/limits"
	"selvedge/simulations/report"
	"selvedge/simulations/scenario"
)

// Command is `selvedge simulate fanout`.
type Command struct {
	Out      string   `help:"Folder for report.html and report.json." default:"simulate-fanout" type:"path" placeholder:"DIR"`
	Seed     uint64   `help:"Stands in the report: nothing is drawn here." default:"1"`
	Scenario string   `help:"A file of YAML or JSON that changes what is measured; the report ends with the whole of it." type:"existingfile" placeholder:"FILE"`
	N        []int    `help:"How many gateways there are, one after the other. Default: 10,100,500,1000,5000." name:"n" placeholder:"N"`
	Rates    []int    `help:"Publishes per second, beside single ones. Default: 10,100." placeholder:"RATE"`
	Seconds  float64  `help:"How long at each rate. Default: 3." placeholder:"SECONDS"`
	Tiers    []string `help:"What is measured, of redis, redis-cluster, redis-sharded, direct, relays, sockets. Default: all." placeholder:"TIER"`

	Parts          []string `help:"What is measured, of tiers, mega, rooms. Default: all; with --n, --rates, --seconds or --tiers the tiers alone." placeholder:"PART"`
	Edges          int      `help:"Gateways of the mega-channel, each a process. Default: 100." placeholder:"N"`
	SocketsPerEdge int      `help:"Sockets of each of these. Default: 1000." placeholder:"N"`

	WithoutRedis bool          `help:"Go on where redis-server isn't installed, without its tiers."`
	Patience     time.Duration `help:"How long nothing may come before the rest counts as late, and as lost if it doesn't come in as long again; 0 = 30s." default:"0"`
	Lose         int           `help:"Have gateways overlook every this many-th message, to see that it is noticed; 0 = none." default:"0" hidden:""`
	Quick        bool          `help:"Small and short: a look, not figures to quote."`
}

// Help teaches the command.
func (*Command) Help() string {
	return `One message from one publisher to N gateways, in three ways, with real processes on this machine's loopback:

  redis            SUBSCRIBE at one Redis server; redis-cluster: PUBLISH in a Redis Cluster of four, gateways at all of them;
                   redis-sharded: SPUBLISH there, where one node has it all
  direct           a link (QUIC) of each gateway to one core
  relays, sockets  a core, and edges in three regions: gateways as links to the region's relay, as edges of that region hold
                   them; or as WebSockets at these edges

Then two large cases:

  mega             100,000 members of one room on 100 real edges, 1,000 sockets each: one message, until the last has it, beside the bare
                   writer, 100 processes that write the same bytes to as many sockets (--edges, --sockets-per-edge)
  rooms            one publish to a room of 100,000 against a loop over as many personal channels: how long the caller is busy

For each number of gateways: single publishes, then some per second; the time from a publish to each receipt and to the last
one, the CPU and the bytes of the centre (Redis, or the core) apart from relays and gateways. Every receipt is counted: what is lost or
comes twice fails the command. The full size takes some fifteen minutes and 7 GiB, on a machine that does nothing else.

  selvedge simulate fanout --quick                    then open simulate-fanout/report.html
  selvedge simulate fanout --n 10,1000 --tiers redis,direct
  selvedge simulate fanout --parts mega --edges 20
  selvedge simulate fanout --scenario mine.yaml       with, for example:

      gateways: [100, 2000]
      payload_bytes: 256            what isn't named stays

Redis is Debian's redis-server (apt-get install redis-server), started here and ended; its service is of no use.`
}

// Run measures, and writes the report.
func (c *Command) Run(ctx context.Context, stdio *config.IO) error {
	s, err := c.scenario()
	if err != nil {
		return err
	}
	if err := report.Prepare(c.Out); err != nil {
		return err
	}
	machine, err := limits.Here()
	if err == nil && s.does(partTiers) {
		err = s.fits(machine)
	}
	if err = errors.Join(err, s.fitsLarge()); err != nil {
		return err
	}
	began := time.Now()
	res := &Result{}
	if s.does(partTiers) {
		r := &rig{scenario: s, patience: cmp.Or(max(c.Patience, 0), usualPatience), stderr: stdio.Stderr}
		res, err = r.run(ctx, c.Lose)
		if err = r.end(err); err != nil {
			return err
		}
	}
	var failed error // what was measured before that is told nevertheless
	if res.Large, failed = c.large(ctx, stdio, &s); failed != nil && res.empty() {
		return errors.Join(failed, c.outcome(res))
	}
	page, err := newReport(&s, res, time.Since(began))
	if err != nil {
		return err
	}
	if err := page.Finish(c.asked(), stdio.Stdout); err != nil {
		return err
	}
	return errors.Join(failed, c.outcome(res))
}

// run starts what is needed, and measures.
func (r *rig) run(ctx context.Context, lose int) (*Result, error) {
	if err := r.start(ctx, "simulate", "fanout-clients", "--lose", strconv.Itoa(lose)); err != nil {
		return nil, err
	}
	if len(r.tiers) == 0 {
		return nil, fmt.Errorf("%w: %s", errIncomplete, strings.Join(r.missing, "; "))
	}
	return r.measure(ctx)
}

// errIncomplete: a tier that was asked for was not measured.
var errIncomplete = errors.New("not measured")

// outcome reports why the command fails though there is a report.
func (c *Command) outcome(res *Result) error {
	if problems := res.sound(); len(problems) > 0 {
		return fmt.Errorf("messages were lost or came twice: %s", strings.Join(problems, "; "))
	}
	if len(res.Failed) > 0 {
		return fmt.Errorf("%w: %s", errIncomplete, strings.Join(res.Failed, "; "))
	}
	if len(res.Unavailable) > 0 && !c.WithoutRedis {
		return fmt.Errorf("%w: %s; or take --without-redis", errIncomplete, strings.Join(res.Unavailable, "; "))
	}
	return nil
}

// scenario is the file's, changed by the flags.
func (c *Command) scenario() (Scenario, error) {
	s := Default()
	if err := scenario.FromFlag(c.Scenario, &s); err != nil {
		return s, err
	}
	if c.Quick {
		s.Quick()
	}
	if len(c.Parts) > 0 {
		s.Parts = c.Parts
	} else if len(c.N)+len(c.Rates)+len(c.Tiers) > 0 || c.Seconds != 0 {
		s.Parts = []string{partTiers}
	}
	if c.Edges != 0 {
		s.Mega.Edges = c.Edges
	}
	if c.SocketsPerEdge != 0 {
		s.Mega.SocketsPerEdge = c.SocketsPerEdge
	}
	if len(c.N) > 0 {
		s.Gateways = c.N
	}
	if len(c.Rates) > 0 {
		s.Rates = c.Rates
	}
	if c.Seconds != 0 {
		s.Seconds = c.Seconds
	}
	if len(c.Tiers) > 0 {
		s.Tiers = c.Tiers
	}
	if err := s.Check(); err != nil {
		return s, config.Usagef("%w", err)
	}
	return s, nil
}

// asked is what the flags said.
func (c *Command) asked() report.Asked {
	a := report.Asked{Out: c.Out, Seed: c.Seed, Scenario: c.Scenario, Quick: c.Quick}
	joined := func(list any) string { return strings.ReplaceAll(strings.Trim(fmt.Sprint(list), "[]"), " ", ",") }
	a.Add(len(c.Parts) > 0, "--parts %s", joined(c.Parts))
	a.Add(c.Edges != 0, "--edges %d", c.Edges)
	a.Add(c.SocketsPerEdge != 0, "--sockets-per-edge %d", c.SocketsPerEdge)
	a.Add(len(c.N) > 0, "--n %s", joined(c.N))
	a.Add(len(c.Rates) > 0, "--rates %s", joined(c.Rates))
	a.Add(c.Seconds != 0, "--seconds %g", c.Seconds)
	a.Add(len(c.Tiers) > 0, "--tiers %s", joined(c.Tiers))
	a.Add(c.WithoutRedis, "--without-redis")
	a.Add(c.Patience != 0, "--patience %s", c.Patience)
	return a
}
