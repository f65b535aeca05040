package geo

import (
	"time"

	"selvedge/simulations/netsim"
	"selvedge/simulations/world"
)

// Hosts beside the world's own.
const (
	backendHost    = world.CoreHost + 1 // makes the rooms
	firstPublisher = world.FreeHosts
	firstClient    = world.FreeHosts + 100
)

// spot is where a host is.
type spot struct {
	region int
	access *Access // of a client; nil = in the region's data centre
}

// places are the spots of all hosts of a plan.
type places map[netsim.Host]spot

// layOut gives every host of a plan its place.
func (p *plan) layOut() places {
	out := places{world.CoreHost: {region: p.atlas.core}, backendHost: {region: p.atlas.core}}
	for i, at := range p.edges {
		out[world.EdgeHost(i)] = spot{region: at}
	}
	for r := range p.atlas.regions {
		out[firstPublisher+netsim.Host(r)] = spot{region: r}
		for i := range p.clients {
			out[p.clientHost(r, i)] = spot{region: r, access: p.access(r*7 + i)}
		}
	}
	return out
}

func (p *plan) clientHost(r, i int) netsim.Host {
	return firstClient + netsim.Host(r*p.clients+i)
}

// access is the class of client number i: neighbours differ, and of any hundred each
// class has its share.
func (p *plan) access(i int) *Access {
	const coprime = 37
	at := i * coprime % 100
	for k := range p.scenario.Access {
		a := &p.scenario.Access[k]
		if at < a.Share {
			return a
		}
		at -= a.Share
	}
	return &p.scenario.Access[0]
}

// path is netsim.Config.Path.
func (p *plan) path(spots places) func(from, to netsim.Host) netsim.Path {
	return func(from, to netsim.Host) netsim.Path {
		a, b := spots[from], spots[to]
		path := p.atlas.path(a.region, b.region, p.jitter, p.loss)
		for _, end := range []spot{a, b} {
			if end.access == nil {
				continue
			}
			path.Delay += end.access.Delay
			if p.jitter > 0 {
				path.Jitter += time.Duration(min(p.jitter, 1) * float64(end.access.Jitter))
			}
			if p.loss > 0 {
				path.Loss = 1 - (1-path.Loss)*(1-end.access.Loss)
			}
		}
		return path
	}
}
