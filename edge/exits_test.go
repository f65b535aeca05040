package edge

import (
	"fmt"
	"testing"

	"selvedge/topology"
	"selvedge/topology/region"
)

// readyEdge is a ready edge.
func readyEdge(id, in string, load float64) topology.Node {
	place, _ := region.Lookup(in)
	return topology.Node{
		ID: topology.NodeID(id), Role: topology.RoleEdge, Region: in, Lat: place.Lat, Lon: place.Lon,
		State: topology.StateReady, Public: "http://" + id, Load: load,
	}
}

// Clients are spread over the siblings of the region, by the room that they have;
// edges that are far come behind them, and the one that drains not at all.
func TestExits(t *testing.T) {
	here, _ := region.Lookup("eu-west")
	x := &exits{self: "me"}
	if x.pick("") != nil {
		t.Error("there are exits before anybody looked")
	}
	other := readyEdge("going", "eu-west", 0)
	other.State = topology.StateDraining
	known := x.look(topology.NewSnapshot(1, []topology.Node{
		readyEdge("me", "eu-west", 0.5), readyEdge("a", "eu-west", 0.2), readyEdge("b", "eu-west", 0.6), readyEdge("full", "eu-west", 1),
		readyEdge("far", "ap-southeast", 0), other,
	}), here)
	if known != 4 {
		t.Errorf("%d exits are known, want a, b, full and far", known)
	}
	first := map[string]int{}
	const clients = 10_000
	for range clients {
		edges := x.pick("")
		first[edges[0].ID]++
		if len(edges) != 4 || edges[2].ID != "far" || edges[3].ID != "full" {
			t.Fatalf("edges %v", edges)
		}
		if e := edges[0]; e.URL != "http://"+e.ID || e.Region != "eu-west" || e.KM != 0 {
			t.Fatalf("edge %+v", e)
		}
	}
	if part := float64(first["a"]) / clients; part < 0.62 || part > 0.72 || first["a"]+first["b"] != clients { // 0.8 of 1.2
		t.Errorf("they are named first: %v", first)
	}
	if x.look(topology.NewSnapshot(2, []topology.Node{readyEdge("me", "eu-west", 0)}), here) != 0 || x.pick("") != nil {
		t.Error("an edge names itself")
	}
}

// A message names a few, however many there are.
func TestExitsAreFew(t *testing.T) {
	here, _ := region.Lookup("eu-west")
	x := &exits{self: "me"}
	var nodes []topology.Node
	for i := range 100 {
		nodes = append(nodes, readyEdge(fmt.Sprint("edge-", i), "eu-west", 0.3))
	}
	if known := x.look(topology.NewSnapshot(1, nodes), here); known != 100 || len(x.pick("")) != maxExits {
		t.Errorf("%d known, %d named", known, len(x.pick("")))
	}
}

// A team stays together: all its clients are sent where /v1/edges sends it, as long as
// that edge has room, and others take turns as ever.
func TestATeamsExit(t *testing.T) {
	here, _ := region.Lookup("eu-west")
	x := &exits{self: "me"}
	nodes := []topology.Node{readyEdge("me", "eu-west", 0.3), readyEdge("far", "ap-southeast", 0)}
	for i := range 5 {
		nodes = append(nodes, readyEdge(fmt.Sprint("edge-", i), "eu-west", 0.3))
	}
	others := nodes[1:] // as they will be when this edge has gone
	x.look(topology.NewSnapshot(1, nodes), here)
	firsts := map[string]int{}
	for i := range 200 {
		team := fmt.Sprint("team-", i)
		edges := x.pick(team)
		for range 3 {
			if again := x.pick(team); again[0] != edges[0] || len(again) != 6 {
				t.Fatalf("%s is torn: %v and %v", team, edges, again)
			}
		}
		want := topology.RankEdges(topology.NewSnapshot(2, others), topology.RankOptions{Lat: here.Lat, Lon: here.Lon, HasPoint: true, Team: team})
		if edges[0].ID != string(want[0].ID) {
			t.Errorf("%s is sent to %s, and to %s by /v1/edges", team, edges[0].ID, want[0].ID)
		}
		firsts[edges[0].ID]++
	}
	if len(firsts) != 5 || firsts["far"]+firsts["me"] > 0 {
		t.Errorf("teams are sent to %v", firsts)
	}
	// Its edge is full: it is sent on.
	team := "team-0"
	home := x.pick(team)[0].ID
	for i := range nodes {
		if string(nodes[i].ID) == home {
			nodes[i].Load = 1
		}
	}
	x.look(topology.NewSnapshot(3, nodes), here)
	if at := x.pick(team)[0]; at.ID == home || at.Region != "eu-west" {
		t.Errorf("it is still sent to %s", at.ID)
	}
	// Where clients can't choose, a team can't either.
	for i := range nodes {
		nodes[i].Regional = true
	}
	x.look(topology.NewSnapshot(4, nodes), here)
	if edges := x.pick(team); len(edges) == 0 {
		t.Error("a team has no exit")
	}
}
