package faults

import (
	"context"
	"fmt"
	"sync"
	"time"

	"selvedge/simulations/fleet"
)

const (
	// staleWithin is how long edges may take what they have for the present when
	// the logs have lost their majority: 3 s since the last watermark, and what it
	// takes to ask.
	staleWithin = 5 * time.Second
	// staleStalled is the same where the others stand still: that they are silent
	// is known 3 s after they were last heard, which may have been 2 s ago.
	staleStalled = staleWithin + 4*time.Second
	// freshWithin is how long it may take when they have it again: a leader is
	// elected within 9 s.
	freshWithin = 30 * time.Second
)

var twoOfThree = scenario{
	name:  "two-of-three",
	fault: "kill -9 of two of three cores (--replicas 3), which are started again; then two stall (SIGSTOP) for 15 s",
	must:  "publishes are refused; what edges answer meanwhile is marked stale; by itself it is fresh again, and nothing acknowledged is lost",
	run: func(ctx context.Context, r *run) error {
		r.patience = publishPatience
		if err := r.startThree(ctx, fleet.Config{}); err != nil {
			return err
		}
		if _, err := r.taken(ctx, callTime, 500); err != nil {
			return err
		}
		if err := r.turns(ctx, "all three are there", false, freshWithin); err != nil {
			return err
		}
		dead := []*fleet.Node{r.fleet.Cores[1], r.fleet.Cores[2]}
		for _, n := range dead {
			n.Kill()
		}
		if err := r.turns(ctx, "two killed", true, staleWithin); err != nil {
			return err
		}
		for _, n := range dead {
			if _, err := r.fleet.Restart(ctx, n); err != nil {
				return err
			}
		}
		if err := r.turns(ctx, "started again", false, freshWithin); err != nil {
			return err
		}
		if _, err := r.taken(ctx, callTime, 500); err != nil {
			return err
		}
		quiet := []*fleet.Node{r.fleet.Cores[0], r.fleet.Cores[2]}
		began := time.Now()
		for _, n := range quiet {
			if err := n.Pause(); err != nil {
				return err
			}
		}
		if err := r.turns(ctx, "two stalled", true, staleStalled); err != nil {
			return err
		}
		if err := pause(ctx, time.Until(began.Add(stalled))); err != nil {
			return err
		}
		for _, n := range quiet {
			if err := n.Continue(); err != nil {
				return err
			}
		}
		if err := r.turns(ctx, "they go on", false, freshWithin); err != nil {
			return err
		}
		if _, err := r.taken(ctx, callTime, 500); err != nil {
			return err
		}
		return r.endThree(ctx)
	},
}

// turns waits until each edge marks what it answers of each room as stale, or of
// none, and fails if that takes too long.
func (r *run) turns(ctx context.Context, since string, stale bool, limit time.Duration) error {
	began := time.Now()
	for {
		ok, err := r.allStale(ctx, stale)
		if err != nil {
			return err
		}
		took := time.Since(began)
		if ok {
			r.saw("%s: all answers are marked stale=%v after %v", since, stale, took.Round(100*time.Millisecond))
			return nil
		}
		if took > limit {
			return fmt.Errorf("%w: %s: after %v, not all answers of edges are marked stale=%v", errBroken, since, took, stale)
		}
		if err := pause(ctx, auditEvery); err != nil {
			return err
		}
	}
}

// allStale reports whether all answers of all edges are as wanted. What is not
// answered says nothing.
func (r *run) allStale(ctx context.Context, want bool) (bool, error) {
	var asking sync.WaitGroup
	var mu sync.Mutex
	all, answers := true, 0
	for i, m := range r.members {
		asking.Go(func() {
			h, err := m.newest(ctx, roomChannel(threeRooms.in(i)[0]))
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				answers++
				all = all && h.Stale == want
			}
		})
	}
	asking.Wait()
	return all && answers > 0, ctx.Err()
}
