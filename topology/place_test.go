package topology

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestDistanceKm(t *testing.T) {
	for _, c := range []struct {
		name                   string
		lat1, lon1, lat2, lon2 float64
		km                     float64
	}{
		{"nothing", 52, 5, 52, 5, 0},
		{"a degree of the equator", 0, 0, 0, 1, 111.195},
		{"pole to pole", 90, 0, -90, 0, 20015.115},
		{"antipodes", 30, 40, -30, -140, 20015.115},
		{"over the date line", 0, 179.5, 0, -179.5, 111.195},
		{"London to New York", 51.5074, -0.1278, 40.7128, -74.0060, 5570.2},
	} {
		got := DistanceKm(c.lat1, c.lon1, c.lat2, c.lon2)
		if math.Abs(got-c.km) > max(0.01, c.km*0.001) {
			t.Errorf("%s: %.3f km, want %.3f", c.name, got, c.km)
		}
		if back := DistanceKm(c.lat2, c.lon2, c.lat1, c.lon1); math.Abs(got-back) > 1e-6 {
			t.Errorf("%s: %v there, %v back", c.name, got, back)
		}
	}
}

func TestSnapshot(t *testing.T) {
	given := []Node{
		{ID: "e2", Role: RoleEdge, Region: "eu"},
		{ID: "c1", Role: RoleCore, Region: "us"},
		{ID: "e1", Role: RoleEdge, Region: "us"},
		{ID: "c1", Role: RoleCore, Region: "late"},
	}
	s := NewSnapshot(7, given)
	given[0].Region = "changed"
	s.Nodes()[0].Region = "changed"

	ids := func(nodes []Node) []NodeID {
		var out []NodeID
		for _, n := range nodes {
			out = append(out, n.ID)
		}
		return out
	}
	for name, c := range map[string]struct{ got, want []NodeID }{
		"Nodes":    {ids(s.Nodes()), []NodeID{"c1", "e1", "e2"}},
		"Cores":    {ids(s.Cores()), []NodeID{"c1"}},
		"Edges":    {ids(s.Edges()), []NodeID{"e1", "e2"}},
		"InRegion": {ids(s.InRegion("us")), []NodeID{"c1", "e1"}},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if n, ok := s.Node("e2"); !ok || n.Region != "eu" {
		t.Errorf("Node(e2) = %+v, %v", n, ok)
	}
	if n, ok := s.Node("e3"); ok {
		t.Errorf("Node(e3) = %+v", n)
	}
	if s.Len() != 3 || s.Version != 7 {
		t.Errorf("%d nodes, version %d", s.Len(), s.Version)
	}
	if n, _ := s.Node("c1"); n.Region != "us" {
		t.Errorf("of two nodes c1 the one in %s counted", n.Region)
	}
}

func names(n int) []NodeID {
	ids := make([]NodeID, n)
	for i := range ids {
		ids[i] = NodeID(fmt.Sprintf("edge-%02d", i))
	}
	return ids
}

func drawNames(t *rapid.T, most int) []NodeID {
	return rapid.SliceOfNDistinct(rapid.Map(rapid.StringMatching(`[a-z]{1,8}`), func(s string) NodeID { return NodeID(s) }),
		1, most, rapid.ID[NodeID]).Draw(t, "ids")
}

func TestRendezvous(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ids := drawNames(t, 12)
		key := rapid.Uint64().Draw(t, "key")
		order := Rendezvous(key, ids)

		if got := slices.Sorted(slices.Values(order)); !slices.Equal(got, slices.Sorted(slices.Values(ids))) {
			t.Fatalf("%v became %v", ids, order)
		}
		if shuffled := rapid.Permutation(ids).Draw(t, "shuffled"); !slices.Equal(Rendezvous(key, shuffled), order) {
			t.Fatal("the order depends on the order given")
		}
		// Who leaves takes nothing but its own place.
		gone := rapid.SampledFrom(ids).Draw(t, "gone")
		rest := slices.DeleteFunc(slices.Clone(ids), func(id NodeID) bool { return id == gone })
		want := slices.DeleteFunc(slices.Clone(order), func(id NodeID) bool { return id == gone })
		if got := Rendezvous(key, rest); !slices.Equal(got, want) {
			t.Fatalf("without %s: %v, want %v", gone, got, want)
		}
	})
}

func TestRendezvousSpreads(t *testing.T) {
	ids := names(10)
	count := map[NodeID]int{}
	for key := range uint64(10_000) {
		count[Rendezvous(key, ids)[0]]++
	}
	for _, id := range ids {
		if count[id] < 800 || count[id] > 1200 {
			t.Errorf("%s is first for %d of 10,000 keys, want about 1,000", id, count[id])
		}
	}
}

func snapshotOf(role Role, state State, ids []NodeID) Snapshot {
	var nodes []Node
	for _, id := range ids {
		nodes = append(nodes, Node{ID: id, Role: role, Region: "eu", State: state})
	}
	return NewSnapshot(1, nodes)
}

func TestServingCore(t *testing.T) {
	nodes := []Node{
		{ID: "c1", Role: RoleCore, State: StateReady},
		{ID: "c2", Role: RoleCore, State: StateReady},
		{ID: "c3", Role: RoleCore, State: StateDraining},
		{ID: "c4", Role: RoleCore, State: StateStarting},
		{ID: "e1", Role: RoleEdge, State: StateReady},
	}
	seen := map[NodeID]bool{}
	for log := range 16 {
		id, ok := ServingCore(NewSnapshot(1, nodes), log)
		if !ok {
			t.Fatalf("nobody serves log %d", log)
		}
		seen[id] = true
	}
	if diff := cmp.Diff(map[NodeID]bool{"c1": true, "c2": true}, seen); diff != "" {
		t.Errorf("16 logs are served by: %s", diff)
	}
	if id, ok := ServingCore(NewSnapshot(1, nodes[2:]), 3); id != "c3" || !ok {
		t.Errorf("none ready: %s, %v; want the draining one", id, ok)
	}
	if id, ok := ServingCore(NewSnapshot(1, nodes[3:]), 3); ok {
		t.Errorf("%s serves though it is starting", id)
	}
}

// The order in which cores serve a log begins with the one that serves it, and
// goes on with those that would without it.
func TestServingOrder(t *testing.T) {
	ids := []NodeID{"c1", "c2", "c3", "c4"}
	for log := StateLog; log < 16; log++ {
		order := Serving(log, ids)
		for left := order; len(left) > 0; left = left[1:] {
			for _, state := range []State{StateReady, StateDraining} {
				id, ok := ServingCore(snapshotOf(RoleCore, state, left), log)
				if !ok || id != left[0] {
					t.Errorf("log %d of %v is served by %s, the order says %s", log, left, id, left[0])
				}
			}
		}
	}
}
