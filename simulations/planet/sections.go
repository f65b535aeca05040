package planet

import (
	"fmt"
	"slices"
	"strings"

	"selvedge/simulations/report"
)

// colours of resources: the cores' alike, the state's, the relays', the edges'.
var kinds = [resources]int{CoreCPU: 0, CoreNetwork: 0, CoreDisk: 0, LogKept: 0, StateMemory: 3, StateRebuild: 3, LogStream: 4, RelayCPU: 4, RelayNetwork: 4, EdgeCPU: 1, EdgeMemory: 1, EdgeSockets: 1, EdgeNetwork: 1}

// scarce is what there is too little of first.
func (x *sections) scarce() (report.Section, error) {
	e, c := x.s.EdgeMachine, x.s.CoreMachine
	s := report.Section{
		Title: "What is too little first",
		Text: []string{fmt.Sprintf("Edges of %.0f CPUs, %.0f GiB and %.3g Gbit/s; %d cores of %.0f CPUs, %.0f GiB and %.3g Gbit/s. A machine's CPUs, network and memory may be used to %.0f %% at the busiest hour; an edge may hold %s sockets. "+
			"Each cell names the resource that is used most, and how much of what may be used: above 100 %% this number of edges, or one cluster, is not enough.", e.CPUs, e.GiB, e.Gbit, x.s.Cores, c.CPUs, c.GiB, c.Gbit, 100*x.s.Target, amount(e.Sockets))},
	}
	for _, k := range []struct {
		title, alt string
		without    []Resource
	}{
		{"The scarcest resource", "Rows are registered users, columns edges in all regions together. The stronger the colour, the nearer to what may be used, or the further past it.", nil},
		{"The same without what the state log needs", "If the state were spread over several clusters: what would be scarce then.", []Resource{StateMemory}},
	} {
		var rows, columns []string
		var cells [][]report.Cell
		for j := range x.s.Edges {
			columns = append(columns, amount(float64(x.s.Edges[j]))+" edges")
		}
		for i, users := range slices.Backward(x.s.Users) { // the largest at the top
			rows = append(rows, people(users))
			var row []report.Cell
			for _, n := range x.o.Grid[i] {
				first := n.first(k.without...)
				row = append(row, report.Cell{Kind: kinds[first], Part: n[first], Text: []string{about[first].short, percent(n[first])}})
			}
			cells = append(cells, row)
		}
		p, err := report.Grid("", "users", columns, rows, cells)
		if err := with(&s, k.title, k.alt, p, err); err != nil {
			return s, err
		}
	}
	all := report.Table{Caption: "How much is used of what may be, everything", Head: append([]string{"users, edges"}, x.o.Names...), Folded: true}
	for i, users := range x.s.Users {
		for j, edges := range x.s.Edges {
			row := []string{fmt.Sprintf("%s, %d", people(users), edges)}
			for _, v := range x.o.Grid[i][j] {
				row = append(row, percent(v))
			}
			all.Rows = append(all.Rows, row)
		}
	}
	s.Tables = []report.Table{all}
	return s, nil
}

// percent is a part; from twice on it is a number of times.
func percent(v float64) string {
	switch {
	case v >= 1.995:
		return amount(v) + " times"
	case v < 0.00005:
		return "0 %"
	}
	return fmt.Sprintf("%.2g %%", 100*v)
}

// designEnds is how far each part goes.
func (x *sections) designEnds() (report.Section, error) {
	one := coreEnd(x.o.Ends)
	ends := slices.Clone(x.o.Ends)
	slices.SortStableFunc(ends, soonest)
	s := report.Section{Title: "Where the present design ends"}
	if one.Users > 0 {
		s.Text = append(s.Text, fmt.Sprintf("One cluster ends at %s users: %s (%s). More edges don't move that.", people(one.Users), one.Name, about[one.Resource].why))
	}
	s.Text = append(s.Text, x.z.outage(x.s.Users[len(x.s.Users)-1]),
		fmt.Sprintf("A core that has lost its folder reads the state log from its beginning: %s records for %s users, %.1f hours at the measured rate. It is no load, so it is not in the picture above; with more than one core the others serve meanwhile.",
			amount(x.z.records(x.o.At)), people(x.o.At), x.z.records(x.o.At)/x.z.f.costs.CoreRebuild.Value/3600),
		"Fixed in the design, and so a wall rather than a slope: the number of frame logs, of which each is read, encoded and served by one core; the one state log, which is whole at every core and goes to every edge directly, without relays; "+
			"a tree of relays that is one level deep; three cores that hold all logs, unless the logs are a NATS of one's own; logs that are kept by their size.",
		"Not in any figure, and to be looked at before a cluster is so large: networks of cloud machines that are fast for minutes only, the kernel's tables (files, connections that a firewall tracks, memory of sockets), what a core and relays keep for each interest "+
			"(some 28 bytes for each user who is online), edges that are unevenly full, users who all do the same in one minute.")
	t := report.Table{Words: true, Caption: fmt.Sprintf("How many users each part is enough for, with %d edges where edges matter", x.o.Most), Head: []string{"part", "users", "what it is", "what moves it"}}
	for _, e := range ends {
		users := "more than " + people(mostAsked)
		if e.Users > 0 {
			users = people(e.Users)
		}
		t.Rows = append(t.Rows, []string{e.Name, users, about[e.Resource].why, about[e.Resource].then})
	}
	s.Tables = []report.Table{t}
	return s, nil
}

// everywhere is where edges stand.
func (x *sections) everywhere() (report.Section, error) {
	s := report.Section{Title: "Where the edges stand", Text: []string{fmt.Sprintf("%d edges, by where users live. That is an assumption; so is that a region's edges are as busy as each other.", x.o.Most)}}
	var places []report.Place
	for i, r := range x.z.a.regions {
		places = append(places, report.Place{Name: strings.TrimPrefix(r.Title, "Azure "), Lat: r.Lat, Lon: r.Lon, Value: float64(x.o.Home[i]), Home: i == x.z.a.core})
	}
	p, err := report.Map(places, "edges")
	return s, with(&s, "Edges by region", "The number of edges in each region, on great circles from the cores' region, which has edges, too.", p, err)
}
