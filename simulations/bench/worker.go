package bench

import (
	"context"

	"selvedge/internal/config"
	"selvedge/simulations/load"
)

// clientsCommand is `selvedge bench clients`: a process that receives.
type clientsCommand struct {
	Loops int `help:"Threads." default:"1" hidden:""`
}

// Run obeys the orders on stdin.
func (c *clientsCommand) Run(ctx context.Context, stdio *config.IO) error {
	return load.ServeClients(ctx, stdio.Stdin, stdio.Stdout, c.Loops)
}

// floorCommand is `selvedge bench floor`: the bare floor.
type floorCommand struct {
	Lose int `help:"Leave out every this many-th write, to see that it is noticed; 0 = none." default:"0" hidden:""`
}

// Run obeys the orders on stdin.
func (c *floorCommand) Run(ctx context.Context, stdio *config.IO) error {
	return load.ServeFloor(ctx, stdio.Stdin, stdio.Stdout, c.Lose)
}
