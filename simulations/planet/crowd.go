package planet

import "math"

// Crowd is how very many sockets behave on the machine that was measured. All their
// processes share its CPUs: what they do takes as long as its CPU time, divided by the
// CPUs that are left beside what is done anyway.
type Crowd struct {
	Memory float64 `yaml:"memory_bytes_per_socket"` // kernel, edges, clients, core: all but the bare processes
	// Of idle processes: CPU us in each second for an edge, and for each ping of a socket,
	// its client's half with it.
	IdleEdge float64 `yaml:"idle_cpu_us_per_edge"`
	IdlePing float64 `yaml:"idle_cpu_us_per_ping"`
	// To connect: CPU us for a socket, and for a room that its edge has not had; all
	// processes together.
	Connect float64 `yaml:"connect_cpu_us"`
	Room    float64 `yaml:"connect_cpu_us_per_new_room"`
	// Of a publish to all: CPU us for each socket, and for each edge.
	Deliver float64 `yaml:"deliver_cpu_us"`
	Frame   float64 `yaml:"deliver_cpu_us_per_edge"`
	// Used is the part of the CPUs that is at work while they connect.
	Used   float64 `yaml:"connect_used"`
	Off    float64 `yaml:"off"` // by how much the worst point is off, as a part of itself: connecting and publishes
	Points int     `yaml:"points"`
	At     int     `yaml:"at_most"`
}

func (c *Crowd) figures() map[string]float64 {
	return map[string]float64{
		"memory_bytes_per_socket": c.Memory, "idle_cpu_us_per_edge": c.IdleEdge, "idle_cpu_us_per_ping": c.IdlePing, "connect_cpu_us": c.Connect,
		"connect_cpu_us_per_new_room": c.Room, "deliver_cpu_us": c.Deliver, "deliver_cpu_us_per_edge": c.Frame, "connect_used": c.Used,
	}
}

// newRooms is how many rooms a socket brings that its edge has not had, on average: its
// team has members at all edges by chance, and an edge needs a room once.
func (r *crowdRow) newRooms() float64 {
	e, m := float64(r.Edges), float64(r.Team)
	if m < 1 || e < 1 {
		return 0
	}
	return e * (1 - math.Pow(1-1/e, m)) / m
}

// pings are those per second, of all sockets.
func (r *crowdRow) pings() float64 {
	if r.Ping <= 0 {
		return 0
	}
	return float64(r.Sockets) / r.Ping
}

// idle is the CPU us that all takes in each second while nothing happens.
func (c *Crowd) idle(r *crowdRow) float64 {
	return c.IdleEdge*float64(r.Edges) + c.IdlePing*r.pings()
}

// welcomed is when all are, in seconds after the first came. Half of them ping meanwhile,
// on average. It is endless where idle processes alone fill the machine.
func (c *Crowd) welcomed(r *crowdRow) float64 {
	work := float64(r.Sockets) * (c.Connect + c.Room*r.newRooms())
	left := 1e6*float64(r.CPUs)*c.Used - c.IdleEdge*float64(r.Edges) - c.IdlePing*r.pings()/2
	return endless(work, left)
}

// last is when the last socket has a publish to all, in ms.
func (c *Crowd) last(r *crowdRow) float64 {
	work := c.Deliver*float64(r.Sockets) + c.Frame*float64(r.Edges)
	return 1e3 * endless(work, 1e6*float64(r.CPUs)-c.idle(r))
}

// endless is a quotient, very large where nothing is left to divide by.
func endless(work, left float64) float64 {
	if left <= 0 {
		return largest
	}
	return min(work/left, largest)
}

// fitCrowd fits to rows of several sizes; of one, an edge's costs are not told from a
// socket's.
func fitCrowd(rows []*crowdRow) (*Crowd, error) {
	c := &Crowd{Points: len(rows)}
	memory, sockets, used := 0.0, 0.0, 0.0
	var idle []pair
	for _, r := range rows {
		c.At = max(c.At, r.Sockets)
		memory, sockets = memory+r.Memory-r.bare(), sockets+float64(r.Sockets)
		used += float64(r.Sockets) * r.connectCPU() / (1e6 * float64(r.CPUs) * r.Welcomed)
		idle = append(idle, pair{float64(r.Edges), r.pings(), r.idleCPU()})
	}
	c.Memory, c.Used = max(memory/sockets, 0), min(used/float64(len(rows)), 1)
	var err error
	if c.IdleEdge, c.IdlePing, err = fitPair(idle); err != nil {
		return nil, err
	}
	var connect, deliver []pair
	for _, r := range rows {
		n := float64(r.Sockets)
		left := 1e6*float64(r.CPUs)*c.Used - c.IdleEdge*float64(r.Edges) - c.IdlePing*r.pings()/2
		connect = append(connect, pair{n, n * r.newRooms(), max(r.Welcomed*left, 0)})
		deliver = append(deliver, pair{n, float64(r.Edges), max(r.Publish.Last/1e3*(1e6*float64(r.CPUs)-c.idle(r)), 0)})
	}
	if c.Connect, c.Room, err = fitPair(connect); err != nil {
		return nil, err
	}
	if c.Deliver, c.Frame, err = fitPair(deliver); err != nil {
		return nil, err
	}
	for _, r := range rows {
		c.Off = max(c.Off, math.Abs(c.welcomed(r)/r.Welcomed-1), math.Abs(c.last(r)/r.Publish.Last-1))
	}
	return c, nil
}
