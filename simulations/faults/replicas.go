package faults

import (
	"context"
	"fmt"
	"time"

	"selvedge/simulations/fleet"
)

// goesOn is how long publishes may be refused when one of three cores died.
const goesOn = 10 * time.Second

var coreOfThree = scenario{
	name:  "one-of-three",
	fault: "kill -9 of one of three cores (--replicas 3), again and again, each one in turn; each is started again afterwards",
	must:  "publishes continue within 10 s; every acknowledged publish is delivered once, in order",
	run: func(ctx context.Context, r *run) error {
		if err := r.start(ctx, fleet.Config{Cores: 3, CoreFlags: []string{"--replicas", "3"}, Regions: []string{"us-east", "eu-west"}}); err != nil {
			return err
		}
		c := crowd{rooms: 20, members: 40, perMember: 2}
		if err := r.populate(ctx, c); err != nil {
			return err
		}
		if err := r.connect(ctx, c); err != nil {
			return err
		}
		var cores []string
		for _, n := range r.fleet.Cores {
			cores = append(cores, n.URL)
		}
		r.publish(ctx, c.rooms, min(r.Rate, 1000), 200, cores...)
		for i := range cores {
			if _, err := r.taken(ctx, callTime, 500); err != nil {
				return err
			}
			dead := r.fleet.Cores[i]
			dead.Kill()
			took, err := r.everyone(ctx)
			if err != nil {
				return err
			}
			r.saw("%s killed: every channel's publisher had a publish acknowledged %v later", dead.Name, took.Round(time.Millisecond))
			if took > goesOn {
				return fmt.Errorf("publishes continued after %v", took)
			}
			if _, err := r.fleet.Restart(ctx, dead); err != nil {
				return err
			}
		}
		r.load.stop()
		r.saw("%v", r.load)
		if err := r.settle(ctx); err != nil {
			return err
		}
		return r.noneAfresh()
	},
}

// everyone waits until each channel had a publish acknowledged.
func (r *run) everyone(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	r.load.each()
	err := r.until(ctx, 2*goesOn, "publishes of every channel are acknowledged", r.load.had)
	return time.Since(began), err
}
