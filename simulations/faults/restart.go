package faults

import (
	"context"
	"time"

	"selvedge/simulations/fleet"
)

// restart is coreKill in small: one kill, one log, few members. Every room is in
// that log, every publisher uses the same ids, and half of the members are not
// in the same rooms.
var restart = scenario{
	name:  "restart",
	fault: "kill -9 of the core, and a start on the same data, once",
	must:  coreKill.must,
	run: func(ctx context.Context, r *run) error {
		c := crowd{rooms: 6, members: 6, perMember: 2}
		if err := r.gather(ctx, fleet.Config{CoreFlags: []string{"--logs", "1"}, Regions: []string{"us-east"}}, c); err != nil {
			return err
		}
		r.publish(ctx, c.rooms, min(r.Rate, 600), 100, r.fleet.Core.URL)
		if _, err := r.taken(ctx, callTime, 200); err != nil {
			return err
		}
		r.fleet.Core.Kill()
		if err := r.fleet.StartCore(ctx); err != nil {
			return err
		}
		if err := pause(ctx, 500*time.Millisecond); err != nil { // with luck, in the midst of a publish
			return err
		}
		r.load.stop()
		if err := r.settle(ctx); err != nil {
			return err
		}
		return r.noneAfresh()
	},
}
