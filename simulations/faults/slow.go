package faults

import (
	"context"
	"fmt"
	"time"

	"selvedge/simulations/fleet"
)

const (
	// slowCache is what the edge may keep of the logs in this part: little, so
	// that what the held sockets miss is far more.
	slowCache = 16 << 20
	// slowSpare is how much more memory the edge may have while sockets are held
	// than under the same load before. The garbage collector alone moves it by
	// about this much.
	slowSpare = 32 << 20
	held      = 8 // members
)

var slowSockets = scenario{
	name:  "slow",
	fault: fmt.Sprintf("%d sockets stop reading for 60 s under load (10 s with --quick); then one asks for history without end, and never reads", held),
	must:  fmt.Sprintf("the edge's memory stays within %d MiB of what the same load takes without them; they get everything afterwards", slowSpare>>20),
	run: func(ctx context.Context, r *run) error {
		hold := time.Minute
		if r.Quick {
			hold = 10 * time.Second
		}
		c := crowd{rooms: 10, members: 20, perMember: 5}
		if err := r.gather(ctx, fleet.Config{
			Regions: []string{"us-east"},
			// A hung client answers no ping. It shall be slow here, not dead.
			EdgeFlags: []string{"--ping", "3m", "--cache-bytes", fmt.Sprint(slowCache)},
		}, c); err != nil {
			return err
		}
		edge := r.fleet.Edges[0].PID()
		r.publish(ctx, c.rooms, min(r.Rate, 1000), 1<<10, r.fleet.Core.URL)
		// The same load first, until the cache has gone round.
		usual, err := during(ctx, edge, 2*slowCache/(1<<20)*time.Second)
		if err != nil {
			return err
		}
		for _, m := range r.members[:held] {
			m.current().hold()
		}
		before := r.load.acked.Load()
		peak, err := during(ctx, edge, hold)
		missed := r.load.acked.Load() - before
		if err == nil {
			r.saw("%d sockets held for %v, while %d frames of 1 KiB went by; edge's peak %s, before %s", held, hold, missed, mib(peak), mib(usual))
			err = within(peak, usual)
		}
		flood := newFlood(r.members[held].user, r.fleet.Edges[0].URL)
		if err == nil {
			peak, err = flood.during(ctx, edge, roomChannel(c.in(held)[0]), hold/2)
			r.saw("%s", flood)
		}
		if err == nil {
			r.saw("edge's peak during the flood %s", mib(peak))
			err = within(peak, usual)
		}
		for _, m := range r.members[:held] {
			m.current().release()
		}
		if err != nil {
			return err
		}
		r.load.stop()
		return r.settle(ctx)
	},
}

// during is the most memory that a process has while d passes.
func during(ctx context.Context, pid int, d time.Duration) (int64, error) {
	s := sample(pid)
	err := pause(ctx, d)
	peak, sampleErr := s.stop()
	if err != nil {
		return 0, err
	}
	return peak, sampleErr
}

func within(peak, usual int64) error {
	if peak > usual+slowSpare {
		return fmt.Errorf("the edge grew by %s, more than %s", mib(peak-usual), mib(slowSpare))
	}
	return nil
}

func mib(n int64) string { return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20)) }
