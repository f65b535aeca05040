package faults

import (
	"context"
	"fmt"
	"time"

	"selvedge/simulations/fleet"
)

// goesOn is how long publishes may be refused when one of three cores is gone.
const goesOn = 10 * time.Second

var coreOfThree = scenario{
	name:  "one-of-three",
	fault: "kill -9 of one of three cores (--replicas 3), again and again, each one in turn; each is started again afterwards",
	must:  "publishes continue within 10 s; every acknowledged publish is delivered once, in order",
	run: func(ctx context.Context, r *run) error {
		if err := r.startThree(ctx, fleet.Config{}); err != nil {
			return err
		}
		for i := range r.fleet.Cores {
			if _, err := r.taken(ctx, callTime, 500); err != nil {
				return err
			}
			dead := r.fleet.Cores[i]
			dead.Kill()
			if err := r.wentOn(ctx, dead.Name+" killed"); err != nil {
				return err
			}
			if _, err := r.fleet.Restart(ctx, dead); err != nil {
				return err
			}
		}
		return r.endThree(ctx)
	},
}

// threeRooms is who is where at three cores.
var threeRooms = crowd{rooms: 20, members: 40, perMember: 2}

// startThree starts three cores with three copies, two edges, members, and
// publishers at all cores.
func (r *run) startThree(ctx context.Context, cfg fleet.Config) error {
	cfg.Cores, cfg.CoreFlags, cfg.Regions = 3, []string{"--replicas", "3"}, []string{"us-east", "eu-west"}
	if err := r.gather(ctx, cfg, threeRooms); err != nil {
		return err
	}
	var cores []string
	for _, n := range r.fleet.Cores {
		cores = append(cores, n.URL)
	}
	r.publish(ctx, threeRooms.rooms, min(r.Rate, 1000), 200, cores...)
	return nil
}

// endThree ends the publishers, and says whether all was kept.
func (r *run) endThree(ctx context.Context) error {
	r.load.stop()
	r.saw("%v", r.load)
	if err := r.settle(ctx); err != nil {
		return err
	}
	return r.noneAfresh()
}

// wentOn waits until each channel had a publish acknowledged, and fails if that
// took too long. since is what happened before.
func (r *run) wentOn(ctx context.Context, since string) error {
	took, err := r.everyone(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", since, err)
	}
	r.saw("%s: every channel's publisher had a publish acknowledged %v later", since, took.Round(time.Millisecond))
	if took > goesOn/2 {
		r.progress("the last one was %s", r.load.late())
	}
	if took > goesOn {
		return fmt.Errorf("%s: publishes continued after %v", since, took)
	}
	return nil
}

// everyone waits until each channel had a publish acknowledged.
func (r *run) everyone(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	r.load.each()
	err := r.until(ctx, 2*goesOn, "publishes of every channel are acknowledged", r.load.had)
	if err != nil {
		err = fmt.Errorf("%w: none of\n%s", err, r.load.still())
	}
	return time.Since(began), err
}
