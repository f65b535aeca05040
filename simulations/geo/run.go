package geo

import (
	"context"
	"fmt"
	"io"
	"testing"
	"time"
)

// Names of the worlds.
const (
	nearest = "nearest edge"
	central = "everyone to the core's region"
	still   = "no jitter, no loss"
	rough   = "rough network"
	relays  = "relays"
	strange = "no relays"
	trouble = "trouble"
	workday = "working day"
)

// order is that of the worlds.
var order = []string{nearest, central, still, rough, relays, strange, trouble, workday}

// worlds are all that a run plays, in this order.
func worlds(s *Scenario, a *atlas, seed uint64) []*plan {
	make := func(name string, edges int, change func(*plan)) *plan {
		p := newPlan(name, s, a, seed, edges)
		if change != nil {
			change(p)
		}
		return p
	}
	return []*plan{
		make(nearest, 1, nil),
		make(central, 1, func(p *plan) { p.central, p.edges = true, []int{a.core} }),
		make(still, 1, func(p *plan) { p.jitter, p.loss = 0, 0 }),
		make(rough, 1, func(p *plan) { p.jitter, p.loss = s.Network.RoughJitter, s.Network.RoughLoss }),
		make(relays, s.EdgesPerRegion, nil),
		make(strange, s.EdgesPerRegion, func(p *plan) { p.direct = true }),
		make(trouble, 1, func(p *plan) { p.trouble, p.last = true, s.Trouble.For }),
		make(workday, 1, func(p *plan) { p.day() }),
	}
}

// results are the outcomes by the name of their world.
type results map[string]*Outcome

// playAll plays worlds, and tells progress of each.
func playAll(ctx context.Context, t *testing.T, all []*plan, progress io.Writer) (results, error) {
	out := results{}
	for i, p := range all {
		_, _ = fmt.Fprintf(progress, "%d of %d  %-30s", i+1, len(all), p.name) // progress that can't be shown is no reason to stop
		o, err := p.play(ctx, t)
		if err != nil {
			_, _ = fmt.Fprintln(progress)
			return nil, err
		}
		_, _ = fmt.Fprintf(progress, " %6d published, %8d deliveries: %v of virtual time in %v\n", o.Published, o.Deliveries, o.Virtual.Round(time.Second), o.Wall.Round(100*time.Millisecond))
		out[p.name] = o
	}
	return out, nil
}

// check reports what was broken: a simulation that loses messages shows a defect, and no
// latency.
func (r results) check() error {
	for _, name := range order {
		if problems := r[name].sound(); len(problems) > 0 {
			return fmt.Errorf("%s: messages were not delivered as promised: %v", name, problems)
		}
	}
	return nil
}
