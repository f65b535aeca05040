package mega

import (
	"context"
	"fmt"
	"slices"

	"selvedge/simulations/load"
	"selvedge/wire"
)

// gateways publishes to the members at one gateway alone, while the others have
// nothing to do, and has one floor do the same. The gateways take turns, from all
// over the fleet.
func (m *megaRun) gateways(ctx context.Context) error {
	n := min(m.Gateways, m.Edges)
	m.progress("mega-channel: %d publishes to %d sockets at one gateway, %d gateways", m.Gateways, m.SocketsPerEdge, n)
	rounds := (m.Gateways + n - 1) / n
	ours, bare := make([]side, n), make([]side, n)
	for k := range n {
		edge := k * m.Edges / n
		room := wire.RoomID(fmt.Sprintf("gateway-%d", edge))
		if _, err := m.join(ctx, room, edge*m.SocketsPerEdge, m.SocketsPerEdge); err != nil {
			return err
		}
		ours[k] = m.published(room, m.SocketsPerEdge, ourGroup(edge))
		var err error
		bare[k], err = m.written(ctx, wire.RoomChannel(room), m.SocketsPerEdge, rounds+1, []string{bareGroup(edge)}, []*load.Floor{m.floors[edge]})
		if err != nil {
			return err
		}
	}
	if err := m.rested(ctx); err != nil {
		return err
	}
	var last, floor []float64
	for i := range m.Gateways + n { // the first at each gateway isn't counted
		b, err := m.round(ctx, bare[i%n])
		if err != nil {
			return err
		}
		o, err := m.round(ctx, ours[i%n])
		if err != nil {
			return err
		}
		if i >= n {
			last, floor = append(last, millis(o.last)), append(floor, millis(b.last))
		}
	}
	m.res.Gateway, m.res.GatewayFloor = spread(last), spread(floor)
	return nil
}

// look sees what the edges are, and whether every socket got all.
func (m *megaRun) look(ctx context.Context) error {
	cluster, err := m.api.Cluster(ctx)
	if err != nil {
		return err
	}
	for _, region := range cluster.Regions {
		for _, logs := range region.Relays {
			if logs > 0 {
				m.res.Relays++
			}
		}
	}
	var sum load.Memory
	for _, e := range m.fleet.Edges {
		one, err := load.MemoryOf(e.PID())
		if err != nil {
			return err
		}
		sum = sum.Plus(one)
	}
	m.res.EdgeResident, m.res.EdgeAnonymous = sum.Resident/int64(m.Edges), sum.Anonymous/int64(m.Edges)
	return m.faultless(ctx, m.SocketsPerEdge, append(m.ours.groups, m.bare.groups...)...)
}

// finish makes the figures of what was seen.
func (m *megaRun) finish() {
	res := &m.res
	res.Edges, res.Regions, res.SocketsPerEdge, res.Sockets, res.Members = m.Edges, m.Regions, m.SocketsPerEdge, m.sockets(), m.sockets()
	res.MessageBytes, res.Publishes, res.Goal = m.MessageBytes, m.Publishes, goal
	var last, floor, ratio []float64
	for i := range m.last {
		o, f := millis(m.last[i].last), millis(m.floor[i].last)
		last, floor, ratio = append(last, o), append(floor, f), append(ratio, o/f)
	}
	res.Last, res.Floor, res.Ratio = spread(last), spread(floor), spread(ratio)
	res.Reached = res.Ratio.Median <= goal
	res.RatioAlone = res.Last.Median / res.FloorAlone.Median
	res.Done, res.FloorDone = middle(m.last), middle(m.floor)
	n := m.Publishes * m.sockets()
	res.CoreCPU, res.EdgeCPU = per(m.work.cpu.core, m.Publishes), per(m.work.cpu.edges, n)
	res.ClientCPU, res.FloorCPU = per(m.work.cpu.clients, n), per(m.wasted.cpu.floors, n)
	res.CoreFrames, res.CoreBytes = max(m.work.frames/float64(m.Publishes), 0), max(m.work.bytes/float64(m.Publishes), 0)
	rest := func(d float64) float64 { return 100 * d / m.resting.wall.Seconds() }
	res.Idle.Edges, res.Idle.Core = rest(m.resting.cpu.edges.Seconds()), rest(m.resting.cpu.core.Seconds())
	res.Idle.Machine = (res.Idle.Edges + res.Idle.Core) / float64(cpus())
}

// middle is when the gateways were done in the publish of the median time.
func middle(all []outcome) []float64 {
	sorted := slices.SortedFunc(slices.Values(all), func(a, b outcome) int { return int(a.last - b.last) })
	var out []float64
	for _, d := range sorted[len(sorted)/2].done {
		out = append(out, millis(d))
	}
	return out
}
