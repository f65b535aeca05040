package planet

import (
	"context"
	"errors"
	"fmt"
	"os"

	"selvedge/internal/config"
	"selvedge/simulations/report"
	"selvedge/simulations/scenario"
)

// Command is `selvedge simulate planet`.
type Command struct {
	Out       string   `help:"Folder for report.html and report.json." default:"simulate-planet" type:"path" placeholder:"DIR"`
	Seed      uint64   `help:"Decides what is drawn of the uncertain figures." default:"1"`
	Scenario  string   `help:"A file of YAML or JSON that changes what is assumed; the report ends with the whole of it." type:"existingfile" placeholder:"FILE"`
	Quick     bool     `help:"Few draws: a look."`
	Costs     string   `help:"A file of costs, instead of those in the program. With --calibrate it is written." type:"path" placeholder:"FILE"`
	Calibrate []string `help:"Fit the costs to a report.json of fanout or million, and write them; nothing else. Repeat it for several." type:"existingfile" placeholder:"REPORT" sep:"none"`
	Check     []string `help:"Predict what a report.json of fanout or million measured at larger sizes than those that costs are fitted to; nothing else. Fails if it is off by more than 25 %." type:"existingfile" placeholder:"REPORT" sep:"none"`
}

// Help teaches the command.
func (*Command) Help() string {
	return `A model of clusters that no machine can hold: 10 million to a billion users, 20 to 2,000 edges. Costs that were measured, times rates that
are assumed: what is too little first, what the centre sends, what a million users cost; with relays, with a core that sends to each edge, and with Redis. Uncertain
figures are drawn; the same seed draws the same. Starts nothing, and takes no ports: seconds.

  selvedge simulate planet --quick                     then open simulate-planet/report.html
  selvedge simulate planet --scenario mine.yaml        with, for example:

      people: {messages: {low: 5, mid: 20, high: 60, source: "our own counters"}}
      edge_machine: {cpus: 4, gib: 8}    what isn't named stays

Its costs are fitted to small runs on one machine, and must then predict large ones. Of rows with more than 1,000 gateways, and of runs with more
than 100,000 sockets, --calibrate looks at nothing but the size:

  selvedge simulate planet --calibrate fanout/report.json --calibrate million/report.json --costs costs.yaml
  selvedge simulate planet --check fanout/report.json --check million/report.json --costs costs.yaml`
}

// Run does one of the three.
func (c *Command) Run(ctx context.Context, stdio *config.IO) error {
	if len(c.Calibrate) > 0 && len(c.Check) > 0 {
		return config.Usagef("--calibrate and --check: one at a time, or the model would be checked with what it was made of")
	}
	costs, err := c.costs()
	if err != nil {
		return config.Usagef("--costs: %w", err)
	}
	switch {
	case len(c.Calibrate) > 0:
		return c.fit(&costs, stdio)
	case len(c.Check) > 0:
		all, err := costs.predict(c.Check)
		if err != nil {
			return fmt.Errorf("--check: %w", err)
		}
		return show(stdio.Stdout, all)
	}
	return c.model(ctx, &costs, stdio)
}

// costs are those of the file, or of the program; of the program, too, if the file is
// yet to be written.
func (c *Command) costs() (Costs, error) {
	if c.Costs == "" {
		return Frozen()
	}
	costs, err := LoadCosts(c.Costs)
	if errors.Is(err, os.ErrNotExist) && len(c.Calibrate) > 0 {
		return Frozen()
	}
	return costs, err
}

// fit writes the costs.
func (c *Command) fit(costs *Costs, stdio *config.IO) error {
	if c.Costs == "" {
		return config.Usagef("--calibrate: say by --costs which file is to be written")
	}
	if err := costs.calibrate(c.Calibrate); err != nil {
		return fmt.Errorf("--calibrate: %w", err)
	}
	if err := os.WriteFile(c.Costs, []byte(costs.String()), 0o644); err != nil {
		return fmt.Errorf("--costs: %w", err)
	}
	_, err := fmt.Fprintln(stdio.Stdout, c.Costs)
	return err
}

func (c *Command) model(ctx context.Context, costs *Costs, stdio *config.IO) error {
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
	o, err := reckon(ctx, &s, costs, c.Seed, stdio.Stderr)
	if err != nil {
		return err
	}
	r, err := newReport(&s, costs, o)
	if err != nil {
		return err
	}
	return r.Finish(c.asked(), stdio.Stdout)
}

// asked is what the flags said.
func (c *Command) asked() report.Asked {
	a := report.Asked{Out: c.Out, Seed: c.Seed, Scenario: c.Scenario, Quick: c.Quick}
	a.Add(c.Costs != "", "--costs %s", report.Near(c.Costs))
	return a
}
