package faults

import (
	"context"
	"errors"
	"fmt"
	"time"

	"selvedge/simulations/fleet"
)

// keptBytes is what the core keeps of a log in this part.
const keptBytes = 256 << 10

var retention = scenario{
	name:  "retention",
	fault: "the only edge is away (kill -9) while more is published than the core keeps; then it is back, and so are its members",
	must:  "each member gets what is kept, once and in order, and is told of a gap that is exactly the rest",
	run: func(ctx context.Context, r *run) error {
		c := crowd{rooms: 6, members: 6, perMember: 2}
		if err := r.gather(ctx, fleet.Config{
			Regions: []string{"us-east"}, CoreFlags: []string{"--logs", "1", "--keep-bytes", fmt.Sprint(keptBytes)},
		}, c); err != nil {
			return err
		}
		r.publish(ctx, c.rooms, min(r.Rate, 2000), 1<<10, r.fleet.Core.URL)
		if _, err := r.taken(ctx, callTime, 100); err != nil {
			return err
		}
		r.fleet.Edges[0].Kill()
		if _, err := r.taken(ctx, callTime, 3*keptBytes>>10); err != nil {
			return err
		}
		if _, err := r.fleet.Restart(ctx, r.fleet.Edges[0]); err != nil {
			return err
		}
		if err := r.allResumed(ctx); err != nil {
			return err
		}
		if err := pause(ctx, 500*time.Millisecond); err != nil {
			return err
		}
		r.load.stop()
		if err := r.settle(ctx); err != nil {
			return err
		}
		if r.book.Result().Gone == 0 {
			return errors.New("nobody was told of a gap, although more was published than is kept")
		}
		return nil
	},
}
