package planet

import "math"

// fleet is what so many users need, when edges are added until they are enough.
type fleet struct {
	edges int
	per   []int  // in each region
	day   []flow // what goes on then
	ok    bool   // enough, also for what relays do, within Scenario.MostEdges
}

// edgeResources are those that more edges are a cure for.
var edgeResources = []Resource{EdgeCPU, EdgeMemory, EdgeSockets, EdgeNetwork}

// fleet adds edges by what the worst off need, until there are enough, and takes away
// again what is more than a fiftieth too many.
func (z *sizing) fleet(users float64) fleet {
	fits := func(edges int) (fleet, float64) {
		x := fleet{edges: edges, per: z.a.spread(edges)}
		x.day = z.a.day(z.f, x.per)
		n := z.needs(x.day, users, x.per)
		worst := 0.0
		for _, r := range edgeResources {
			worst = max(worst, n[r])
		}
		x.ok = worst <= 1 && n[RelayCPU] <= 1 && n[RelayNetwork] <= 1
		return x, worst
	}
	// Sockets alone need nearly so many.
	least := 2 * len(z.a.share)
	short, edges := 0, max(least, min(int(0.9*users*z.f.online*z.f.sessions/z.s.EdgeMachine.Sockets), z.s.MostEdges))
	enough, worst := fits(edges)
	for worst > 1 && edges < z.s.MostEdges {
		short = edges
		edges = min(int(math.Ceil(float64(edges)*min(max(worst, 1.1), 50))), z.s.MostEdges)
		enough, worst = fits(edges)
	}
	for short > 0 && worst <= 1 && enough.edges-short > 1+enough.edges/50 {
		if x, w := fits((short + enough.edges) / 2); w <= 1 {
			enough = x
		} else {
			short = x.edges
		}
	}
	return enough
}
