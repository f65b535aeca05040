package edge

import (
	"math/rand/v2"
	"slices"
	"sync/atomic"

	"selvedge/topology"
	"selvedge/topology/region"
	"selvedge/wire"
)

// maxExits is how many edges a client is named.
const maxExits = 8

// exits are the edges that clients are sent to when this one drains. It is safe
// for concurrent use.
type exits struct {
	self string                        // fixed: the edge that they leave
	ways atomic.Pointer[[]weightedWay] // nil = none is known
}

// weightedWay are the edges for one client, best first. A client in so many gets
// it as its part of all weights is.
type weightedWay struct {
	edges  []wire.EdgeRef
	weight float64
}

// look takes the edges that gossip knows, best first as /v1/edges ranks them for
// who is where this edge is. The first is not the same for all clients: those of
// the best one's region take turns, by the room that they have. It returns how
// many edges there are.
func (x *exits) look(snap topology.Snapshot, here region.Region) int {
	ranked := topology.RankEdges(snap, topology.RankOptions{Lat: here.Lat, Lon: here.Lon, HasPoint: true})
	var all []wire.EdgeRef
	for _, e := range ranked {
		if string(e.ID) != x.self {
			all = append(all, wire.EdgeRef{ID: string(e.ID), Region: e.Region, URL: e.URL, KM: e.Km, Load: e.Load})
		}
	}
	var ways []weightedWay
	for i, e := range all {
		if i > 0 && (e.Region != all[0].Region || e.Load >= 1) {
			continue
		}
		edges := slices.Concat([]wire.EdgeRef{e}, all[:i], all[i+1:])
		ways = append(ways, weightedWay{edges[:min(len(edges), maxExits)], max(1-e.Load, 0.01)})
	}
	x.ways.Store(&ways)
	return len(all)
}

// pick is the edges for one client; none if there are none.
func (x *exits) pick() []wire.EdgeRef {
	ways := x.ways.Load()
	if ways == nil || len(*ways) == 0 {
		return nil
	}
	sum := 0.0
	for _, w := range *ways {
		sum += w.weight
	}
	at := rand.Float64() * sum
	for _, w := range *ways {
		if at -= w.weight; at < 0 {
			return w.edges
		}
	}
	return (*ways)[0].edges
}
