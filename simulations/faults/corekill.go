package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"selvedge/simulations/fleet"
)

var coreKill = scenario{
	name:  "core-kill",
	fault: "kill -9 of the core in the midst of publishes, and a start on the same data, again and again; half of the members lose their sockets, too",
	must:  "every acknowledged publish is delivered once, in order, to every member, online or resuming; others at most once",
	run: func(ctx context.Context, r *run) error {
		kills, alive := 5, 4*time.Second
		if r.Quick {
			kills, alive = 2, 2*time.Second
		}
		c := crowd{rooms: 32, members: 64, perMember: 2}
		if err := r.gather(ctx, fleet.Config{Regions: []string{"us-east", "eu-west"}}, c); err != nil {
			return err
		}
		r.publish(ctx, c.rooms, r.Rate, 200, r.fleet.Core.URL)
		began := time.Now()
		var down time.Duration
		var restarts []time.Duration
		for range kills {
			if err := pause(ctx, alive); err != nil {
				return err
			}
			for i, m := range r.members {
				if i%2 == rand.IntN(2) { // some are away when it happens, some lose their sockets with it
					m.cut()
				}
			}
			killed := time.Now()
			r.fleet.Core.Kill()
			if err := r.fleet.StartCore(ctx); err != nil {
				return err
			}
			restarts = append(restarts, time.Since(killed).Round(time.Millisecond))
			down += time.Since(killed)
		}
		if err := pause(ctx, alive); err != nil {
			return err
		}
		r.load.stop()
		up := time.Since(began) - down
		r.saw("%d kills; ready again after %v; %.0f publishes/s while it was up", kills, restarts, float64(r.load.acked.Load())/up.Seconds())
		r.saw("%v", r.load)
		if err := r.settle(ctx); err != nil {
			return err
		}
		return r.noneAfresh()
	},
}

// noneAfresh says whether a member had to start afresh.
func (r *run) noneAfresh() error {
	var resumed, afresh int64
	for _, m := range r.members {
		resumed += m.resumed.Load()
		afresh += m.afresh.Load()
	}
	r.saw("%d resumes, %d starts afresh", resumed, afresh)
	if afresh > 0 {
		return fmt.Errorf("%d members were told to start afresh, though nothing was lost", afresh)
	}
	return nil
}
