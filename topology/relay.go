package topology

import (
	"cmp"
	"slices"
)

// RelayPlan names, for each of the logs 0..logs-1, the edge of the region that
// takes it from a core and feeds it to its siblings. Only ready edges relay;
// draining ones if there is no ready one; with neither the plan is nil, and
// every edge takes every log from a core.
//
// The plan is rendezvous hashing with bounded loads: of all pairs of a log and
// an edge the heaviest is taken first, then the next, until each log has its
// edge. An edge takes at most ceil(logs/n), and only logs mod n edges take that
// many: so no two edges differ by more than one log.
//
// Exact balance has a price: when an edge comes or goes, logs move beyond those
// that must: on average 0.5 to 2 of 16, as TestRelayPlanMovesLittle measures.
func RelayPlan(snap Snapshot, region string, logs int) []NodeID {
	for _, state := range []State{StateReady, StateDraining} {
		ids := snap.ids(func(n *Node) bool {
			return n.Role == RoleEdge && n.Region == region && n.State == state
		})
		if len(ids) > 0 {
			return balanced(ids, logs)
		}
	}
	return nil
}

// balanced assigns each key 0..keys-1 to one of ids, none of which has more than
// one key more than another.
func balanced(ids []NodeID, keys int) []NodeID {
	type pair struct {
		weight   uint64
		key, who int
	}
	pairs := make([]pair, 0, keys*len(ids))
	for key := range keys {
		k := logKey(key)
		for who, id := range ids {
			pairs = append(pairs, pair{weight(k, id), key, who})
		}
	}
	slices.SortFunc(pairs, func(a, b pair) int {
		return cmp.Or(cmp.Compare(b.weight, a.weight), cmp.Compare(a.key, b.key), cmp.Compare(a.who, b.who))
	})

	plan := make([]NodeID, keys)
	count := make([]int, len(ids))
	floor, above := keys/len(ids), keys%len(ids) // above: how many may take floor+1
	for _, p := range pairs {
		switch {
		case plan[p.key] != "":
			continue
		case count[p.who] < floor:
		case count[p.who] == floor && above > 0:
			above--
		default:
			continue
		}
		plan[p.key] = ids[p.who]
		count[p.who]++
	}
	return plan
}
