package router

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"

	"selvedge/internal/config"
)

// firstFile is the first descriptor that exec.Cmd.ExtraFiles has.
const firstFile = 3

// Run reads the plan, a line of JSON, from stdin, says that it routes, and does so until
// stdin ends. Then it says what it counted.
func (c *Command) Run(_ context.Context, stdio *config.IO) (err error) {
	line, err := bufio.NewReader(stdio.Stdin).ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("read the plan: %w", err)
	}
	var p Plan
	if err := json.Unmarshal(line, &p); err != nil {
		return fmt.Errorf("read the plan: %w", err)
	}
	r, err := newRoutes(p)
	if err != nil {
		return err
	}
	if c.Spaces != p.Spaces {
		return fmt.Errorf("router: %d devices for %d namespaces", c.Spaces, p.Spaces)
	}
	var tuns []int
	for i := range p.Spaces {
		tuns = append(tuns, firstFile+i)
	}
	l, err := newLoop(r, tuns, 0)
	defer l.close()
	if err != nil {
		return err
	}
	out := json.NewEncoder(stdio.Stdout)
	if err := out.Encode(Counts{}); err != nil {
		return err
	}
	if err := l.run(); err != nil {
		return err
	}
	return out.Encode(r.counts)
}
