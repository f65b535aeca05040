package world

import (
	"context"
	"math/rand/v2"
	"time"

	"selvedge/simulations/netsim"
)

// moveTime is how long a publish may take while one of three cores is away: the
// logs that it led elect another leader, and who published there tries elsewhere.
const moveTime = 12 * time.Second

// trio is a cluster with three cores, whose logs are replicated, and with
// everything else as in standard.
func trio(name string) Scenario {
	s := standard(name)
	s.Config.More = []string{"eu-west", "us-west"}
	s.Load.Every, s.Load.Drops = 800*time.Millisecond, 5*time.Second
	s.For = 35 * time.Second
	s.Within = moveTime
	return s
}

// several are scenarios of three cores.
func several() []Scenario {
	killed := trio("one of three cores is killed, then another")
	killed.Meanwhile = func(ctx context.Context, w *World) error {
		return w.eachAway(ctx, func(i int) error { return w.CrashCore(i) })
	}

	drained := trio("one of three cores is drained, then another")
	drained.Within = 5 * time.Second
	drained.Meanwhile = func(ctx context.Context, w *World) error {
		return w.eachAway(ctx, func(i int) error { return w.DrainCore(i) })
	}

	apart := trio("a core is cut from the other cores")
	apart.Asks = &Freshness{Least: 15}
	apart.Faults = func(r *rand.Rand, w *World) []netsim.Fault {
		i := r.IntN(3)
		return []netsim.Fault{{At: 5*time.Second + drawn(r, 5*time.Second), For: 20 * time.Second, Hosts: []netsim.Host{coreAt(i)}, Others: without(w.coreHosts(), i), Cut: true}}
	}

	scattered := trio("no core hears another")
	scattered.For, scattered.Within = 45*time.Second, 0
	scattered.Asks = &Freshness{Least: 15}
	scattered.Faults = func(r *rand.Rand, w *World) []netsim.Fault {
		return []netsim.Fault{{At: 5*time.Second + drawn(r, 5*time.Second), For: 20 * time.Second, Hosts: w.coreHosts(), Others: w.coreHosts(), Cut: true}}
	}

	hidden := trio("a core is cut from some edges")
	hidden.Faults = func(r *rand.Rand, w *World) (out []netsim.Fault) {
		for i, at := range []time.Duration{5 * time.Second, 15 * time.Second} {
			edge := r.IntN(3)
			out = append(out, netsim.Fault{
				At: at + drawn(r, 5*time.Second), For: 15 * time.Second, Cut: true,
				Hosts: []netsim.Host{coreAt((i + r.IntN(2)) % 3)}, Others: []netsim.Host{w.Edges[edge].Host, w.Edges[(edge+1)%3].Host},
			})
		}
		return out
	}

	stalled := trio("one of three cores stalls")
	stalled.Asks = &Freshness{Least: 15}
	stalled.Faults = func(r *rand.Rand, _ *World) []netsim.Fault {
		i := r.IntN(3)
		return []netsim.Fault{
			{At: 5*time.Second + drawn(r, 3*time.Second), For: 12 * time.Second, Hosts: []netsim.Host{coreAt(i)}, Stall: true},
			{At: 25 * time.Second, For: 2*time.Second + drawn(r, 5*time.Second), Hosts: []netsim.Host{coreAt((i + 1) % 3)}, Stall: true},
		}
	}

	power := trio("all three cores lose their power")
	power.Load.Churn, power.Within = 0, 0
	power.Afresh = 1
	power.For = 30 * time.Second
	power.Meanwhile = func(ctx context.Context, w *World) error { return w.loseAllPower(ctx, 0) }

	return []Scenario{killed, drained, apart, scattered, hidden, stalled, power}
}

// eachAway ends two cores, one after the other, and starts each again after some
// time.
func (w *World) eachAway(ctx context.Context, end func(i int) error) error {
	r := rand.New(rand.NewPCG(w.cfg.Seed, 4))
	first := r.IntN(3)
	for k := range 2 {
		if !after(ctx, 3*time.Second+drawn(r, 4*time.Second)) {
			return nil
		}
		i := (first + k) % 3
		if err := end(i); err != nil {
			return err
		}
		<-time.After(2*time.Second + drawn(r, 8*time.Second))
		if err := w.ReviveCore(context.WithoutCancel(ctx), i); err != nil {
			return err
		}
	}
	return nil
}

// tailCut is how many records each frame log loses with the power of all cores.
const tailCut = 8

// loseAllPower ends the cores' machines, and starts them with logs that lack their
// last records: as many of the state log as given.
func (w *World) loseAllPower(ctx context.Context, state int) error {
	r := rand.New(rand.NewPCG(w.cfg.Seed, 5))
	if !after(ctx, 8*time.Second+drawn(r, 5*time.Second)) {
		return nil
	}
	for i := range w.Cores {
		w.Net.Kill(coreAt(i))
	}
	w.powerIsLost()
	w.note("all cores lose their power, each frame log %d records, and the state log %d", tailCut, state)
	for _, n := range w.Cores {
		n.die()
	}
	w.Logs.PowerLoss(tailCut, state)
	<-time.After(drawn(r, 4*time.Second))
	for i := range w.Cores {
		w.Net.Revive(coreAt(i))
	}
	for i := range w.Cores {
		n, err := w.startCore(context.WithoutCancel(ctx), i, w.Cores[i].folder)
		if err != nil {
			return err
		}
		w.Cores[i] = n
	}
	for _, n := range w.Cores {
		if err := n.await(context.WithoutCancel(ctx)); err != nil {
			return err
		}
	}
	return nil
}

func without(hosts []netsim.Host, i int) []netsim.Host {
	out := append([]netsim.Host(nil), hosts[:i]...)
	return append(out, hosts[i+1:]...)
}
