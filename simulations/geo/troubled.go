package geo

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"gonum.org/v1/plot"

	"selvedge/simulations/report"
)

// step is that of the time line of the trouble.
const step = 5 * time.Second

// troubled is an outage of a region, and a detour of a backbone.
func troubled(a *atlas, all results) (report.Section, error) {
	o := all[trouble]
	t := &o.plan.scenario.Trouble
	hit := slices.Index(o.plan.scenario.Regions, t.Outage)
	away := slices.Index(o.plan.scenario.Regions, t.Reroute[0])
	var detoured []string
	for _, name := range t.Reroute {
		detoured = append(detoured, a.names[slices.Index(o.plan.scenario.Regions, name)])
	}
	moved := o.moved(hit)
	s := report.Section{
		Title: "A region’s edges die; a backbone takes a detour",
		Text: []string{
			fmt.Sprintf("After %s nothing reaches the edges of %s any more, without a word, for %s. %s", clock(t.OutageAt), a.names[hit], clock(t.OutageFor), moved.text(a, t, a.names[hit])),
			fmt.Sprintf("After %s each way between %s and everywhere else takes %.3g ms longer, for %s: links and gossip go on, and what is sent is as late as the way is.", clock(t.RerouteAt), strings.Join(detoured, ", "), ms(t.Detour/2), clock(t.RerouteFor)),
			fmt.Sprintf("Of %d deliveries to clients %d did not come until the end, and %d came twice.", o.Deliveries, o.Missing, o.Twice),
		},
	}
	fig, err := latencyLine(o, []int{a.core, hit, away})
	if err != nil {
		return s, err
	}
	s.Figures = append(s.Figures, fig)
	if fig, err = whereLine(o, hit); err != nil {
		return s, err
	}
	s.Figures = append(s.Figures, fig)
	s.Tables = []report.Table{moved.table(a)}
	return s, nil
}

// moves are those of one region's clients, after an outage and after it was over.
type moves struct {
	all  []Move
	away []Move // while the outage held, the first of each client
	back []Move
	home string
}

func (o *Outcome) moved(region int) (m moves) {
	t := &o.plan.scenario.Trouble
	m.home = o.plan.scenario.Regions[region]
	gone := map[string]bool{}
	for _, v := range o.Moves {
		switch {
		case v.Region != region:
		case v.To != m.home && v.Lost >= t.OutageAt && !gone[v.User]:
			gone[v.User] = true
			m.away = append(m.away, v)
		case v.To == m.home && v.At > t.OutageAt+t.OutageFor:
			m.back = append(m.back, v)
		}
		if v.Region == region {
			m.all = append(m.all, v)
		}
	}
	return m
}

// text says in words what the clients did.
func (m moves) text(a *atlas, t *Trouble, name string) string {
	if len(m.away) == 0 {
		return "Its clients stayed where they were."
	}
	var noticed, took []time.Duration
	to := map[string]int{}
	for _, v := range m.away {
		noticed, took = append(noticed, v.Lost-t.OutageAt), append(took, v.At-t.OutageAt)
		to[a.name(v.To)]++
	}
	slices.Sort(noticed)
	slices.Sort(took)
	var where []string
	for r, n := range to {
		where = append(where, fmt.Sprintf("%d to %s", n, r))
	}
	slices.Sort(where)
	out := fmt.Sprintf("Its clients went elsewhere (%s). They noticed %s later, since a socket that falls silent is believed in until the pings are missed, and were live again %s after the outage began, with all that they had missed.",
		strings.Join(where, ", "), between(noticed[0], noticed[len(noticed)-1]), between(took[0], took[len(took)-1]))
	if len(m.back) > 0 {
		first := slices.MinFunc(m.back, func(a, b Move) int { return cmp.Compare(a.At, b.At) })
		last := slices.MaxFunc(m.back, func(a, b Move) int { return cmp.Compare(a.At, b.At) })
		out += fmt.Sprintf(" %d came back to %s by the end, %s after it could be reached again: clients look for a nearer edge at times, not all at once.",
			len(m.back), name, between(first.At-t.OutageAt-t.OutageFor, last.At-t.OutageAt-t.OutageFor))
	}
	return out
}

func (m moves) table(a *atlas) report.Table {
	t := report.Table{Caption: "Every move of these clients", Head: []string{"to", "connection given up at", "connected again at", "in between"}, Folded: true}
	for _, v := range m.all {
		t.Rows = append(t.Rows, []string{a.name(v.To), clock(v.Lost), clock(v.At), clock(v.At - v.Lost)})
	}
	return t
}

