package geo

import (
	"cmp"
	"slices"

	"selvedge/simulations/netsim"
	"selvedge/simulations/router"
	"selvedge/simulations/world"
)

// routing is the plan of a router for a world's hosts, and who is in which namespace: the core, each
// edge, and everybody else, who never speak to each other.
func routing(p *plan, spots places) (plan router.Plan, homes [][]netsim.Host) {
	homes = append(homes, []netsim.Host{world.CoreHost})
	space := map[netsim.Host]int{world.CoreHost: 0}
	for i := range p.edges {
		space[world.EdgeHost(i)] = len(homes)
		homes = append(homes, []netsim.Host{world.EdgeHost(i)})
	}
	people := len(homes)
	homes = append(homes, nil)
	var hosts []netsim.Host
	for h := range spots {
		hosts = append(hosts, h)
	}
	slices.SortFunc(hosts, func(a, b netsim.Host) int { return cmp.Compare(a, b) })
	var examples []netsim.Host // a host of each spot
	known := map[spot]int{}
	for _, h := range hosts {
		at, ok := space[h]
		if !ok {
			at = people
			homes[people] = append(homes[people], h)
		}
		n, ok := known[spots[h]]
		if !ok {
			n = len(examples)
			known[spots[h]] = n
			examples = append(examples, h)
		}
		plan.Hosts = append(plan.Hosts, router.Place{Host: h, Space: at, Spot: n})
	}
	plan.Seed, plan.Spaces = p.seed, len(homes)
	path := p.path(spots)
	for _, from := range examples {
		row := make([]netsim.Path, len(examples))
		for i, to := range examples {
			row[i] = path(from, to)
		}
		plan.Paths = append(plan.Paths, row)
	}
	return plan, homes
}
