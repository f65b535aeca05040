package planet

import "math"

// gossiped is what gossip costs a node of so many, by the settings of topology/gossip
// and the algorithm of memberlist: reckoned, not measured.
type gossiped struct {
	Nodes int     `json:"nodes"`
	Bytes float64 `json:"bytes_per_s"` // of each node, both ways, in silence
	All   float64 `json:"exchange_bytes"`
	Every float64 `json:"exchange_every_s"`
}

const (
	// entryBytes is a node's name, address, state and description in a complete
	// exchange; the description may have 512.
	entryBytes = 400
	// pushPullEvery is the time between a node's complete exchanges, up to 32 nodes.
	pushPullEvery = 5.0
	// probeBytes is a ping and its answer, sealed, with headers; each node sends and
	// gets one of both twice a second.
	probeBytes = 2 * 110
)

func gossipOf(nodes int) gossiped {
	every := pushPullEvery
	if nodes > 32 {
		every *= math.Ceil(math.Log2(float64(nodes))-math.Log2(32)) + 1
	}
	all := 2 * entryBytes * float64(nodes) // both sides send all
	// Each begins an exchange in that time, and is chosen for one.
	return gossiped{Nodes: nodes, Bytes: 2*all/every + 2*2*probeBytes, All: all, Every: every}
}
