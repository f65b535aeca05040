package topology

import (
	"cmp"
	"slices"
)

// Snapshot is the live nodes at one moment. It is immutable and safe for
// concurrent use; the zero value has no nodes.
type Snapshot struct {
	// Version grows with every change that this process has seen. Versions of
	// two processes can't be compared.
	Version uint64

	nodes []Node // sorted by ID, no ID twice; never modified
}

// NewSnapshot makes a snapshot of nodes, which it copies. Of two nodes with the
// same ID the first counts.
func NewSnapshot(version uint64, nodes []Node) Snapshot {
	own := slices.Clone(nodes)
	slices.SortStableFunc(own, func(a, b Node) int { return cmp.Compare(a.ID, b.ID) })
	own = slices.CompactFunc(own, func(a, b Node) bool { return a.ID == b.ID })
	return Snapshot{Version: version, nodes: own}
}

// Len is the number of nodes.
func (s Snapshot) Len() int { return len(s.nodes) }

// Nodes returns all nodes, sorted by ID. The slice is the caller's.
func (s Snapshot) Nodes() []Node { return slices.Clone(s.nodes) }

// Node returns the node with this id.
func (s Snapshot) Node(id NodeID) (Node, bool) {
	i, ok := slices.BinarySearchFunc(s.nodes, id, func(n Node, id NodeID) int { return cmp.Compare(n.ID, id) })
	if !ok {
		return Node{}, false
	}
	return s.nodes[i], true
}

// Cores returns the cores in every state, sorted by ID. The slice is the caller's.
func (s Snapshot) Cores() []Node {
	return s.filter(func(n *Node) bool { return n.Role == RoleCore })
}

// Edges returns the edges in every state, sorted by ID. The slice is the caller's.
func (s Snapshot) Edges() []Node {
	return s.filter(func(n *Node) bool { return n.Role == RoleEdge })
}

// InRegion returns the nodes of a region in every role and state, sorted by ID.
// The slice is the caller's.
func (s Snapshot) InRegion(region string) []Node {
	return s.filter(func(n *Node) bool { return n.Region == region })
}

func (s Snapshot) filter(keep func(*Node) bool) []Node {
	var out []Node
	for i := range s.nodes {
		if keep(&s.nodes[i]) {
			out = append(out, s.nodes[i])
		}
	}
	return out
}

// ids returns the IDs of the nodes that keep wants, sorted.
func (s Snapshot) ids(keep func(*Node) bool) []NodeID {
	var out []NodeID
	for i := range s.nodes {
		if keep(&s.nodes[i]) {
			out = append(out, s.nodes[i].ID)
		}
	}
	return out
}
