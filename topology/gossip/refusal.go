package gossip

import (
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Refusal is why something was not taken.
type Refusal string

// Refusals.
const (
	// RefusedKey: a packet or stream isn't sealed with a key of ours.
	RefusedKey Refusal = "key"
	// RefusedCluster: a packet or stream is of a cluster with another name.
	RefusedCluster Refusal = "cluster"
	// RefusedForm: a packet or stream isn't gossip at all, or broke off, or too much
	// came at once.
	RefusedForm Refusal = "form"
	// RefusedName: a node claims the name of another one, which is alive.
	RefusedName Refusal = "name"
	// RefusedDescription: a node describes itself in a way that this version can't
	// read: it is in no snapshot.
	RefusedDescription Refusal = "description"
)

// Refusals are all of them.
func Refusals() []Refusal {
	return []Refusal{RefusedKey, RefusedCluster, RefusedForm, RefusedName, RefusedDescription}
}

const (
	// tellAfter is the time between two lines about the same source.
	tellAfter = time.Minute
	// maxTold bounds the sources that are remembered.
	maxTold = 256
)

// refusals count what was refused, and tell of each source once in a while.
type refusals struct {
	// Fixed.
	logger *slog.Logger
	counts map[Refusal]*atomic.Uint64

	mu   sync.Mutex
	told map[source]time.Time // when a source was last told of
}

// source is where something that was refused came from. An address has no port:
// each stream comes from another one.
type source struct {
	why  Refusal
	what string
}

func newRefusals(logger *slog.Logger) *refusals {
	r := &refusals{logger: logger, counts: map[Refusal]*atomic.Uint64{}, told: map[source]time.Time{}}
	for _, why := range Refusals() {
		r.counts[why] = new(atomic.Uint64)
	}
	return r
}

// count counts, and reports whether this source is to be told of now.
func (r *refusals) count(why Refusal, what string) bool {
	r.counts[why].Add(1)
	from, now := source{why, what}, time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if last, ok := r.told[from]; ok && now.Sub(last) < tellAfter {
		return false
	}
	if len(r.told) >= maxTold {
		for s, last := range r.told {
			if now.Sub(last) >= tellAfter {
				delete(r.told, s)
			}
		}
		if len(r.told) >= maxTold { // they are told of; this one is counted
			return false
		}
	}
	r.told[from] = now
	return true
}

// traffic counts and tells of a packet or stream that was refused.
func (r *refusals) traffic(reason error, from string) {
	why, todo := RefusedForm, "something else than a node speaks to this port, or a stream broke off"
	switch {
	case errors.Is(reason, errKey):
		why, todo = RefusedKey, "check --gossip-key on both"
	case errors.Is(reason, errCluster):
		why, todo = RefusedCluster, "check --cluster on both, and --join there"
	}
	if r.count(why, from) {
		r.logger.Warn("gossip refused", "reason", why, "from", from, "err", reason, "do", todo)
	}
}

// Refused is how often something was refused for this reason since the start.
func (g *Gossip) Refused(why Refusal) uint64 {
	if n := g.refusals.counts[why]; n != nil {
		return n.Load()
	}
	return 0
}
