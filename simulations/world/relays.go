package world

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"selvedge/edge"
	"selvedge/simulations/netsim"
)

// together is a scenario with its edges in one region, across an ocean from the
// core: they take their logs from each other.
func together(s Scenario) Scenario {
	s.Name = "in one region: " + s.Name
	s.Config.Regions = []string{"eu-west", "eu-west", "eu-west"}
	return s
}

// relayed are scenarios of edges that take their logs from each other.
func relayed(others []Scenario) (out []Scenario) {
	for _, s := range others {
		out = append(out, together(s))
	}

	stalled := together(standard("an edge stalls"))
	stalled.Name = "a relay stalls"
	stalled.For = 40 * time.Second
	stalled.Faults = func(r *rand.Rand, w *World) []netsim.Fault {
		return []netsim.Fault{
			{At: 8 * time.Second, For: time.Second + drawn(r, 2*time.Second), Hosts: []netsim.Host{w.Edges[r.IntN(3)].Host}, Stall: true},
			{At: 18 * time.Second, For: 12 * time.Second, Hosts: []netsim.Host{w.Edges[r.IntN(3)].Host}, Stall: true},
		}
	}

	cut := together(standard("cut"))
	cut.Name = "a relay is cut from a core, then from its siblings"
	cut.For = 45 * time.Second
	cut.Faults = func(r *rand.Rand, w *World) []netsim.Fault {
		return []netsim.Fault{
			{At: 8 * time.Second, For: 10 * time.Second, Hosts: []netsim.Host{w.Edges[0].Host}, Others: w.coreHosts(), Cut: true},
			{At: 27 * time.Second, For: 8 * time.Second, Hosts: []netsim.Host{w.Edges[r.IntN(3)].Host}, Others: w.edgeHosts(), Cut: true},
		}
	}

	cut.Meanwhile = func(ctx context.Context, w *World) error {
		if !after(ctx, 17*time.Second) {
			return nil
		}
		return w.onceForTheRegion(ctx)
	}

	come := together(standard("come and go"))
	come.Name = "relays are stopped and started, one after the other"
	come.For = 60 * time.Second
	come.Config.Edge = func(c *edge.Config) { c.Drain = 3 * time.Second }
	come.Meanwhile = func(ctx context.Context, w *World) error {
		for i := range w.Edges {
			if !after(ctx, 5*time.Second) {
				return nil
			}
			if err := w.RestartEdge(ctx, i, 5*time.Second); err != nil {
				return err
			}
		}
		return nil
	}
	return append(out, stalled, cut, come)
}

// onceForTheRegion fails unless the cores feed each log once, though the edges are
// several: none of them is to take a log from a core that another can feed it.
func (w *World) onceForTheRegion(ctx context.Context) error {
	fed, err := w.fedByCores(ctx)
	if err == nil && fed != w.cfg.Logs {
		err = fmt.Errorf("the cores feed %d logs to a region with an edge that they don't reach, %d should be", fed, w.cfg.Logs)
	}
	return err
}

func (w *World) edgeHosts() (hosts []netsim.Host) {
	for _, e := range w.Edges {
		hosts = append(hosts, e.Host)
	}
	return hosts
}
