package topology

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/cespare/xxhash/v2"
)

// Rendezvous orders ids by their weight for key, highest first (Thaler and
// Ravishankar, "Using name-based mappings to increase hit rates", 1998). The
// order of two ids depends on nothing but key and them: when one comes or goes,
// the others keep their places. ids isn't modified; the result is the caller's.
func Rendezvous(key uint64, ids []NodeID) []NodeID {
	out := slices.Clone(ids)
	weights := make(map[NodeID]uint64, len(ids))
	for _, id := range ids {
		weights[id] = weight(key, id)
	}
	slices.SortFunc(out, func(a, b NodeID) int {
		return cmp.Or(cmp.Compare(weights[b], weights[a]), cmp.Compare(a, b))
	})
	return out
}

func weight(key uint64, id NodeID) uint64 {
	var stack [8 + maxNodeID]byte
	b := binary.LittleEndian.AppendUint64(stack[:0], key)
	return xxhash.Sum64(append(b, id...))
}

// logKey spreads the small numbers of logs over all keys, so that they share
// none with hashed names.
func logKey(log int) uint64 {
	b := binary.LittleEndian.AppendUint64([]byte("log:"), uint64(log))
	return xxhash.Sum64(b)
}

// StateLog is the state log's number to Serving and ServingCore: it is served
// like the frame logs, and known before their number is.
const StateLog = -1

// Serving orders cores by who serves a log: the first that is fit, and if it
// isn't, the next. ids isn't modified; the result is the caller's.
func Serving(log int, ids []NodeID) []NodeID { return Rendezvous(logKey(log), ids) }

// ServingCore returns the core that serves a log: the first ready core by
// rendezvous, a draining one if none is ready. It is false when there is neither.
// Two nodes may disagree for as long as their snapshots do; the log decides order,
// so that is harmless.
func ServingCore(snap Snapshot, log int) (NodeID, bool) {
	for _, state := range []State{StateReady, StateDraining} {
		ids := snap.ids(func(n *Node) bool { return n.Role == RoleCore && n.State == state })
		if len(ids) > 0 {
			return Serving(log, ids)[0], true
		}
	}
	return "", false
}
