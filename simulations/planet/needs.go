package planet

import (
	"math"
	"slices"
)

// Resource is something that there is only so much of.
type Resource int

// The resources, from the core outwards.
const (
	CoreCPU Resource = iota
	CoreNetwork
	CoreDisk
	LogKept
	StateMemory
	StateRebuild
	LogStream
	RelayCPU
	RelayNetwork
	EdgeCPU
	EdgeMemory
	EdgeSockets
	EdgeNetwork
	resources
)

// needs are what a cluster needs of each resource, as a part of what it may use: above 1
// there is too little.
type needs [resources]float64

// first is the resource that there is the least of, without those that are left out.
// How long a rebuild takes is no load, and never the first.
func (n *needs) first(without ...Resource) Resource {
	best := CoreCPU
	for r := range resources {
		if n[r] > n[best] && r != StateRebuild && !slices.Contains(without, r) {
			best = r
		}
	}
	return best
}

// sizing reckons what clusters need.
type sizing struct {
	s *Scenario
	a *atlas
	f *facts
}

// needs are those of the busiest hours, each resource's own, of so many users.
func (z *sizing) needs(day []flow, users float64, edges []int) (out needs) {
	for h := range day {
		core := z.core(&day[h], users)
		for r := range day[h].in {
			edge := z.edge(&day[h], r, users, edges[r])
			for i, v := range edge {
				core[i] = max(core[i], v)
			}
		}
		for i, v := range core {
			out[i] = max(out[i], v)
		}
	}
	return out
}

const (
	micro    = 1e-6
	gib      = 1 << 30
	gigabit  = 1e9 / 8
	megabyte = 1e6
)

// coreCPU is how many CPUs all cores use together. Copies of a log are taken to cost as
// much as the first; a change of state is sent to as many edges as a message, each by the
// core itself, since the state log has no relays.
func (z *sizing) coreCPU(w *flow, users float64) float64 {
	c, copies := &z.f.costs, float64(z.s.Cores)
	perJoin := c.CoreState.Value*copies + c.CoreLink.Value*w.gates/w.publishes
	return users * micro * (w.publishes*c.CorePublish.Value*copies + w.frames*c.CoreLink.Value + w.connects*c.CoreConnect.Value + w.joins*perJoin)
}

// welcomes are the bytes that connections ask the core for, per second.
func (z *sizing) welcomes(w *flow, users float64) float64 {
	return users * w.connects * z.f.costs.WelcomeRoom.Value * min(z.f.rooms, mostRooms)
}

// mostRooms is how many rooms a welcome has.
const mostRooms = 100

// onLink is how large a message is there.
func (z *sizing) onLink() float64 { return z.f.bytes + z.f.costs.LinkBytes.Value }

func (z *sizing) records(users float64) float64 { return users * (1 + z.f.rooms) }

func (z *sizing) core(w *flow, users float64) (n needs) {
	m, target, copies := &z.s.CoreMachine, z.s.Target, float64(z.s.Cores)
	stored := users * w.publishes * z.f.bytes
	n[CoreCPU] = z.coreCPU(w, users) / (m.CPUs * copies * target)
	n[CoreNetwork] = (stored*(copies-1) + users*w.frames*z.onLink() + z.welcomes(w, users)) / (m.Gbit * gigabit * copies * target)
	n[CoreDisk] = stored / (m.DiskMB * megabyte * target)
	n[LogKept] = stored * z.s.KeepMinutes * 60 / (float64(z.s.Logs) * z.s.LogBytes)
	n[StateMemory] = z.records(users) * z.f.costs.CoreRecord.Value / (m.GiB * gib * target)
	n[StateRebuild] = z.records(users) / z.f.costs.CoreRebuild.Value / (z.s.RecoverHours * 3600)
	return n
}

// ordinary is the CPU that all edges of a region use together, without relays.
func (z *sizing) ordinary(w *flow, r int, users float64) float64 {
	c, in := &z.f.costs, &w.in[r]
	perSocket := z.f.questions*c.EdgeQuery.Value + c.EdgeIdle.Value + z.f.reconnects/3600*(c.EdgeConnect.Value+c.EdgeTLS.Value)
	return users * micro * (in.gates*c.EdgeFrame.Value + in.deliveries*c.EdgeDelivery.Value + in.sockets*perSocket)
}

// hottest is the part of a region's relaying that falls to the edge that has most logs.
func (z *sizing) hottest(edges int) float64 {
	logs := float64(z.s.Logs)
	return math.Ceil(logs/float64(edges)) / logs
}

func (z *sizing) edge(w *flow, r int, users float64, edges int) (n needs) {
	c, in, m, target, e := &z.f.costs, &w.in[r], &z.s.EdgeMachine, z.s.Target, float64(edges)
	relays := users * micro * in.siblings * c.RelayFrame.Value * z.hottest(edges)
	ordinary := z.ordinary(w, r, users) / e
	n[RelayCPU], n[EdgeCPU] = blame(relays, ordinary, m.CPUs*target)
	sockets := users * in.sockets / e
	n[EdgeMemory] = (c.EdgeProcess.Value + c.EdgeCache.Value + sockets*(c.EdgeSocket.Value+c.TLSSocket.Value+c.KernelEnd.Value)) / (m.GiB * gib * target)
	n[EdgeSockets] = sockets / m.Sockets
	n[RelayNetwork], n[EdgeNetwork] = blame(users*in.siblings*z.onLink()*z.hottest(edges),
		users*in.deliveries/e*(z.f.bytes+c.SocketBytes.Value)+sockets*c.PingBytes.Value, m.Gbit*gigabit*target)
	n[LogStream] = users * in.frames * z.onLink() / float64(z.s.Logs) / c.StreamRate.Value
	return n
}

// blame says what an edge that does most of its region's relaying uses: all of it is the
// relay's if that is the larger part, else the edge's, with the smaller part alone.
func blame(relays, ordinary, can float64) (relay, edge float64) {
	if relays > ordinary {
		return (relays + ordinary) / can, ordinary / can
	}
	return relays / can, (relays + ordinary) / can
}
