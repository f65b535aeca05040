package world

import (
	"math/rand/v2"
	"time"

	"selvedge/core"
	"selvedge/edge"
	"selvedge/simulations/netsim"
)

// watched are scenarios where more than deliveries is looked at: what answers say
// of their age, and what queues take.
func watched() []Scenario {
	old := standard("answers while an edge hears no core")
	old.Asks = &Freshness{Least: 15}
	old.For = 60 * time.Second
	old.Load = Load{Users: 9, Rooms: 9, Every: time.Second} // who drops would go to another edge
	old.Faults = func(r *rand.Rand, w *World) []netsim.Fault {
		return []netsim.Fault{
			{At: 5 * time.Second, For: 30 * time.Second, Hosts: []netsim.Host{w.Edges[r.IntN(3)].Host}, Others: []netsim.Host{coreHost}, Cut: true},
			{At: 48 * time.Second, For: 8 * time.Second, Hosts: []netsim.Host{coreHost}, Stall: true},
		}
	}

	// Three cores, since their simulated log says what it keeps, and the real one
	// keeps blocks in memory now and then.
	full := trio("queues while an edge is cut off, and a client reads nothing")
	full.Within = 0
	full.Load = Load{Users: 3, Rooms: 3, Every: 300 * time.Millisecond, Padding: 24 << 10}
	full.For = 40 * time.Second
	full.Config.Buffer = 64 << 10
	full.Config.Core = func(c *core.Config) { c.TailBytes = 256 << 10 }
	full.Config.Edge = func(c *edge.Config) { c.CacheBytes, c.SocketBudget = 512<<10, 128<<10 }
	full.Memory = &Memory{From: 4 * time.Second, To: 34 * time.Second, Grown: 2 << 20, Queued: 4 << 20}
	full.Faults = func(_ *rand.Rand, w *World) []netsim.Fault {
		return []netsim.Fault{
			{At: 5 * time.Second, For: 30 * time.Second, Hosts: []netsim.Host{w.Edges[1].Host}, Others: w.coreHosts(), Cut: true},
			{At: 5 * time.Second, For: 30 * time.Second, Hosts: []netsim.Host{w.Clients[2].Host}, Stall: true},
		}
	}

	return []Scenario{old, full}
}
