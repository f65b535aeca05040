package router

import (
	"errors"
	"fmt"

	"selvedge/simulations/netsim"
)

// Plan says who is where, and what lies between them. It is plain data, and travels
// as JSON to the process that routes.
type Plan struct {
	Seed   uint64  `json:"seed"`   // decides about every packet, as far as chance does
	Spaces int     `json:"spaces"` // namespaces, by number from 0
	Hosts  []Place `json:"hosts"`
	// Paths are the ways from each spot to each other one.
	Paths [][]netsim.Path `json:"paths"`
}

// Place is where a host is. Several may share a namespace, and speak to each other there
// without the router. Hosts of one spot have the same ways.
type Place struct {
	Host  netsim.Host `json:"host"`
	Space int         `json:"space"`
	Spot  int         `json:"spot"`
}

// Counts are packets so far.
type Counts struct {
	Passed   uint64 `json:"passed"`
	Lost     uint64 `json:"lost"`     // by the paths' chance
	Dropped  uint64 `json:"dropped"`  // for want of room
	Stranger uint64 `json:"stranger"` // that are none between hosts of the plan
}

// routes decides about packets. It has no clock and does no I/O.
type routes struct {
	plan   Plan
	places map[netsim.Host]Place
	lines  map[[2]netsim.Host]*netsim.Line
	queue  queue
	counts Counts
}

func newRoutes(p Plan) (*routes, error) {
	if p.Spaces < 1 || p.Spaces > maxSpaces {
		return nil, fmt.Errorf("router: %d namespaces: want 1 to %d", p.Spaces, maxSpaces)
	}
	r := &routes{plan: p, places: map[netsim.Host]Place{}, lines: map[[2]netsim.Host]*netsim.Line{}}
	for _, h := range p.Hosts {
		if h.Space < 0 || h.Space >= p.Spaces || h.Spot < 0 || h.Spot >= len(p.Paths) {
			return nil, fmt.Errorf("router: host %s is in namespace %d of %d, at spot %d of %d", h.Host, h.Space, p.Spaces, h.Spot, len(p.Paths))
		}
		if _, twice := r.places[h.Host]; twice {
			return nil, fmt.Errorf("router: host %s is there twice", h.Host)
		}
		r.places[h.Host] = h
	}
	for _, row := range p.Paths {
		if len(row) != len(p.Paths) {
			return nil, errors.New("router: the paths make no square")
		}
	}
	return r, nil
}

// maxSpaces bounds the namespaces of a plan.
const maxSpaces = 256

// take takes a packet that came in at a time, which must not go back: f has it, and is the
// routes' from here on.
func (r *routes) take(now int64, f *flight) {
	from, to, ok := parse(f.bytes[:f.size])
	a, ok1 := r.places[from]
	b, ok2 := r.places[to]
	if !ok || !ok1 || !ok2 {
		r.counts.Stranger++
		r.queue.giveUp(f)
		return
	}
	key := [2]netsim.Host{from, to}
	line := r.lines[key]
	if line == nil {
		line = netsim.NewLine(r.plan.Seed, from, to, r.plan.Paths[a.Spot][b.Spot])
		r.lines[key] = line
	}
	arrivals, times := line.Next(now)
	f.space = b.Space
	switch times {
	case 0:
		r.counts.Lost++
		r.queue.giveUp(f)
		return
	case 2:
		r.again(f, arrivals[1])
	}
	r.counts.Passed++
	r.queue.push(f, arrivals[0])
}

// again sends a packet a second time.
func (r *routes) again(f *flight, due int64) {
	twin := r.queue.room()
	if twin == nil {
		r.counts.Dropped++
		return
	}
	twin.space, twin.size = f.space, f.size
	copy(twin.bytes[:], f.bytes[:f.size])
	r.queue.push(twin, due)
}
