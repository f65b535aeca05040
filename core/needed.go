package core

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"selvedge/internal/spelling"
	"selvedge/topology"
)

// majority is how many of three copies of the logs must be there for them to be written.
const majority = 2

// needed says why a node should not go now; "" = it may. copies is how many cores keep a
// copy of the logs each; 0 and 1 = no core waits for another.
func needed(snap topology.Snapshot, node topology.Node, copies int) string {
	others := 0
	for _, n := range snap.Nodes() {
		if n.ID != node.ID && n.Role == node.Role && n.State == topology.StateReady && (n.Role == topology.RoleCore || n.Region == node.Region) {
			others++
		}
	}
	switch {
	case node.Role == topology.RoleEdge && others == 0: // also if it isn't ready for a moment: it may have sockets
		return "no other edge of " + node.Region + " is ready"
	case node.Role == topology.RoleCore && others == 0:
		return "no other core is ready: nothing could be published, and edges would get nothing new"
	case node.Role == topology.RoleCore && copies > 1 && others < majority:
		return fmt.Sprintf("only %d other core is ready: of %d copies of the logs %d must be there, or nothing can be published", others, copies, majority)
	}
	return ""
}

// maxNearest is how many names are told to who got one wrong.
const maxNearest = 3

// unknownNode says that there is no node of that name, and which might be meant.
func unknownNode(snap topology.Snapshot, name string) string {
	type candidate struct {
		id       topology.NodeID
		distance int
	}
	limit := max(len(name), 9) / 3 // so many letters are another name
	var all []candidate
	for _, n := range snap.Nodes() {
		if d := spelling.Distance(name, string(n.ID), limit); d < limit {
			all = append(all, candidate{n.ID, d})
		}
	}
	if len(all) == 0 {
		return fmt.Sprintf("there is no node %q: GET /v1/cluster and 'selvedge top' list them", name)
	}
	slices.SortFunc(all, func(a, b candidate) int { return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(a.id, b.id)) })
	var names []string
	for _, c := range all[:min(len(all), maxNearest)] {
		names = append(names, string(c.id))
	}
	return fmt.Sprintf("there is no node %q: did you mean %s?", name, strings.Join(names, ", "))
}
