package planet

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"selvedge/simulations/report"
)

// machine is what the laws say of one fan-out on the machine that was measured.
func (x *sections) machine() (report.Section, error) {
	s := report.Section{Title: "One fan-out on the machine that was measured"}
	if len(x.c.Tiers) == 0 {
		s.Text = []string{"These costs are not fitted to runs on one machine yet (--calibrate): they are from documents, and no fan-out is predicted."}
		return s, nil
	}
	cpus := 0
	for _, f := range x.c.Fitted {
		s.Text = append(s.Text, fmt.Sprintf("Fitted to: %s, seed %d, commit %s, %s, %s; sizes %s.", f.Command, f.Seed, f.Commit, f.Made.UTC().Format("2006-01-02"), f.Machine, join(f.Sizes)))
		cpus = max(cpus, f.CPUs)
	}
	s.Text = append(s.Text, fmt.Sprintf("Each is a fixed cost and one for each gateway, fitted to at most %d gateways and %d sockets; larger runs are there to be predicted (--check). All of a tier, its clients too, shares that machine's CPUs: past what was measured, a gateway more takes the CPU time that it needs, of the CPUs that idle links leave.", maxGateways, maxSockets))
	names := slices.Sorted(maps.Keys(x.c.Tiers))
	t := report.Table{Caption: "Laws of one publish at a time: fixed, and for each gateway", Head: []string{
		"tier", "last receipt, ms", "each, us", "off at most", "centre's CPU, us", "each, us", "relays' CPU, us", "each, us", "clients' CPU, each, us", "idle, each, us/s", "bytes out of the centre, each", "CPUs at work meanwhile", "5,000 gateways: last receipt, ms", "centre's CPU, ms",
	}}
	var xs, ys []float64
	at := []int{10, 30, 100, 300, 1000, 3000, 10_000}
	for _, n := range at {
		xs = append(xs, float64(n))
	}
	lines := map[string][]report.Point{}
	for _, name := range names {
		l := x.c.Tiers[name]
		work := (l.Centre.Per + l.Relays.Per + l.Clients.Per) / 1e3
		parallel := "-"
		if l.Last.Per > 0 {
			parallel = fmt.Sprintf("%.2f", work/l.Last.Per)
		}
		row := []string{name}
		for _, v := range []float64{l.Last.Fixed, 1e3 * l.Last.Per} {
			row = append(row, fmt.Sprintf("%.3g", v))
		}
		row = append(row, fmt.Sprintf("%.0f %%", 100*l.Last.Off))
		for _, v := range []float64{l.Centre.Fixed, l.Centre.Per, l.Relays.Fixed, l.Relays.Per, l.Clients.Per, 1e3 * l.Idle.Per, l.Bytes.Per} {
			row = append(row, fmt.Sprintf("%.3g", v))
		}
		far := "idle links fill the machine"
		if ms, ok := l.last(5000, cpus); ok {
			far = fmt.Sprintf("%.3g", ms)
		}
		t.Rows = append(t.Rows, append(row, parallel, far, fmt.Sprintf("%.3g", l.Centre.at(5000)/1e3)))
		for _, n := range at {
			if ms, ok := l.last(n, cpus); ok {
				lines[name], ys = append(lines[name], report.Point{X: float64(n), Y: ms}), append(ys, ms)
			}
		}
	}
	s.Tables = []report.Table{t, x.busyness(names, cpus)}
	number := func(v float64) string { return fmt.Sprintf("%g", v) }
	p := logarithmic("gateways", "last receipt, ms", 300, xs, ys, number, number)
	for i, name := range names {
		if err := p.Line(name, i, false, lines[name]); err != nil {
			return s, err
		}
	}
	return s, with(&s, "Until the last receipt", fmt.Sprintf("Predicted past %d gateways, which nothing was fitted to.", maxGateways), p, nil)
}

// busyness is how much of that machine publishes at a rate use.
func (x *sections) busyness(names []string, cpus int) report.Table {
	t := report.Table{Caption: fmt.Sprintf("The part of that machine's %d CPUs that publishes at a rate need if none are taken together; past 100 %% a backlog grows", cpus), Head: []string{"tier, gateways", "10/s", "100/s", "last receipt at 10/s, ms"}, Folded: true}
	for _, name := range names {
		l := x.c.Tiers[name]
		for _, n := range []int{100, 1000, 5000} {
			ms, busy := l.paced(n, 10, 10, cpus)
			t.Rows = append(t.Rows, []string{fmt.Sprintf("%s, %d", name, n), percent(busy), percent(10 * busy), fmt.Sprintf("%.3g", ms)})
		}
	}
	return t
}

func join(n []int) string {
	var out []string
	for _, v := range n {
		out = append(out, fmt.Sprint(v))
	}
	return strings.Join(out, ", ")
}

// gossip is what it costs to know of each other.
func (x *sections) gossip() (report.Section, error) {
	s := report.Section{Title: "Gossip", Text: []string{
		"Reckoned from memberlist's algorithm and our settings, and not measured: complete exchanges, which become rarer above 32 nodes, and probes, in silence. Others report that a node of memberlist uses 2 to 3 CPUs at 2,500 nodes (hashicorp/memberlist#243), " +
			"and that messages of users starve at about 1,000 (#299; ours sends none). Bytes are no wall; CPU may be one beyond a thousand nodes, and has to be measured before anyone has so many. Crashes were tried with 100 nodes.",
	}}
	t := report.Table{Caption: "Each node", Head: []string{"nodes", "kB/s, both ways", "a complete exchange, kB", "each, s"}}
	for _, n := range append(slices.Clone(x.s.Edges), x.s.MostEdges) {
		g := gossipOf(n + x.s.Cores)
		t.Rows = append(t.Rows, []string{fmt.Sprint(g.Nodes), fmt.Sprintf("%.3g", g.Bytes/1e3), fmt.Sprintf("%.3g", g.All/1e3), fmt.Sprintf("%.3g", g.Every)})
	}
	s.Tables = []report.Table{t}
	return s, nil
}

// prices are all costs with their sources.
func (x *sections) prices() (report.Section, error) {
	s := report.Section{Title: "What it rests on", Text: []string{
		fmt.Sprintf("In the draws each measured cost is off by up to %.0f %% in 90 of 100, and people's figures are as the second table has them.", 100*allowed),
	}}
	costs := report.Table{Words: true, Caption: "Costs", Head: []string{"cost", "value", "unit", "where it came from"}}
	for _, f := range x.c.Each.all() {
		costs.Rows = append(costs.Rows, []string{f.name, fmt.Sprintf("%.6g", f.cost.Value), f.unit, f.cost.Source})
	}
	world := report.Table{Words: true, Caption: "People, at their region's busiest hour", Head: []string{"figure", "5 of 100 below", "middle", "95 of 100 below", "where it came from"}}
	for _, k := range x.s.People.all() {
		world.Rows = append(world.Rows, []string{k.name, fmt.Sprintf("%.4g", k.of.Low), fmt.Sprintf("%.4g", k.of.Mid), fmt.Sprintf("%.4g", k.of.High), k.of.Source})
	}
	rooms := report.Table{Caption: "Rooms that messages go to (assumed)", Head: []string{"class", "part of messages", "members, median", "spread"}}
	for _, c := range x.s.Rooms {
		rooms.Rows = append(rooms.Rows, []string{c.Name, fmt.Sprintf("%.2f %%", 100*c.Share), amount(c.Members), fmt.Sprintf("%.3g", c.Spread)})
	}
	s.Tables = []report.Table{costs, world, rooms}
	return s, nil
}
