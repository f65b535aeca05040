package faults

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"selvedge/internal/config"
)

// Command is `selvedge bench faults`.
type Command struct {
	Only    []string `help:"Only these, by name." placeholder:"NAME"`
	Sockets int      `help:"Sockets of each of the three edges, one of which is killed." default:"2000"`
	Rate    int      `help:"Publishes per second that are tried." default:"5000"`
	Quick   bool     `help:"Shorter: fewer kills, sockets and seconds. Two minutes."`
	JSON    string   `help:"Write the result to this file, too." placeholder:"FILE" name:"json"`
}

// Help teaches the command.
func (*Command) Help() string {
	var b strings.Builder
	b.WriteString(`Starts cores and edges as processes on loopback, does to them what the table says, and compares what was acknowledged with what
each client saw: lost, duplicated, out of order. Fails if a promise is not kept. Every part stops by itself and leaves nothing
behind. Parts that this machine can't run (a mount needs root) are told apart.

`)
	for _, s := range scenarios() {
		fmt.Fprintf(&b, "  %-18s %s\n", s.name, s.fault)
	}
	b.WriteString(`
  selvedge bench faults --quick
  selvedge bench faults --only core-kill,edge-kill --sockets 10000`)
	return b.String()
}

// scenario is one fault.
type scenario struct {
	name  string
	fault string // what happens
	must  string // what has to hold
	run   func(ctx context.Context, r *run) error
}

// scenarios are all of them, in the order in which they run.
func scenarios() []scenario {
	return []scenario{coreKill, edgeKill, relayKill, rolling, slowSockets, diskFull, readOnly, noFiles, powerLoss, powerLossAlways, coreStall, clockSteps, coreOfThree, stallOfThree, twoOfThree, fullOfThree, retention, lateChannel, joins}
}

// errNotHere says that a machine can't run a part. It breaks no promise.
var errNotHere = errors.New("can't be run here")

// Run runs the parts, and fails if a promise was not kept.
func (c *Command) Run(ctx context.Context, stdio *config.IO) error {
	parts, err := c.parts()
	if err != nil {
		return err
	}
	binary, err := os.Executable()
	if err != nil {
		return err
	}
	report := newReport(c)
	for _, s := range parts {
		r := &run{Command: c, name: s.name, binary: binary, stall: stallTime, stderr: stdio.Stderr}
		r.progress("%s", s.fault)
		began := time.Now()
		err := r.play(ctx, s.run)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		report.add(s, r, err, time.Since(began))
	}
	if err := report.print(stdio.Stdout); err != nil {
		return err
	}
	if err := report.save(c.JSON); err != nil {
		return err
	}
	return report.err()
}

// parts are the scenarios that are asked for.
func (c *Command) parts() ([]scenario, error) {
	if c.Sockets < 1 || c.Sockets > 18_000 || c.Rate < 1 {
		return nil, config.Usagef("bench faults: --rate must be positive, and --sockets between 1 and 18000: an edge's file limit")
	}
	if c.Quick {
		c.Sockets = min(c.Sockets, 500)
	}
	all := scenarios()
	if len(c.Only) == 0 {
		return all, nil
	}
	var parts []scenario
	for _, name := range c.Only {
		i := slices.IndexFunc(all, func(s scenario) bool { return s.name == name })
		if i < 0 {
			return nil, config.Usagef("bench faults: there is no part %q: see --help", name)
		}
		parts = append(parts, all[i])
	}
	return parts, nil
}
