package geo

import (
	"slices"
	"sync"

	"selvedge/simulations/netsim"
	"selvedge/simulations/world"
)

// traffic counts bytes that travel from one region to another, with the headers
// of IP and above. It is safe for concurrent use.
type traffic struct {
	spots places

	mu       sync.Mutex
	oceans   Oceans  // guarded by mu
	regional []int64 // guarded by mu; on links, by region: between it and others
}

func newTraffic(spots places, regions int) *traffic {
	return &traffic{spots: spots, regional: make([]int64, regions)}
}

// Oceans are bytes between regions, by what they are for.
type Oceans struct {
	Links   int64 `json:"links"`   // core and edges: frames, watermarks, acknowledgements, pings
	Sockets int64 `json:"sockets"` // clients and edges
	Other   int64 `json:"other"`   // gossip, and publishers
}

func (o Oceans) minus(p Oceans) Oceans {
	return Oceans{o.Links - p.Links, o.Sockets - p.Sockets, o.Other - p.Other}
}

// watch is netsim.Config.Watch.
func (t *traffic) watch(p netsim.Packet) {
	from, to := hostOf(p.From.Addr().As4()), hostOf(p.To.Addr().As4())
	a, b := t.spots[from], t.spots[to]
	if a.region == b.region {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case p.Proto == "udp" && (p.From.Port() == world.LinkPort || p.To.Port() == world.LinkPort):
		t.oceans.Links += int64(p.Size)
		t.regional[a.region] += int64(p.Size)
		t.regional[b.region] += int64(p.Size)
	case a.access != nil || b.access != nil:
		t.oceans.Sockets += int64(p.Size)
	default:
		t.oceans.Other += int64(p.Size)
	}
}

// hostOf is the host of an address: see netsim.Host.IP.
func hostOf(ip [4]byte) netsim.Host {
	return netsim.Host(ip[1])<<16 | netsim.Host(ip[2])<<8 | netsim.Host(ip[3])
}

// carried is what went between regions so far.
type carried struct {
	oceans   Oceans
	regional []int64 // on links, by region
}

func (t *traffic) so() carried {
	t.mu.Lock()
	defer t.mu.Unlock()
	return carried{t.oceans, slices.Clone(t.regional)}
}

func (c carried) minus(before carried) carried {
	for i, n := range before.regional {
		c.regional[i] -= n
	}
	c.oceans = c.oceans.minus(before.oceans)
	return c
}
