package topology

import (
	"math/rand/v2"
	"strconv"
	"testing"
)

// regionOf is one region whose edges have these loads.
func regionOf(loads []float64) []Node {
	nodes := snapshotOf(RoleEdge, StateReady, names(len(loads))).Nodes()
	for i := range nodes {
		nodes[i].Public, nodes[i].Load = "https://"+string(nodes[i].ID), loads[i]
	}
	return nodes
}

// homes are the first edges of so many teams.
func homes(nodes []Node, teams int) []NodeID {
	all := make([]candidate, len(nodes))
	for i, n := range nodes {
		all[i] = candidate{RankedEdge: RankedEdge{ID: n.ID, Region: n.Region, Load: n.Load}}
	}
	out := make([]NodeID, teams)
	for i := range out {
		preferTeam(all, "team-"+strconv.Itoa(i))
		out[i] = all[0].ID
	}
	return out
}

func differ(a, b []NodeID) (n int) {
	for i := range a {
		if a[i] != b[i] {
			n++
		}
	}
	return n
}

// When one of n edges comes or goes, at most 1.3 times the teams move that have
// to, whatever the loads are. Those have to that the one edge has: its n-th part,
// or more where other edges have sent it some of theirs.
func TestFewTeamsMove(t *testing.T) {
	around := func(r *rand.Rand, by float64) float64 { return 1 - by + 2*by*r.Float64() }
	worst, ofIdeal := 0.0, 0.0
	for name, load := range map[string]func(r *rand.Rand, mean float64) float64{
		"even":                 func(_ *rand.Rand, mean float64) float64 { return mean },
		"around the mean":      func(r *rand.Rand, mean float64) float64 { return mean * around(r, 0.1) },
		"up to twice the mean": func(r *rand.Rand, mean float64) float64 { return mean * around(r, 1) },
		"half begin to send on": func(r *rand.Rand, mean float64) float64 {
			return mean * []float64{0.75, 1.25}[r.IntN(2)] * around(r, 0.02)
		},
		"a third send on": func(r *rand.Rand, mean float64) float64 { return mean * []float64{0.7, 0.7, 1.6}[r.IntN(3)] },
	} {
		for _, n := range []int{3, 10} {
			for _, mean := range []float64{0.3, 0.85} {
				r := rand.New(rand.NewPCG(uint64(n), 1))
				loads := make([]float64, n)
				for i := range loads {
					loads[i] = min(load(r, mean), 0.99)
				}
				teams := 200 * n
				nodes := regionOf(loads)
				without := homes(nodes[:n-1], teams)
				going := homes(nodes, teams)
				nodes[n-1].Load = 0 // it has just come
				coming := homes(nodes, teams)
				for what, with := range map[string][]NodeID{"comes": coming, "goes": going} {
					moved, ideal := float64(differ(with, without)), float64(teams)/float64(n)
					own := 0
					for _, id := range with {
						if id == nodes[n-1].ID {
							own++
						}
					}
					worst, ofIdeal = max(worst, moved/max(ideal, float64(own))), max(ofIdeal, moved/ideal)
					if moved > 1.3*max(ideal, float64(own)) {
						t.Errorf("%d edges, %s, mean %v: one %s that has %d of %d teams, and %v move", n, name, mean, what, own, teams, moved)
					}
				}
			}
		}
	}
	t.Logf("at most %.2f times the teams that have to, %.2f times the n-th part", worst, ofIdeal)
}

// An edge's load that moves by one step, as gossip tells it, moves few of its
// teams: none all at once, at no load. So it doesn't swing between empty and full.
func TestTeamsAreSentOnByAndBy(t *testing.T) {
	const teams, step = 1000, 0.02
	for _, mean := range []float64{0.05, 0.4, 0.9} {
		nodes := regionOf([]float64{mean, mean, mean, mean, 0})
		var before []NodeID
		had, last := 0, teams
		for load := 0.0; load < 1; load += step {
			nodes[4].Load = load
			now := homes(nodes, teams)
			kept := 0
			for _, id := range now {
				if id == nodes[4].ID {
					kept++
				}
			}
			if before == nil {
				had = kept
			} else if moved := differ(before, now); float64(moved) > 0.3*float64(had) {
				t.Errorf("mean %v: at %.2f, %d of the edge's %d teams move at one step", mean, load, moved, had)
			}
			if load <= teamFloor && kept < had {
				t.Errorf("mean %v: at %.2f, the edge has %d of its %d teams", mean, load, kept, had)
			}
			before, last = now, kept
		}
		if mean < 0.3 && last > had/20 {
			t.Errorf("mean %v: nearly full, the edge still has %d of its %d teams", mean, last, had)
		}
	}
}

// A region with teams of very different sizes comes to rest: each edge near the
// mean, and nearly all teams at one edge, with loads that are told late.
func TestTeamsSettle(t *testing.T) {
	const edges, teams, rounds = 6, 300, 200
	r := rand.New(rand.NewPCG(3, 4))
	nodes := regionOf(make([]float64, edges))
	at := map[NodeID]int{}
	for i, n := range nodes {
		at[n.ID] = i
	}
	// A fiftieth of each team's clients comes anew in each round, and loads are told
	// at the end of it. The first team alone has more clients than an edge's mean.
	held := make([][edges]float64, teams)
	switched, homeBefore := 0, make([]NodeID, teams)
	for round := range rounds {
		home := homes(nodes, teams)
		var loads [edges]float64
		for i := range held {
			size := 0.4 * 6 / float64(teams)
			if i == 0 {
				size = 0.6
			}
			for e := range held[i] {
				held[i][e] *= 0.98
			}
			held[i][at[home[i]]] += 0.02 * size
			for e := range held[i] {
				loads[e] += held[i][e]
			}
		}
		for e := range nodes {
			if l := loads[e] * (0.98 + 0.04*r.Float64()); l-nodes[e].Load > 0.02 || nodes[e].Load-l > 0.02 {
				nodes[e].Load = min(l, 0.99)
			}
		}
		if round > rounds/2 {
			switched += differ(home, homeBefore)
		}
		homeBefore = home
	}
	mean, most := 0.0, 0.0
	for _, n := range nodes {
		mean, most = mean+n.Load/edges, max(most, n.Load)
	}
	perRound := float64(switched) / (rounds/2 - 1) / teams
	if most > 1.9*mean || perRound > 0.01 {
		t.Errorf("the fullest has %.2f of a mean of %.2f; %.2f %% of the teams change their edge at a round", most, mean, 100*perRound)
	}
	t.Logf("the fullest has %.2f of a mean of %.2f; %.3f %% of the teams change their edge at a round", most, mean, 100*perRound)
}
