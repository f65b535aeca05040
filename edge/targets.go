package edge

import (
	"cmp"
	"slices"

	"selvedge/edge/upstream"
	"selvedge/topology"
)

// targets are the cores to link to, with what gossip says of them: ready ones
// first, then by distance, then by name.
func targets(cores []topology.Node, lat, lon float64) []upstream.Target {
	rank := func(n topology.Node) (int, float64) {
		unfit := 0
		if n.State != topology.StateReady {
			unfit = 1
		}
		return unfit, topology.DistanceKm(lat, lon, n.Lat, n.Lon)
	}
	slices.SortFunc(cores, func(a, b topology.Node) int {
		ua, da := rank(a)
		ub, db := rank(b)
		return cmp.Or(cmp.Compare(ua, ub), cmp.Compare(da, db), cmp.Compare(a.ID, b.ID))
	})
	out := make([]upstream.Target, 0, len(cores))
	for _, n := range cores {
		if n.Link != "" {
			out = append(out, upstream.Target{Node: string(n.ID), Addr: n.Link, Region: n.Region, State: n.State})
		}
	}
	return out
}
