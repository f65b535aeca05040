package faults

import (
	"context"
	"time"

	"selvedge/simulations/fleet"
)

const (
	// stalled is how long a core stands still.
	stalled = 15 * time.Second
	// publishPatience is how long publishers wait for a core that doesn't answer. One
	// that can't publish says so after 3 s.
	publishPatience = 4 * time.Second
	// apart is how long after a core has gone on the next one stalls. What a leader
	// had proposed and nobody had heard when it stood still, the embedded server takes
	// back one record at a time, in a second or more each. Until then this core's copy
	// counts for nothing, and another stall is a second one.
	apart = 30 * time.Second
)

var stallOfThree = scenario{
	name:  "stall-one-of-three",
	fault: "one of three cores (--replicas 3) stalls without dying for 15 s (SIGSTOP, SIGCONT), each one in turn, 30 s apart, under load",
	must:  "publishes continue within 10 s; every acknowledged publish is delivered once, in order; nothing old is told as the present",
	run: func(ctx context.Context, r *run) error {
		r.patience = publishPatience
		if err := r.startThree(ctx, fleet.Config{}); err != nil {
			return err
		}
		audit := r.audit(ctx)
		defer audit.stop()
		turns := len(r.fleet.Cores)
		if r.Quick {
			turns = 1
		}
		for i, core := range r.fleet.Cores[:turns] {
			if i > 0 {
				if err := pause(ctx, apart); err != nil {
					return err
				}
			}
			if _, err := r.taken(ctx, callTime, 500); err != nil {
				return err
			}
			if err := core.Pause(); err != nil {
				return err
			}
			began := time.Now()
			if err := r.wentOn(ctx, core.Name+" stalled"); err != nil {
				return err
			}
			if err := pause(ctx, time.Until(began.Add(stalled))); err != nil {
				return err
			}
			if err := core.Continue(); err != nil {
				return err
			}
			if err := r.wentOn(ctx, core.Name+" goes on"); err != nil {
				return err
			}
		}
		audit.stop()
		r.saw("%v", audit)
		if err := audit.err(); err != nil {
			return err
		}
		return r.endThree(ctx)
	},
}
