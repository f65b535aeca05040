package world

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"selvedge/core"
	"selvedge/edge"
	"selvedge/simulations/netsim"
)

// standard is a cluster with three edges on three continents, and people who
// talk, come and go.
func standard(name string) Scenario {
	return Scenario{
		Name:   name,
		Config: Config{Home: "us-east", Regions: []string{"us-east", "eu-west", "ap-southeast"}, Logs: 4},
		Load:   Load{Users: 9, Rooms: 9, Topics: 3, Every: time.Second, Churn: time.Second},
		For:    30 * time.Second,
	}
}

// everything is what all links are.
func everything(w *World) []netsim.Host {
	hosts := w.coreHosts()
	for _, e := range w.Edges {
		hosts = append(hosts, e.Host)
	}
	return hosts
}

// worse makes all links worse for the whole time.
func worse(path netsim.Path) func(*rand.Rand, *World) []netsim.Fault {
	return func(_ *rand.Rand, w *World) []netsim.Fault {
		return []netsim.Fault{{Hosts: everything(w), Others: append(everything(w), w.clientHosts()...), Worse: path}}
	}
}

// Scenarios are the ones that must hold, for any seed.
func Scenarios() []Scenario {
	calm := standard("calm")
	calm.For = 15 * time.Second

	drops := standard("connections and links drop")
	drops.For = 40 * time.Second
	drops.Load.Drops = 500 * time.Millisecond
	drops.Faults = func(r *rand.Rand, w *World) (out []netsim.Fault) {
		for at := time.Duration(0); at < drops.For; at += time.Duration(r.Int64N(int64(15 * time.Second))) {
			out = append(out, netsim.Fault{
				At: at, For: time.Duration(r.Int64N(int64(8 * time.Second))), Cut: true,
				Hosts: []netsim.Host{w.Edges[r.IntN(len(w.Edges))].Host}, Others: []netsim.Host{coreHost},
			})
		}
		return out
	}

	loss := standard("5 % loss")
	loss.Faults = worse(netsim.Path{Loss: 0.05})

	reordering := standard("reordering and duplicates")
	reordering.Faults = worse(netsim.Path{Reorder: 0.1, ReorderBy: 80 * time.Millisecond, Duplicate: 0.05})

	far := standard("300 ms round trip")
	far.Faults = worse(netsim.Path{Delay: 150 * time.Millisecond, Jitter: 10 * time.Millisecond})
	far.Load.Drops = 2 * time.Second

	partition := standard("a partition of 30 s")
	partition.For = 50 * time.Second
	partition.Faults = func(r *rand.Rand, w *World) []netsim.Fault {
		return []netsim.Fault{
			{At: 10 * time.Second, For: 30 * time.Second, Hosts: []netsim.Host{w.Edges[r.IntN(3)].Host}, Cut: true},
			{At: 15 * time.Second, For: 30 * time.Second, Hosts: []netsim.Host{w.clientHosts()[r.IntN(9)]}, Cut: true},
		}
	}

	stall := standard("the core stalls without dying")
	stall.For = 40 * time.Second
	stall.Load.Drops = 5 * time.Second
	stall.Faults = func(r *rand.Rand, _ *World) []netsim.Fault {
		return []netsim.Fault{
			{At: 10 * time.Second, For: time.Second + time.Duration(r.Int64N(int64(3*time.Second))), Hosts: []netsim.Host{coreHost}, Stall: true},
			{At: 20 * time.Second, For: 15 * time.Second, Hosts: []netsim.Host{coreHost}, Stall: true},
		}
	}

	killed := standard("an edge is killed")
	killed.Meanwhile = func(ctx context.Context, w *World) error {
		if pause(ctx, rand.New(rand.NewPCG(w.cfg.Seed, 1)), 10*time.Second) {
			w.Edges[1].Kill()
		}
		return nil
	}

	churn := standard("joins, leaves, subscribes, and drops amid back frames")
	churn.For = 20 * time.Second
	churn.Load.Every, churn.Load.Churn, churn.Load.Drops = 200*time.Millisecond, 100*time.Millisecond, time.Second

	slow := standard("slow clients")
	slow.Load = Load{Users: 9, Rooms: 9, Topics: 3, Every: 500 * time.Millisecond, Churn: 2 * time.Second, Padding: 4 << 10, Slow: 3}
	slow.For = 20 * time.Second
	slow.Config.Buffer = 16 << 10
	slow.Config.Edge = func(c *edge.Config) { c.SocketBudget = 32 << 10 }

	retention := standard("away for longer than the logs keep")
	retention.Gaps = true
	retention.For = 100 * time.Second
	retention.Load.Quiet = 3
	retention.Config.Core = func(c *core.Config) { c.Log.MaxBytes = 16 << 10 } // some 20 s
	retention.Config.Edge = func(c *edge.Config) { c.CacheBytes = 16 << 10 }   // a part of that: it comes in pieces
	retention.Faults = func(r *rand.Rand, w *World) []netsim.Fault {
		return []netsim.Fault{
			{At: 5 * time.Second, For: 80 * time.Second, Hosts: w.clientHosts()[:4], Cut: true},
			{At: 10 * time.Second, For: 30*time.Second + time.Duration(r.Int64N(int64(40*time.Second))), Hosts: []netsim.Host{w.Edges[2].Host}, Others: []netsim.Host{coreHost}, Cut: true},
		}
	}

	one := []Scenario{calm, drops, loss, reordering, far, partition, stall, killed, churn, slow, retention}
	return slices.Concat(one, crashes(), several(), watched(), societies(), relayed(slices.Concat(one, watched(), societies())))
}

// clientHosts are where the clients are.
func (w *World) clientHosts() (hosts []netsim.Host) {
	for _, c := range w.Clients {
		hosts = append(hosts, c.Host)
	}
	return hosts
}
