package geo

import (
	"context"
	"fmt"
	"math"
	"time"

	"selvedge/internal/config"
	"selvedge/simulations/report"
)

const realShows = `Whether the simulated world can be believed: the same scenario, with the same seed, once as a core, edges and clients of the real binary in network namespaces,
whose packets a router in user space delays and loses by the same rules, and once in virtual time. Both are judged by the same code, from the core's own stamp in each message, which has whole
milliseconds, to the moment in which a client has it.`

const realCannot = `Say how fast a machine is that has nothing else to do: a core, all edges, all clients and the router share this one's CPUs, and what that costs is part of the real times. Nothing is
subtracted. Nor does the router have bandwidth or queues.`

// checkReal says what --real is too large for.
func (c *Command) checkReal(s *Scenario) error {
	switch {
	case c.Real < 0 || c.Real > mostReal:
		return config.Usagef("--real %v: want more than 0, at most %v", c.Real, mostReal)
	case len(s.Regions) > mostRealEdges:
		return config.Usagef("--real with %d regions: want at most %d, each has an edge's process", len(s.Regions), mostRealEdges)
	}
	edges, clients := len(s.Regions), len(s.Regions)*s.ClientsPerRegion
	if edges+clients > mostRealHosts {
		return config.Usagef("--real with %d edges and %d clients: want at most %d in all", edges, clients, mostRealHosts)
	}
	if n := 2 * s.published(c.Real) * float64(edges+clients); n > maxDeliveries {
		return config.Usagef("--real %v: %.0f million deliveries in both worlds, want at most %d million", c.Real, n/1e6, maxDeliveries/1_000_000)
	}
	return nil
}

// cross is --real.
func (c *Command) cross(ctx context.Context, stdio *config.IO, s *Scenario, a *atlas) error {
	if err := c.checkReal(s); err != nil {
		return err
	}
	s.For = c.Real
	both, err := cross(ctx, s, a, c.Seed, stdio.Stderr)
	if err != nil {
		return err
	}
	r, err := both.report()
	if err != nil {
		return err
	}
	for _, l := range both.legs() {
		_, _ = fmt.Fprintf(stdio.Stderr, "%-22s %-11s p50 %7.1f virtual, %7.1f real, %+5.1f ms   p99 %7.1f, %7.1f\n",
			l.region, l.to(), l.virtualM, l.realM, ms(l.apart()), l.virtual.P99, l.real.P99) // may go unread
	}
	if err := r.Finish(c.asked(), stdio.Stdout); err != nil {
		return err
	}
	return both.check()
}

// comparison is what the report's file has of a leg.
type comparison struct {
	Region  string    `json:"region"`
	To      string    `json:"to"`
	Virtual Quantiles `json:"virtual"`
	Real    Quantiles `json:"real"`
	// The means of the middle fifths, which are compared.
	VirtualMiddle float64 `json:"virtual_middle_ms"`
	RealMiddle    float64 `json:"real_middle_ms"`
}

// measured is what the report's file has of the real world.
type measured struct {
	Agrees     bool         `json:"agrees"` // at p50, within agree
	Comparison []comparison `json:"comparison"`
	World      *Outcome     `json:"world"`
	Effort     Effort       `json:"effort"`
}

// report is all but how it was made.
func (c *crossing) report() (*report.Report, error) {
	for _, o := range []*Outcome{c.virtual, c.real} {
		if o.Published == 0 {
			return nil, o.nothing()
		}
	}
	names := c.plan.atlas.names
	r := &report.Report{
		Name: "geo", Title: fmt.Sprintf("The same %d regions, simulated and real", len(names)),
		Build: config.ReadBuild(), Machine: report.ThisMachine(), Made: time.Now(),
		Scenario: c.plan.scenario.String(), Shows: realShows, Cannot: realCannot, Sources: sources, Network: c.virtual,
	}
	m := measured{Agrees: c.check() == nil, World: c.real, Effort: c.effort}
	var most float64
	for _, l := range c.legs() {
		m.Comparison = append(m.Comparison, comparison{l.region, l.to(), l.virtual, l.real, l.virtualM, l.realM})
		most = max(most, math.Abs(ms(l.apart())))
	}
	r.Host, r.HostNote = m, "What real processes on this machine took, beside the virtual time of the same world."
	verdict := "The two agree."
	if err := c.check(); err != nil {
		verdict = "They do not agree, or something was lost: " + err.Error()
	}
	r.Key = []report.Key{
		{Value: fmt.Sprintf("%.1f", most), Unit: "ms", Text: "the most that a region's median differs, to its edge or its clients; 2 are allowed"},
		{Value: fmt.Sprintf("%.0f", 100*c.effort.Busy), Unit: "%", Text: "of this machine's CPU time was in use meanwhile, by anybody"},
		{Value: fmt.Sprint(c.real.Deliveries), Unit: "deliveries", Text: fmt.Sprintf("of %d messages to real clients; %d missing, %d twice", c.real.Published, c.real.Missing, c.real.Twice)},
	}
	side, err := c.sideBySide(verdict)
	if err != nil {
		return nil, err
	}
	r.HostSections = []report.Section{side, c.took()}
	return r, nil
}

