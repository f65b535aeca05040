package million

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"selvedge/internal/config"
	"selvedge/simulations/report"
	"selvedge/simulations/scenario"
)

// Command is `selvedge simulate million`.
type Command struct {
	Out      string `help:"Folder for report.html and report.json." default:"simulate-million" type:"path" placeholder:"DIR"`
	Seed     uint64 `help:"Decides about the messages' texts, and which rooms are published to." default:"1"`
	Scenario string `help:"A file of YAML or JSON that changes what is done; the report ends with the whole of it." type:"existingfile" placeholder:"FILE"`
	Sockets  int    `help:"WebSockets at the same time; 0 = what the scenario says, a million." default:"0"`
	Check    bool   `help:"Only say whether this machine can do it, with the arithmetic."`
	Quick    bool   `help:"20,000 sockets and short times: a look, not figures to quote."`
}

// Help teaches the command.
func (*Command) Help() string {
	return `Holds a million real WebSockets on this machine: real edge processes of at most 18,900 sockets each, a core, and load processes for the
other ends, over loopback. Every socket signs in with a token, is welcomed, and is a member of two rooms: one of all, and one of 100 members.
Then it is measured what a socket takes of memory (in the kernel, the edge and the client), how fast they connect, what they cost while nothing happens,
and how long one message to all takes, and one to a room of 100. Every socket must get it, once.

Memory and limits are looked at first; where they don't suffice, the arithmetic is told and nothing is started. If memory runs short
later, the run stops. A million takes some 16 GiB and 20 minutes on two cores.

  selvedge simulate million --quick                      then open simulate-million/report.html
  selvedge simulate million --check                      can this machine do it?
  selvedge simulate million --sockets 100000
  sudo unshare -n sh -c 'ip link set lo up; exec selvedge simulate million'    no connection tracking, no other's ports
  selvedge simulate million --scenario mine.yaml         with, for example:

      sockets: 250000
      ping: 60s                 what isn't named stays
      regions: [eastus]

As root, the kernel's part is told by kind of object (/proc/slabinfo).`
}

// Run plays it, and writes the report.
func (c *Command) Run(ctx context.Context, stdio *config.IO) error {
	s, err := c.scenario()
	if err != nil {
		return err
	}
	l, err := readLimits()
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(stdio.Stderr, "million: %s; %.2f GiB are available\n", s.arithmetic(), float64(l.Available)/gib); err != nil {
		return err
	}
	if err := s.refuse(l); err != nil {
		return fmt.Errorf("%d sockets: %w", s.Sockets, err)
	}
	if c.Check {
		_, err := fmt.Fprintf(stdio.Stdout, "%d sockets: this machine can\n", s.Sockets)
		return err
	}
	if err := report.Prepare(c.Out); err != nil {
		return err
	}
	out, fault := run(ctx, &s, c.Seed, stdio.Stderr)
	if fault != nil && !errors.Is(fault, errFault) {
		return fault
	}
	r, err := newReport(&s, out)
	if err != nil {
		return errors.Join(fault, err)
	}
	return errors.Join(fault, r.Finish(c.asked(), stdio.Stdout))
}

func (c *Command) scenario() (Scenario, error) {
	s := Default()
	if err := scenario.FromFlag(c.Scenario, &s); err != nil {
		return s, err
	}
	if c.Quick {
		s.Quick()
	}
	if c.Sockets != 0 {
		s.Sockets = c.Sockets
	}
	if err := s.Check(); err != nil {
		return s, config.Usagef("%w", err)
	}
	s.pace(runtime.NumCPU())
	return s, nil
}

// asked is what the flags said.
func (c *Command) asked() report.Asked {
	a := report.Asked{Out: c.Out, Seed: c.Seed, Scenario: c.Scenario, Quick: c.Quick}
	a.Add(c.Sockets != 0, "--sockets %d", c.Sockets)
	return a
}
