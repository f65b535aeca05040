package edge

import (
	"math/rand/v2"
	"slices"
	"sync"
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
	self string               // fixed: the edge that they leave
	ways atomic.Pointer[ways] // nil = none is known
}

// ways are the exits at one moment.
type ways struct {
	// Fixed.
	all  []weightedWay
	sum  float64 // of their weights
	snap topology.Snapshot
	rank topology.RankOptions // for who is where this edge is

	mu    sync.Mutex
	teams map[string]int // guarded by mu; those that were asked for, by team
}

// weightedWay are the edges for one client, best first. A client in so many gets
// it as its part of all weights is.
type weightedWay struct {
	edges  []wire.EdgeRef
	weight float64
}

// look takes the edges that gossip knows, best first as /v1/edges ranks them for
// who is where this edge is. The first is not the same for all clients: those of
// the best one's region take turns, by the room that they have, and a team goes
// where /v1/edges would send it. It returns how many edges there are.
func (x *exits) look(snap topology.Snapshot, here region.Region) int {
	w := &ways{snap: snap, rank: topology.RankOptions{Lat: here.Lat, Lon: here.Lon, HasPoint: true}, teams: map[string]int{}}
	var all []wire.EdgeRef
	for _, e := range topology.RankEdges(snap, w.rank) {
		if string(e.ID) != x.self {
			all = append(all, wire.EdgeRef{ID: string(e.ID), Region: e.Region, URL: e.URL, KM: e.Km, Load: e.Load})
		}
	}
	for i, e := range all {
		if i > 0 && (e.Region != all[0].Region || e.Load >= 1) {
			continue
		}
		edges := slices.Concat([]wire.EdgeRef{e}, all[:i], all[i+1:])
		way := weightedWay{edges[:min(len(edges), maxExits)], max(1-e.Load, 0.01)}
		w.all, w.sum = append(w.all, way), w.sum+way.weight
	}
	x.ways.Store(w)
	return len(all)
}

// pick is the edges for one client of a team, "" = of none; no edges if there are none.
// Those that begin with the same edge are the same.
func (x *exits) pick(team string) []wire.EdgeRef {
	w := x.ways.Load()
	if w == nil || len(w.all) == 0 {
		return nil
	}
	if team != "" {
		return w.all[w.ofTeam(team, x.self)].edges
	}
	return w.all[w.any()].edges
}

// any is a way by weight.
func (w *ways) any() int {
	at := rand.Float64() * w.sum
	for i := range w.all {
		if at -= w.all[i].weight; at < 0 {
			return i
		}
	}
	return 0
}

// ofTeam is the way of everyone of a team, but for where edges are not told apart.
func (w *ways) ofTeam(team, self string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if i, known := w.teams[team]; known {
		return i
	}
	rank := w.rank
	rank.Team = team
	at := w.any()
	for _, e := range topology.RankEdges(w.snap, rank) {
		if string(e.ID) == self {
			continue
		}
		if i := slices.IndexFunc(w.all, func(way weightedWay) bool { return way.edges[0].ID == string(e.ID) }); i >= 0 {
			at = i
		}
		break
	}
	w.teams[team] = at
	return at
}
