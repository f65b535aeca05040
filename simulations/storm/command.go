package storm

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"selvedge/internal/config"
	"selvedge/simulations/bubble"
	"selvedge/simulations/report"
	"selvedge/simulations/scenario"
)

// Command is `selvedge simulate storm`.
type Command struct {
	Out      string   `help:"Folder for report.html and report.json." default:"simulate-storm" type:"path" placeholder:"DIR"`
	Seed     uint64   `help:"Decides about every packet of the office's network." default:"1"`
	Scenario string   `help:"A file of YAML or JSON that changes what is simulated; the report ends with the whole of it." type:"existingfile" placeholder:"FILE"`
	Sockets  int      `help:"Sockets of the edge that is killed; 0 = the scenario's." default:"0"`
	Clients  int      `help:"Clients of the office; 0 = the scenario's." default:"0"`
	Only     []string `help:"Only the edge, or only the office." placeholder:"edge|office"`
	Quick    bool     `help:"Small and short: a look, not figures to quote."`
}

// Help teaches the command.
func (*Command) Help() string {
	return `What happens when many clients lose their connections at once, in two parts.

edge    In real time: a core and three edges of one region are processes on loopback. One edge, with 10,000 sockets of the Go SDK,
        is killed (kill -9) while messages are published; its clients come to the siblings and resume. How many are taken per
        second, when all are back, what the core is asked, what those notice who were at the siblings before. Some runs, medians.
office  In virtual time: an office of 20,000 clients of the Go SDK, behind one access, is without a network for a minute, and comes
        back: with the clients' own jitter, all in one moment, with an uplink that swallows packets, and with the core away, too.

Each message is accounted for: what was acknowledged against what each client saw. It fails if one is lost, came twice or in
another order.

  selvedge simulate storm --quick                   then open simulate-storm/report.html
  selvedge simulate storm --out ./storm --seed 7
  selvedge simulate storm --only edge --sockets 5000
  selvedge simulate storm --scenario mine.yaml      with, for example:

      edge: {siblings: 3, runs: 9}                  what isn't named stays
      office:
        accept_rate: 500
        variants:
          - {name: told, unreachable: true, told: true}`
}

// Names of the parts.
const (
	partEdge   = "edge"
	partOffice = "office"
)

// Run plays both parts, and writes the report.
func (c *Command) Run(ctx context.Context, stdio *config.IO) error {
	s, err := c.scenario()
	if err != nil {
		return err
	}
	if err := report.Prepare(c.Out); err != nil {
		return err
	}
	var all results
	if c.plays(partEdge) {
		if all.kills, err = playKills(ctx, &s.Edge, stdio.Stderr); err != nil {
			return err
		}
	}
	if c.plays(partOffice) {
		err := bubble.Main(func(t *testing.T) (err error) {
			all.offices, err = playOffices(ctx, t, &s.Office, c.Seed, settleTime, stdio.Stderr)
			return err
		})
		if err != nil {
			return err
		}
	}
	r, err := newReport(&s, &all)
	if err != nil {
		return err
	}
	if err := r.Finish(c.asked(), stdio.Stdout); err != nil {
		return err
	}
	return all.check()
}

func (c *Command) plays(part string) bool {
	return len(c.Only) == 0 || slices.Contains(c.Only, part)
}

// scenario is what the flags say.
func (c *Command) scenario() (Scenario, error) {
	for _, p := range c.Only {
		if p != partEdge && p != partOffice {
			return Scenario{}, config.Usagef("--only %q: there are %s and %s", p, partEdge, partOffice)
		}
	}
	s := Default()
	if err := scenario.FromFlag(c.Scenario, &s); err != nil {
		return s, err
	}
	if c.Quick {
		s.Quick()
	}
	if c.Sockets != 0 {
		s.Edge.Sockets = c.Sockets
	}
	if c.Clients != 0 {
		s.Office.Clients = c.Clients
	}
	if err := s.Check(); err != nil {
		return s, config.Usagef("%w", err)
	}
	return s, nil
}

// asked is what the flags said.
func (c *Command) asked() report.Asked {
	a := report.Asked{Out: c.Out, Seed: c.Seed, Scenario: c.Scenario, Quick: c.Quick}
	a.Add(c.Sockets != 0, "--sockets %d", c.Sockets)
	a.Add(c.Clients != 0, "--clients %d", c.Clients)
	for _, p := range c.Only {
		a.Add(true, "--only %s", p)
	}
	return a
}

// results are what both parts found; nil = the part was not played.
type results struct {
	kills   []*Kill
	offices []*Outcome
}

// playKills plays the real storm as often as it is to be.
func playKills(ctx context.Context, e *Edge, progress io.Writer) (out []*Kill, err error) {
	for i := range e.Runs {
		k := &kill{Edge: e, say: func(format string, args ...any) {
			_, _ = fmt.Fprintf(progress, "edge, %d of %d: "+format+"\n", append([]any{i + 1, e.Runs}, args...)...) // progress that can't be shown is no reason to stop
		}}
		o, err := k.play(ctx)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			return nil, fmt.Errorf("edge, run %d: %w", i+1, err)
		}
		k.say("all %d are back after %.2f s, %.0f/s; %v", o.Back.N, o.Back.All, o.Rate, o.Ledger)
		out = append(out, o)
	}
	return out, nil
}

// playOffices plays all variants of the office.
func playOffices(ctx context.Context, t *testing.T, o *Office, seed uint64, settle time.Duration, progress io.Writer) (out []*Outcome, err error) {
	for i, v := range o.Variants {
		_, _ = fmt.Fprintf(progress, "office, %d of %d: %-24s", i+1, len(o.Variants), v.Name)
		one, err := (&office{Office: o, variant: v, seed: seed, settle: settle}).play(ctx, t)
		if err != nil {
			_, _ = fmt.Fprintln(progress)
			return nil, err
		}
		_, _ = fmt.Fprintf(progress, " all %d are back after %.2f s; %v; %v of virtual time in %v\n", one.Back.N, one.Back.All, one.Ledger,
			one.Virtual.Round(time.Second), one.Wall.Round(100*time.Millisecond))
		out = append(out, one)
	}
	return out, nil
}

// check reports what was broken.
func (r *results) check() error {
	for i, k := range r.kills {
		if !k.Ledger.Kept() || k.Afresh > 0 || k.Back.N < k.Movers {
			return fmt.Errorf("edge, run %d: the promise was broken: %v; %d of %d clients are back, %d were told to start afresh; %s",
				i+1, k.Ledger, k.Back.N, k.Movers, k.Afresh, strings.Join(k.problems, "; "))
		}
		if k.Disturbed > 0 {
			return fmt.Errorf("edge, run %d: those who were at the siblings before have lost their connections %d times", i+1, k.Disturbed)
		}
		if asked, most := total(k.CoreRequests), k.mayAsk(); asked > most {
			return fmt.Errorf("edge, run %d: the core was asked %d times (%s), at most %d for %d clients", i+1, asked, told(k.CoreRequests), most, k.Movers)
		}
	}
	for _, o := range r.offices {
		if !o.Ledger.Kept() || o.Afresh > 0 {
			return fmt.Errorf("office, %s: the promise was broken: %v; %d clients were told to start afresh; %s",
				o.Variant.Name, o.Ledger, o.Afresh, strings.Join(o.problems, "; "))
		}
	}
	return nil
}
