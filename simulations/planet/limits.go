package planet

import (
	"cmp"
	"fmt"
	"math"
)

// name is what a resource is called.
func (r Resource) name() string { return about[r].name }

// about says of each resource what people must know.
var about = [resources]struct{ name, short, why, then string }{
	CoreCPU:      {"core CPU", "core CPU", "publishes, a frame for each region, welcomes, changes of state", "more cores serve frame logs, up to one for each, if the logs are a NATS of one's own; copies don't share the work of appends"},
	CoreNetwork:  {"cores’ network", "core net", "copies between cores, frames to regions, welcomes", "more cores, as above"},
	CoreDisk:     {"cores’ disks", "core disk", "each core writes every message", "faster disks; logs on different machines are not there with three cores, whose every log is on all of them"},
	LogKept:      {"logs’ length", "log kept", "16 logs of 16 GiB have to last for those who come back", "a larger log_bytes and disks for it; else who comes back late is told of a gap"},
	StateMemory:  {"state in memory", "state RAM", "the index of the state log’s keys, whole at every core", "nothing: the state log is one log, and no core holds a part of it. Here several clusters begin"},
	StateRebuild: {"state rebuilt", "rebuild", "a core whose folder is lost reads the whole state log", "copy a folder instead, or several clusters"},
	LogStream:    {"a log’s stream", "log stream", "one QUIC stream carries a log to a region’s relay", "more logs; their number is fixed for a cluster’s life"},
	RelayCPU:     {"relay CPU", "relay CPU", "a relay writes a frame to each sibling that wants it", "larger edges, more logs, or relays of relays: the tree is one level deep"},
	RelayNetwork: {"relays’ network", "relay net", "the same, in bytes", "as above"},
	EdgeCPU:      {"edge CPU", "edge CPU", "a write for each delivery, handshakes, pings", "more edges"},
	EdgeMemory:   {"edge memory", "edge RAM", "sockets, their TLS, and the kernel’s part", "more edges"},
	EdgeSockets:  {"edge sockets", "sockets", "what an edge shall lose at most when it dies", "more edges"},
	EdgeNetwork:  {"edge network", "edge net", "deliveries, pings", "more edges, or larger ones where it is the relay"},
}

// end is how many users a resource is enough for.
type end struct {
	Resource Resource `json:"-"`
	Name     string   `json:"resource"`
	Users    float64  `json:"users"` // 0 = more than mostAsked
}

// mostAsked ends the search.
const mostAsked = 1e13

// ends are, for each resource, how many users it is enough for with so many edges.
func (z *sizing) ends(edges int) []end {
	per := z.a.spread(edges)
	day := z.a.day(z.f, per)
	out := make([]end, resources)
	for r := range resources {
		out[r] = end{Resource: r, Name: r.name()}
		enough := func(users float64) bool {
			n := z.needs(day, users, per)
			return n[r] <= 1
		}
		low, high := 0.0, mostAsked
		if enough(high) {
			continue
		}
		for range 60 {
			if middle := (low + high) / 2; enough(middle) {
				low = middle
			} else {
				high = middle
			}
		}
		out[r].Users = low
	}
	return out
}

// soonest orders ends by users; those that are nowhere come last.
func soonest(a, b end) int {
	users := func(e end) float64 {
		if e.Users == 0 {
			return math.Inf(1)
		}
		return e.Users
	}
	return cmp.Compare(users(a), users(b))
}

// outageSeconds is how soon clients that have lost their edge are at another one.
const outageSeconds = 60

// outage says what it takes when the largest region's edges are lost at their busiest
// hour.
func (z *sizing) outage(users float64) string {
	x := z.fleet(users)
	sockets, at := 0.0, 0
	for h := range x.day {
		for r, in := range x.day[h].in {
			if in.sockets > sockets {
				sockets, at = in.sockets, r
			}
		}
	}
	c := &z.f.costs
	perSecond := users * sockets / outageSeconds
	edges := float64(x.edges - x.per[at])
	return fmt.Sprintf("If all edges of %s are lost at their busiest hour with %s users, %s sockets come to other regions. Within %d s that is %s connections a second: %.0f CPUs of the cores, where they have %.0f, "+
		"and %.0f CPUs of the other %.0f edges, where they have %.0f. Edges take in as many as they are told to (their rate), so it lasts longer where that is too much.",
		z.a.regions[at].Title, people(users), amount(users*sockets), outageSeconds, amount(perSecond), perSecond*micro*c.CoreConnect.Value, float64(z.s.Cores)*z.s.CoreMachine.CPUs,
		perSecond*micro*(c.EdgeConnect.Value+c.EdgeTLS.Value), edges, edges*z.s.EdgeMachine.CPUs)
}
