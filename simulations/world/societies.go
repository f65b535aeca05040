package world

import (
	"context"
	"math/rand/v2"
	"time"

	"selvedge/edge"
	"selvedge/simulations/netsim"
)

// tinyEdge can hold hardly anything.
const tinyEdge = "edge-2"

// askable is a scenario with state that changes, clients that ask for it, and
// edges of which one can hold hardly anything.
func askable(s Scenario) Scenario {
	s.Config.Heard = true
	s.Config.Edge = func(c *edge.Config) {
		if c.Name == tinyEdge {
			c.CacheBytes = 64 << 10 // a quarter is for the state
		}
	}
	s.Load = Load{Users: 9, Rooms: 6, Every: time.Second, Drops: 3 * time.Second, Authors: true}
	s.Society = &Society{Others: 6, Rooms: 5, Every: 300 * time.Millisecond, Asks: 400 * time.Millisecond, Focus: 4, Least: 20}
	s.Asks = &Freshness{Least: 15}
	s.For = 40 * time.Second
	return s
}

// societies are scenarios of state at the edge.
func societies() []Scenario {
	calm := askable(standard("state at the edge"))
	calm.For = 25 * time.Second
	calm.Society.Age = time.Second

	drops := askable(standard("state at the edge, links drop"))
	drops.Asks = &Freshness{}
	drops.Faults = func(r *rand.Rand, w *World) (out []netsim.Fault) {
		for at := 2 * time.Second; at < drops.For; at += 2*time.Second + drawn(r, 12*time.Second) {
			out = append(out, netsim.Fault{
				At: at, For: time.Second + drawn(r, 11*time.Second), Cut: true,
				Hosts: []netsim.Host{w.Edges[r.IntN(3)].Host}, Others: []netsim.Host{coreHost},
			})
		}
		return out
	}

	busy := askable(standard("state at the edge, many changes and 5 % loss"))
	busy.For, busy.Load.Drops = 15*time.Second, 700*time.Millisecond
	busy.Society.Every, busy.Society.Asks, busy.Society.Focus, busy.Society.Least = 200*time.Millisecond, 150*time.Millisecond, 2, 10
	busy.Society.Age = 2 * time.Second
	busy.Asks = &Freshness{}
	busy.Faults = worse(netsim.Path{Loss: 0.05, Reorder: 0.1, ReorderBy: 80 * time.Millisecond})

	killed := askable(standard("state at the edge, the core is killed"))
	killed.Asks = nil // a core that is away is no fault of the network
	killed.For = 30 * time.Second
	killed.Meanwhile = func(ctx context.Context, w *World) error {
		r := rand.New(rand.NewPCG(w.cfg.Seed, 6))
		if !after(ctx, 8*time.Second+drawn(r, 8*time.Second)) {
			return nil
		}
		if err := w.CrashCore(0); err != nil {
			return err
		}
		<-time.After(drawn(r, 4*time.Second))
		return w.ReviveCore(context.WithoutCancel(ctx), 0)
	}

	one := askable(trio("state at the edge, one of three cores is killed, then another"))
	one.Asks = nil
	one.Meanwhile = func(ctx context.Context, w *World) error {
		return w.eachAway(ctx, func(i int) error { return w.CrashCore(i) })
	}

	return append([]Scenario{calm, drops, busy, killed, one}, newEpochs()...)
}

// stateCut is how many records the state log loses with the power of all cores.
const stateCut = 12

// newEpochs are scenarios of state at the edge in which the logs lose their ends: what
// clients and edges had of them is no more, and its positions mean other records.
func newEpochs() []Scenario {
	power := askable(powerLoss(true))
	power.Name = "state at the edge, the core loses its power, and what it wrote last"
	power.For, power.Asks, power.Society.Focus, power.Society.Lull = 30*time.Second, nil, 0, 8

	all := askable(trio("state at the edge, all three cores lose their power"))
	all.Asks, all.Within, all.Afresh, all.Society.Focus, all.Society.Lull = nil, 0, 1, 0, 8
	all.Meanwhile = func(ctx context.Context, w *World) error { return w.loseAllPower(ctx, stateCut) }

	return []Scenario{power, all}
}
