package faults

import (
	"context"
	"fmt"
	"time"

	"selvedge/simulations/fleet"
)

// rollingStall is how long a member may get nothing of a busy room while the edges are
// replaced.
const rollingStall = time.Second

var rolling = scenario{
	name:  "rolling-restart",
	fault: "the four edges of a region are replaced, one after the other: a new one is started, an old one is stopped (SIGTERM, --drain 6s), under load",
	must:  "nobody gets nothing of a room for a second; nobody is cut; nothing is lost, doubled or out of order",
	run: func(ctx context.Context, r *run) error {
		r.roams = true
		c := crowd{rooms: 20, members: 200, perMember: 4}
		if err := r.gather(ctx, fleet.Config{
			Regions: []string{"eu-west", "eu-west", "eu-west", "eu-west"}, EdgeFlags: []string{"--drain", "6s"},
		}, c); err != nil {
			return err
		}
		if err := r.relayed(ctx, 1); err != nil {
			return err
		}
		r.publish(ctx, c.rooms, 400, 200, r.fleet.Core.URL)
		if err := pause(ctx, 2*time.Second); err != nil {
			return err
		}
		w := watch(r.members)
		turns := 4
		if r.Quick {
			turns = 1
		}
		for i := range turns {
			if _, err := r.fleet.StartEdge(ctx, "eu-west"); err != nil {
				return err
			}
			if err := pause(ctx, 2*time.Second); err != nil { // gossip knows it
				return err
			}
			if err := r.fleet.Edges[i].Stop(); err != nil {
				return err
			}
		}
		if err := pause(ctx, time.Second); err != nil {
			return err
		}
		longest := w.stop()
		var resumed, afresh int64
		for _, m := range r.members {
			resumed += m.resumed.Load()
			afresh += m.afresh.Load()
		}
		r.saw("%d edges replaced: %d members moved %d times, the longest that one got nothing of some room was %v", turns, len(r.members), resumed, longest.Round(10*time.Millisecond))
		r.load.stop()
		if err := r.settle(ctx); err != nil {
			return err
		}
		switch {
		case afresh > 0:
			return fmt.Errorf("%d members started afresh: %w", afresh, errBroken)
		case longest > rollingStall:
			return fmt.Errorf("a member got nothing of a room for %v: %w", longest, errBroken)
		}
		return nil
	},
}
