package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"time"

	"github.com/alecthomas/kong"

	"selvedge/internal/config"
)

// TableCommand is `selvedge bench table`.
type TableCommand struct {
	Sockets   int           `help:"At most so many sockets in each part; 0 = as many as it has by itself." default:"0"`
	Pairs     int           `help:"Pairs of floor and ours in each part; 0 = 9." default:"0"`
	Settle    time.Duration `help:"Time before the look at the memory; 0 = 60s." default:"0s"`
	Seconds   float64       `help:"How long the garbage collector is looked at; 0 = 60." default:"0"`
	Transport string        `help:"How the edge serves sockets." enum:"epoll,portable" default:"${transport}"`
	Quick     bool          `help:"Few sockets and short times, for a look: about a minute."`
	JSON      string        `help:"Write the result to this file, too." placeholder:"FILE" name:"json"`
}

// Help teaches the command.
func (*TableCommand) Help() string {
	return `Runs fanout, memory (plain, then with TLS), storm and gc (then with --apart), one after the other, with their defaults, and prints
all their figures as one table. It takes a quarter of an hour, and wants a machine that has nothing else to do.

  selvedge bench table
  selvedge bench table --quick --json table.json`
}

// part is a command of the table.
type part interface {
	measure(ctx context.Context, stdio *config.IO) (*Result, error)
}

// TableResult is what the command measures.
type TableResult struct {
	Result

	Parts []*Result `json:"parts"`
}

// Run runs all parts, also after one that failed, and prints what there is.
func (c *TableCommand) Run(ctx context.Context, stdio *config.IO) error {
	parts, err := c.parts()
	if err != nil {
		return err
	}
	all := TableResult{Result: *newResult("bench table", c, c.Quick)}
	var failed []error
	for _, p := range parts {
		res, err := p.measure(ctx, stdio)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			failed = append(failed, err)
			all.note("FAILED: %v", err)
			continue
		}
		all.Parts = append(all.Parts, res)
		all.Rows = append(all.Rows, res.Rows...)
		for _, n := range res.Notes {
			all.note("%s: %s", res.Command, n)
		}
	}
	if err := all.print(stdio.Stdout); err != nil {
		return err
	}
	if err := errors.Join(append(failed, save(c.JSON, all))...); err != nil {
		return fmt.Errorf("bench table: %w", err)
	}
	return nil
}

// parts are the commands, with their own defaults but for what c says.
func (c *TableCommand) parts() ([]part, error) {
	fanout, memory, secure, storm, gc, alone := new(FanoutCommand), new(MemoryCommand), new(MemoryCommand), new(StormCommand), new(GCCommand), new(GCCommand)
	for _, p := range []struct {
		command        any
		sockets, pairs *int // nil = it has none
	}{
		{fanout, &fanout.Sockets, &fanout.Pairs},
		{memory, &memory.Sockets, nil},
		{secure, &secure.Sockets, nil},
		{storm, &storm.Sockets, &storm.Pairs},
		{gc, &gc.Sockets, nil},
		{alone, &alone.Sockets, nil},
	} {
		parser, err := kong.New(p.command, kong.Vars{"transport": c.Transport})
		if err != nil {
			return nil, err
		}
		if _, err := parser.Parse([]string{"--quick=" + strconv.FormatBool(c.Quick)}); err != nil {
			return nil, err
		}
		if c.Sockets > 0 {
			*p.sockets = min(*p.sockets, c.Sockets)
		}
		if c.Pairs > 0 && p.pairs != nil {
			*p.pairs = c.Pairs
		}
	}
	secure.TLS = true
	memory.Settle, secure.Settle = cmp.Or(c.Settle, memory.Settle), cmp.Or(c.Settle, secure.Settle)
	gc.Seconds, gc.Halls = cmp.Or(c.Seconds, gc.Seconds), min(gc.Halls, gc.Sockets)
	alone.Seconds, alone.Halls, alone.Apart = gc.Seconds, gc.Halls, true
	parts := []part{fanout, memory, secure, storm, gc}
	if runtime.NumCPU() > 1 && runtime.GOOS == "linux" {
		parts = append(parts, alone)
	}
	return parts, nil
}
