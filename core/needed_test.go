package core

import (
	"strings"
	"testing"

	"selvedge/topology"
)

func nodeOf(id string, role topology.Role, region string, state topology.State) topology.Node {
	return topology.Node{ID: topology.NodeID(id), Role: role, Region: region, State: state}
}

// Who is the last of his kind is not drained by mistake.
func TestNeeded(t *testing.T) {
	const ready, starting, draining = topology.StateReady, topology.StateStarting, topology.StateDraining
	edge := func(id, region string, s topology.State) topology.Node {
		return nodeOf(id, topology.RoleEdge, region, s)
	}
	core := func(id string, s topology.State) topology.Node { return nodeOf(id, topology.RoleCore, "us", s) }
	for name, c := range map[string]struct {
		nodes  []topology.Node // the first is asked for
		copies int
		want   string // a part of why
	}{
		"one edge of two":               {nodes: []topology.Node{edge("a", "eu", ready), edge("b", "eu", ready)}},
		"the last of a region":          {nodes: []topology.Node{edge("a", "eu", ready), edge("b", "us", ready)}, want: "no other edge of eu is ready"},
		"the last that does not drain":  {nodes: []topology.Node{edge("a", "eu", ready), edge("b", "eu", draining)}, want: "no other edge of eu is ready"},
		"the last that does not start":  {nodes: []topology.Node{edge("a", "eu", ready), edge("b", "eu", starting)}, want: "no other edge of eu is ready"},
		"cores are no edges":            {nodes: []topology.Node{edge("a", "us", ready), core("b", ready)}, want: "no other edge of us is ready"},
		"the last, not ready now":       {nodes: []topology.Node{edge("a", "eu", starting)}, want: "no other edge of eu is ready"},
		"one not ready of two":          {nodes: []topology.Node{edge("a", "eu", starting), edge("b", "eu", ready)}},
		"one core of two":               {nodes: []topology.Node{core("a", ready), core("b", ready)}},
		"the only core":                 {nodes: []topology.Node{core("a", ready), edge("b", "us", ready)}, want: "no other core is ready"},
		"the only core that is ready":   {nodes: []topology.Node{core("a", ready), core("b", draining)}, want: "no other core is ready"},
		"the only core, which starts":   {nodes: []topology.Node{core("a", starting)}, want: "no other core is ready"},
		"one of three copies":           {nodes: []topology.Node{core("a", ready), core("b", ready), core("c", ready)}, copies: 3},
		"a second of three copies":      {nodes: []topology.Node{core("a", ready), core("b", ready), core("c", starting)}, copies: 3, want: "only 1 other core is ready"},
		"a second copy that isn't here": {nodes: []topology.Node{core("a", ready), core("b", ready), core("c", starting)}},
		"a copy beside two that remain": {nodes: []topology.Node{core("a", starting), core("b", ready), core("c", ready)}, copies: 3},
	} {
		t.Run(name, func(t *testing.T) {
			got := needed(topology.NewSnapshot(1, c.nodes), c.nodes[0], c.copies)
			if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestUnknownNode(t *testing.T) {
	var nodes []topology.Node
	for _, id := range []string{"edge-1", "edge-2", "edge-3", "edge-eu-west", "core-1", "paris"} {
		nodes = append(nodes, nodeOf(id, topology.RoleEdge, "eu", topology.StateReady))
	}
	for name, want := range map[string]string{
		"edge-4":                 "did you mean edge-1, edge-2, edge-3?",
		"edge2":                  "did you mean edge-2, edge-1, edge-3?",
		"pars":                   "did you mean paris?",
		"cor1":                   "did you mean core-1?",
		"edge-eu-wst":            "did you mean edge-eu-west?",
		"tokyo":                  "'selvedge top' list them",
		strings.Repeat("x", 128): "'selvedge top' list them",
	} {
		if got := unknownNode(topology.NewSnapshot(1, nodes), name); !strings.HasSuffix(got, want) || !strings.Contains(got, name) {
			t.Errorf("%s: %s; want %s", name, got, want)
		}
	}
}
