package faults

import (
	"context"
	"fmt"
	"time"

	"selvedge/simulations/fleet"
)

var coreStall = scenario{
	name:  "core-stall",
	fault: "the core stalls without dying for 10 s (SIGSTOP, SIGCONT), under load",
	must:  "nothing is lost, doubled or out of order; the sockets stay; publishes go on afterwards",
	run: func(ctx context.Context, r *run) error {
		c := crowd{rooms: 20, members: 40, perMember: 2}
		if err := r.gather(ctx, fleet.Config{Regions: []string{"us-east", "eu-west"}}, c); err != nil {
			return err
		}
		r.publish(ctx, c.rooms, min(r.Rate, 1000), 200, r.fleet.Core.URL)
		if _, err := r.taken(ctx, callTime, 500); err != nil {
			return err
		}
		if err := r.fleet.Core.Pause(); err != nil {
			return err
		}
		if err := pause(ctx, 10*time.Second); err != nil {
			return err
		}
		if err := r.fleet.Core.Continue(); err != nil {
			return err
		}
		took, err := r.taken(ctx, callTime, 500)
		if err != nil {
			return err
		}
		r.load.stop()
		r.saw("500 publishes acknowledged %v after it went on", took.Round(time.Millisecond))
		r.saw("%v", r.load)
		if err := r.settle(ctx); err != nil {
			return err
		}
		for _, m := range r.members {
			if n := m.welcomes.Load(); n != 1 {
				return fmt.Errorf("%s had to connect %d times", m.user, n)
			}
		}
		r.saw("every socket stayed")
		return nil
	},
}