// latencyLine is how long messages of a time took to some regions' clients.
func latencyLine(o *Outcome, regions []int) (report.Figure, error) {
	p := report.NewPlot("minutes since publishing began", "core to client, s (slowest)", 280)
	t := &o.plan.scenario.Trouble
	lines := make([][]report.Point, len(regions))
	bottom, top := 0.01, 0.5
	for i, r := range regions {
		for _, s := range o.line(r, step) {
			if s.took.N == 0 { // nobody got it: there is no such time, and a logarithmic axis has no zero
				continue
			}
			lines[i] = append(lines[i], report.Point{X: s.at.Minutes(), Y: s.took.Max / 1000})
			top = max(top, s.took.Max/1000)
			if s.took.Max/1000 < bottom {
				bottom = 0.001
			}
		}
	}
	top *= 8 // for the legend
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, o.plan.last.Minutes(), bottom, top
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, report.Decades{}
	p.Grid()
	if err := spans(p, t, top); err != nil {
		return report.Figure{}, err
	}
	p.Legend.YOffs = -36 // into the room that top leaves
	for i, r := range regions {
		if err := p.Line(o.plan.atlas.names[r], i, false, lines[i]); err != nil {
			return report.Figure{}, err
		}
	}
	return picture("The slowest delivery of every five seconds", "By when the message was sent. What was sent while clients did not know that their edge was gone is as late as they were; nothing is lost.", p, nil)
}

func spans(p *report.Plot, t *Trouble, top float64) error {
	if err := p.Span("outage", t.OutageAt.Minutes(), (t.OutageAt + t.OutageFor).Minutes(), top); err != nil {
		return err
	}
	return p.Span("detour", t.RerouteAt.Minutes(), (t.RerouteAt + t.RerouteFor).Minutes(), top)
}

// whereLine is where the clients of one region are connected.
func whereLine(o *Outcome, region int) (report.Figure, error) {
	p := report.NewPlot("minutes since publishing began", "clients", 220)
	top := float64(o.plan.clients) * 1.4
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, o.plan.last.Minutes(), 0, top
	p.Y.Tick.Marker = report.Every{Step: max(1, float64(o.plan.clients/4)), Label: func(v float64) string { return fmt.Sprintf("%.0f", v) }}
	p.Grid()
	if err := spans(p, &o.plan.scenario.Trouble, top); err != nil {
		return report.Figure{}, err
	}
	home := o.plan.scenario.Regions[region]
	for i, line := range o.where(region) {
		name := o.plan.atlas.names[region] + "’s own edge"
		if line.to != home {
			name = "edge in " + o.plan.atlas.name(line.to)
		}
		if line.to == "" {
			name = "none that is alive"
		}
		if err := p.Line(name, i, line.to == "", line.points); err != nil {
			return report.Figure{}, err
		}
	}
	return picture("Where the clients of "+o.plan.atlas.names[region]+" are", "How many are connected to which region's edge. From the outage until they notice, they are connected to nobody that is alive.", p, nil)
}

// whereabouts is how many clients of a region are at an edge of another; "" = at none
// that is alive.
type whereabouts struct {
	to     string
	points []report.Point
}

// where tells where the clients of a region that has an outage are, as steps.
func (o *Outcome) where(region int) (out []whereabouts) {
	t, home := &o.plan.scenario.Trouble, o.plan.scenario.Regions[region]
	type change struct {
		at       time.Duration
		from, to string
		n        int
	}
	changes := []change{{at: t.OutageAt, from: home, n: o.plan.clients}}
	at := map[string]string{} // by user: whom it was connected to before
	for _, v := range o.moved(region).all {
		from, known := at[v.User]
		if !known {
			from = home
		}
		if known || v.Lost < t.OutageAt { // else it is counted as at nobody's already
			changes = append(changes, change{at: v.Lost, from: from, n: 1})
		}
		changes = append(changes, change{at: v.At, to: v.To, n: 1})
		at[v.User] = v.To
	}
	slices.SortStableFunc(changes, func(a, b change) int { return cmp.Compare(a.at, b.at) })
	counts := map[string]int{home: o.plan.clients}
	names := []string{home, ""}
	lines := map[string][]report.Point{home: {{X: 0, Y: float64(o.plan.clients)}}, "": {{X: 0, Y: 0}}}
	add := func(name string, at time.Duration, by int) {
		if _, known := lines[name]; !known {
			names, lines[name] = append(names, name), []report.Point{{X: 0, Y: 0}}
		}
		lines[name] = append(lines[name], report.Point{X: at.Minutes(), Y: float64(counts[name])})
		counts[name] += by
		lines[name] = append(lines[name], report.Point{X: at.Minutes(), Y: float64(counts[name])})
	}
	for _, c := range changes {
		if c.at <= o.plan.last {
			add(c.from, c.at, -c.n)
			add(c.to, c.at, c.n)
		}
	}
	for _, name := range names {
		points := append(lines[name], report.Point{X: o.plan.last.Minutes(), Y: float64(counts[name])})
		out = append(out, whereabouts{name, points})
	}
	return out
}
