package topology

import (
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestRelayPlan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ids := drawNames(t, 12)
		logs := rapid.IntRange(1, 64).Draw(t, "logs")
		var nodes []Node
		ready := map[NodeID]bool{}
		for _, id := range ids {
			n := Node{
				ID:     id,
				Role:   rapid.SampledFrom([]Role{RoleEdge, RoleEdge, RoleCore}).Draw(t, "role"),
				Region: rapid.SampledFrom([]string{"eu", "eu", "us"}).Draw(t, "region"),
				State:  rapid.SampledFrom([]State{StateReady, StateReady, StateDraining, StateStarting}).Draw(t, "state"),
			}
			nodes = append(nodes, n)
			if n.Role == RoleEdge && n.Region == "eu" && n.State == StateReady {
				ready[id] = true
			}
		}
		plan := RelayPlan(NewSnapshot(1, nodes), "eu", logs)
		if len(ready) == 0 {
			return // TestRelayPlanFallsBack
		}
		if len(plan) != logs {
			t.Fatalf("%d relays for %d logs", len(plan), logs)
		}
		count := map[NodeID]int{}
		for log, id := range plan {
			if !ready[id] {
				t.Fatalf("log %d is relayed by %q, which isn't a ready edge of the region", log, id)
			}
			count[id]++
		}
		for id := range ready {
			if floor, ceil := logs/len(ready), (logs+len(ready)-1)/len(ready); count[id] < floor || count[id] > ceil {
				t.Fatalf("%s relays %d of %d logs among %d edges", id, count[id], logs, len(ready))
			}
		}
	})
}

func TestRelayPlanFallsBack(t *testing.T) {
	nodes := []Node{
		{ID: "d", Role: RoleEdge, Region: "eu", State: StateDraining},
		{ID: "s", Role: RoleEdge, Region: "eu", State: StateStarting},
		{ID: "c", Role: RoleCore, Region: "eu", State: StateReady},
		{ID: "u", Role: RoleEdge, Region: "us", State: StateReady},
	}
	plan := RelayPlan(NewSnapshot(1, nodes), "eu", 4)
	if !slices.Equal(plan, []NodeID{"d", "d", "d", "d"}) {
		t.Errorf("none ready: %v, want the draining edge", plan)
	}
	if plan := RelayPlan(NewSnapshot(1, nodes[1:]), "eu", 4); plan != nil {
		t.Errorf("none ready or draining: %v, want no plan", plan)
	}
}

// An edge that comes or goes must move few logs beyond those that have to move.
func TestRelayPlanMovesLittle(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const logs = 16
	for n := 2; n <= 8; n++ {
		joins, must, worst := 0, 0, 0
		const clusters = 500
		for range clusters {
			ids := make([]NodeID, n+1)
			for i := range ids {
				ids[i] = NodeID([]byte{byte('a' + rng.IntN(26)), byte('a' + rng.IntN(26)), byte('a' + rng.IntN(26)), byte('0' + i)})
			}
			// Read backwards it is ids[n] leaving, so this covers both.
			before := RelayPlan(snapshotOf(RoleEdge, StateReady, ids[:n]), "eu", logs)
			after := RelayPlan(snapshotOf(RoleEdge, StateReady, ids), "eu", logs)
			moved := 0
			for log := range logs {
				if before[log] != after[log] {
					moved++
				}
				if after[log] == ids[n] {
					must++
				}
			}
			joins += moved
			worst = max(worst, moved)
		}
		ratio := float64(joins) / float64(must)
		t.Logf("%d edges and one more: %.2f logs move, %.2f must; at worst %d", n, float64(joins)/clusters, float64(must)/clusters, worst)
		if ratio > 2.2 {
			t.Errorf("%d edges and one more: %.2f times the logs move that must", n, ratio)
		}
	}
}