func (c *crossing) sideBySide(verdict string) (report.Section, error) {
	s := report.Section{Title: "Side by side", Text: []string{
		verdict,
		fmt.Sprintf("%d messages were published in %v, at the same moments in both worlds. Times are from the core's stamp, in ms; virtual, real, and by how much the real one is longer. p50 is the mean of the middle fifth: a single rank would jump where half of a region's clients have a shorter last mile than the others.", c.real.Published, c.plan.last),
	}}
	tables := [2]report.Table{{Caption: "From the core to each edge"}, {Caption: "From the core to clients"}}
	values := [2][][]float64{{nil, nil}, {nil, nil}}
	for i := range tables {
		tables[i].Head = []string{"region", "p50 virtual", "real", "more", "p95 virtual", "real", "more", "p99 virtual", "real", "more"}
	}
	for _, l := range c.legs() {
		at := 0
		if l.client {
			at = 1
		}
		row := []string{l.region}
		for _, q := range [][2]float64{{l.virtualM, l.realM}, {l.virtual.P95, l.real.P95}, {l.virtual.P99, l.real.P99}} {
			row = append(row, num(q[0]), num(q[1]), fmt.Sprintf("%+.1f", q[1]-q[0]))
		}
		tables[at].Rows = append(tables[at].Rows, row)
		values[at][0], values[at][1] = append(values[at][0], l.virtualM), append(values[at][1], l.realM)
	}
	for i, title := range []string{"To each edge", "To clients"} {
		p, err := report.Bars("core to there, ms (p50)", c.plan.atlas.names, []string{"virtual", "real"}, values[i])
		fig, err := picture(title, "Medians of both worlds, beside each other.", p, err)
		if err != nil {
			return s, err
		}
		s.Figures = append(s.Figures, fig)
	}
	p := report.NewPlot("ms from the core's stamp", "part of messages", 300)
	far, _ := slowest(c.virtual)
	var curves []curve
	for i, r := range []int{c.plan.atlas.core, far} {
		for _, o := range []*Outcome{c.virtual, c.real} {
			name := c.plan.atlas.names[r] + ", virtual"
			if o == c.real {
				name = c.plan.atlas.names[r] + ", real"
			}
			times := o.stamped[r].client
			quantiles(times) // sorts them
			curves = append(curves, curve{name, i, o == c.real, times})
		}
	}
	fig, err := picture("How the times spread", "The part of messages that clients had within a time, in the core's region and in the farthest; dashed: real.", p, cumulative(p, 0.2, curves))
	s.Figures, s.Tables = append(s.Figures, fig), tables[:]
	return s, err
}

// took says what the real world cost.
func (c *crossing) took() report.Section {
	e := &c.effort
	row := func(what string, cpus float64) []string { return []string{what, fmt.Sprintf("%.3f", cpus)} }
	return report.Section{
		Title: "What the real world took",
		Text: []string{fmt.Sprintf("%.0f %% of all CPU time of this machine was in use while messages were published, by anybody. The router passed %d packets, lost %d by chance, and %d for want of room.",
			100*e.Busy, e.Packets.Passed, e.Packets.Lost, e.Packets.Dropped)},
		Tables: []report.Table{{Caption: "CPUs in use while messages were published", Head: []string{"who", "CPUs"}, Rows: [][]string{
			row("core", e.Core), row(fmt.Sprintf("%d edges", len(c.plan.edges)), e.Edges), row("router", e.Router), row("clients and publishers", e.Clients),
		}}},
	}
}
