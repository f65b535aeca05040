package million

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"selvedge/simulations/report"
)

// count is a number as people write it.
func count(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func num(v float64) string {
	switch {
	case math.Abs(v) >= 99.95:
		return fmt.Sprintf("%.0f", v)
	case math.Abs(v) >= 9.995:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// sortedByGrowth are the names of what grew, most first.
func sortedByGrowth(before, after map[string]slab) (names []string) {
	for name := range after {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(after[b].Bytes-before[b].Bytes, after[a].Bytes-before[a].Bytes), cmp.Compare(a, b))
	})
	return names
}

// picture is a figure of lines; each has a name, and points.
func picture(title, alt, x, y string, lines ...line) (report.Figure, error) {
	p := report.NewPlot(x, y, 260)
	p.Grid()
	p.X.Min, p.Y.Min = 0, 0
	for i, l := range lines {
		if err := p.Line(l.name, i, false, l.points); err != nil {
			return report.Figure{}, err
		}
	}
	if p.Y.Max *= 1.12; len(lines) < 2 { // room for the legend
		p.Y.Max /= 1.1
	}
	svg, err := p.SVG(alt)
	return report.Figure{Title: title, Alt: alt, SVG: svg}, err
}

type line struct {
	name   string
	points []report.Point
}

// arrival is how they connect.
func arrival(s *Scenario, o *Outcome) (report.Section, error) {
	d := &o.Details
	in, rate := []report.Point{{}}, []report.Point{}
	all := 0
	for second, n := range d.Arrived {
		all += n
		in = append(in, report.Point{X: float64(second + 1), Y: float64(all) / 1000})
		rate = append(rate, report.Point{X: float64(second) + 0.5, Y: float64(n)})
	}
	var edges, core, clients, left []report.Point
	for _, look := range d.Samples {
		edges = append(edges, report.Point{X: look.At, Y: look.Edges})
		core = append(core, report.Point{X: look.At, Y: look.Core})
		clients = append(clients, report.Point{X: look.At, Y: look.Clients})
		left = append(left, report.Point{X: look.At, Y: float64(look.Available) / gib})
	}
	section := report.Section{
		Title: "They connect",
		Text: []string{fmt.Sprintf("Each socket connects, asks for the upgrade, says hello with a token of its own, and counts when it has its welcome with its rooms; %d are on that way at any time. "+
			"The CPU of the pings to those that are in already is part of what a connection costs here.", s.InFlight)},
		Tables: []report.Table{{
			Caption: "Connecting", Head: []string{"", ""},
			Rows: [][]string{
				{"all welcomed after, s", num(o.Welcomed)},
				{"sockets per second, mean", num(o.ConnectRate)},
				{"tries of sockets that were not welcome at once", count(int(o.Retried))},
				{"edges' CPU per socket, us", num(o.EdgePerConnect)},
				{"core's CPU per socket, us", num(o.CorePerConnect)},
				{"load's CPU per socket, us", num(o.ClientPerConnect)},
				{"from connect(2) to welcome, p50, ms", num(d.Welcome.P50)},
				{"p95, ms", num(d.Welcome.P95)},
				{"p99, ms", num(d.Welcome.P99)},
				{"the longest, ms", num(d.Welcome.Max)},
			},
		}},
	}
	for _, f := range []struct {
		title, alt, y string
		lines         []line
	}{
		{"Sockets that are welcome", fmt.Sprintf("All %s are in after %s s.", count(o.Sockets), num(o.Welcomed)), "thousand sockets", []line{{"", in}}},
		{"Welcomes per second", fmt.Sprintf("%s per second on the mean.", num(o.ConnectRate)), "1/s", []line{{"", rate}}},
		{"CPUs used while they connect", "By edges, the core and the load processes, which are the clients; with what the kernel does for them.", "CPUs", []line{{"edges", edges}, {"core", core}, {"load", clients}}},
		{"Memory that is left", fmt.Sprintf("What the kernel says is available; the least of the whole run was %s GiB.", num(d.Least/gib)), "GiB", []line{{"", left}}},
	} {
		figure, err := picture(f.title, f.alt, "s since the first connects", f.y, f.lines...)
		if err != nil {
			return section, err
		}
		section.Figures = append(section.Figures, figure)
	}
	return section, nil
}

// idleness is what it costs that nothing happens.
func idleness(_ *Scenario, o *Outcome) (report.Section, error) {
	i := &o.Idle
	row := func(name string, each float64) []string {
		return []string{name, fmt.Sprintf("%.3f", each), num(100 * each * float64(o.Sockets) / 1e6), num(each * float64(o.Sockets) / max(i.Pings, 1e-9))}
	}
	return report.Section{
		Title: "Nothing happens",
		Text: []string{fmt.Sprintf("For %.0f s nobody publishes. Each socket gets a ping each %.0f s, with a cursor in the same write, and its client answers with a pong: %s pings per second. "+
			"Links ping each other, and edges gossip; that is in it, too.", i.Seconds, o.Ping, num(i.Pings))},
		Tables: []report.Table{{
			Caption: "CPU while nothing happens, with the kernel's part", Head: []string{"", "us per socket and second", "% of one CPU", "us per ping"},
			Rows: [][]string{row("edges", i.Edge), row("core", i.Core), row("load processes, which are the clients", i.Client), row("all", i.Edge+i.Core+i.Client)},
		}},
	}, nil
}

// toAll is one message to all.
func toAll(_ *Scenario, o *Outcome) (report.Section, error) {
	p := &o.Publish
	alt := fmt.Sprintf("The part of %s sockets that have the message, by the time since before the publishing call: half after %s ms, 99 %% after %s ms, all after %s ms.",
		count(p.Members), num(p.P50), num(p.P99), num(p.Last))
	f, err := picture("One message to all", alt, "ms since the publish", "% of the sockets", line{"", percent(o.Details.Curve)})
	if err != nil {
		return report.Section{}, err
	}
	var lasts []string
	for _, ms := range p.Lasts {
		lasts = append(lasts, num(ms))
	}
	return report.Section{
		Title: "One message to all",
		Text: []string{fmt.Sprintf("%d messages of some %d bytes of JSON to the room of all, one after the other, while the pings go on. The publish whose last receipt is the median is shown. "+
			"The clients take their part of the same CPUs, and what idleness costs in that time is not counted.", p.Publishes, o.MessageBytes)},
		Figures: []report.Figure{f},
		Tables: []report.Table{{
			Caption: "One message to all", Head: []string{"", ""},
			Rows: [][]string{
				{"receipts wanted, of each message", count(p.Members)},
				{"lost, doubled, of all messages", fmt.Sprintf("%d, %d", p.Lost, p.Doubled)},
				{"the publishing call, ms", num(p.Accepted)},
				{"half of the receipts, ms", num(p.P50)},
				{"99 % of the receipts, ms", num(p.P99)},
				{"the last receipt, ms", num(p.Last)},
				{"the last receipt of each message, ms", strings.Join(lasts, ", ")},
				{"edges' CPU per delivery, us", num(p.Edge)},
				{"load's CPU per delivery, us", num(p.Client)},
				{"core's CPU per publish, ms", num(p.Core / 1e3)},
			},
		}},
	}, nil
}

// toTeams is messages to small rooms.
func toTeams(_ *Scenario, o *Outcome) (report.Section, error) {
	t := &o.Teams
	alt := fmt.Sprintf("The part of the receipts, of all rooms together, by the time since before the publishing call: half within %s ms, 99 %% within %s ms.", num(t.P50), num(t.P99))
	f, err := picture(fmt.Sprintf("A message to a room of %d", o.Team), alt, "ms since the publish", "% of the receipts", line{"", percent(o.Details.Rooms)})
	if err != nil {
		return report.Section{}, err
	}
	return report.Section{
		Title:   fmt.Sprintf("A message to a room of %d", o.Team),
		Text:    []string{fmt.Sprintf("%d messages, one after the other, each to another room, whose members are spread over all edges, while all sockets are there and pinged.", t.Publishes)},
		Figures: []report.Figure{f},
		Tables: []report.Table{{
			Caption: "Receipts", Head: []string{"", ""},
			Rows: [][]string{
				{"receipts", count(int(t.Receipts))},
				{"lost, doubled", fmt.Sprintf("%d, %d", t.Lost, t.Doubled)},
				{"p50, ms", num(t.P50)},
				{"p99, ms", num(t.P99)},
				{"the longest, ms", num(t.Max)},
				{"the last receipt of a room, the median room, ms", num(t.LastP50)},
			},
		}},
	}, nil
}

// keeping is what the core keeps.
func keeping(_ *Scenario, o *Outcome) (report.Section, error) {
	d := &o.Details
	return report.Section{
		Title: "The core",
		Text:  []string{"It keeps users, rooms and memberships in a view of its log on disk, with caches of fixed sizes, and what its links are interested in, in memory."},
		Tables: []report.Table{{
			Caption: "The core", Head: []string{"", ""},
			Rows: [][]string{
				{"memberships", count(o.Memberships)},
				{"rooms filled in, s", num(d.Filled)},
				{"memory per membership, while they are filled, bytes", num(o.CorePerMembership)},
				{"memory per user, while they connect, bytes", num(o.CorePerUser)},
				{"memory of the process before that, anonymous, MiB", num(o.CoreProcess / mib)},
				{"its folder on disk, MiB", num(d.Disk / mib)},
			},
		}},
	}, nil
}

// arithmetic is what the machine was checked for, beside what it took.
func arithmetic(s *Scenario, o *Outcome) (report.Section, error) {
	t := report.Table{Caption: "Memory: the estimate that the machine was checked against, and what was measured", Head: []string{"", "how many", "estimate, bytes each", "estimate, MiB", "measured, bytes each"}}
	measured := []float64{
		o.KernelPerSocket, o.EdgePerSocket, o.ClientPerSocket, o.inCore(),
		o.EdgeProcess, o.LoadProcess, o.CoreProcess,
	}
	for i, n := range s.needs() {
		cell := "–"
		if i < len(measured) {
			cell = fmt.Sprintf("%.0f", measured[i])
		}
		t.Rows = append(t.Rows, []string{n.what, count(int(n.count)), count(int(n.each)), num(float64(n.bytes()) / mib), cell})
	}
	t.Rows = append(t.Rows, []string{"in all", "", "", num(float64(total(s.needs())) / mib), fmt.Sprintf("%s MiB less was available", num(o.MemoryTotal/mib))})
	return report.Section{Title: "The arithmetic", Tables: []report.Table{t}}, nil
}

func percent(points []Point) (out []report.Point) {
	for _, p := range points {
		out = append(out, report.Point{X: p.At, Y: 100 * p.Part})
	}
	return out
}
