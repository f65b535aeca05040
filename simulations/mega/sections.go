package mega

import (
	"fmt"

	"selvedge/simulations/report"
)

// gatewayGoal is within how many ms a gateway with its sockets shall be done.
const gatewayGoal = 200

// Keys are the figures to begin with.
func (m *MegaResult) Keys() []report.Key {
	return []report.Key{
		{
			Value: figure(m.Ratio.Median), Unit: "× the floor",
			Text: fmt.Sprintf("one message to %d members on %d gateways, until the last has it: %s ms, the bare writer %s ms; to reach %g", m.Members, m.Edges, figure(m.Last.Median), figure(m.Floor.Median), m.Goal),
		},
		{Value: figure(m.Gateway.Median), Unit: "ms", Text: fmt.Sprintf("to the %d sockets of one gateway while the others have nothing to do; to reach %d", m.SocketsPerEdge, gatewayGoal)},
	}
}

// Sections are the part of a report that shows it.
func (m *MegaResult) Sections() ([]report.Section, error) {
	s := report.Section{
		Title: fmt.Sprintf("The mega-channel: %d members on %d gateways", m.Members, m.Edges),
		Text: []string{
			fmt.Sprintf("One room, whose %d members were made by one call (%s ms), each with a real socket: %d at each of %d edges, which are real processes in %d regions. The core sends %s frames per publish, "+
				"not %d: one to each edge that takes this log for its region. The floor is %d processes that do nothing but write the same bytes to as many sockets of the same clients, all at once; ours and the floor take turns.",
				m.Members, figure(m.Join), m.SocketsPerEdge, m.Edges, m.Regions, short(m.CoreFrames), m.Members, m.Edges),
			m.verdict(),
			fmt.Sprintf("All of it shares %d CPUs, the clients included. So edges ping their sockets each "+ping+" here, and look after each other each "+lookAfter+". At rest, with nothing published, the %d edges take %s %% of one CPU for gossip, links and watermarks, and the core %s %%; "+
				"that is there while the floor writes, too. Against the floor before there was a fleet, %s ms, ours takes %s times as long.",
				cpus(), m.Edges, figure(m.Idle.Edges), figure(m.Idle.Core), figure(m.FloorAlone.Median), figure(m.RatioAlone)),
			m.extrapolation(),
		},
	}
	names := make([]string, len(m.Last.Values))
	for i := range names {
		names[i] = fmt.Sprint(i + 1)
	}
	p, err := report.Bars("ms to the last receipt", names, []string{"the bare writer", "Selvedge"}, [][]float64{m.Floor.Values, m.Last.Values})
	fig, err := picture(fmt.Sprintf("Until the last of %d has the message", m.Members), fmt.Sprintf("Publish by publish, beside the floor that was written right before: %s and %s ms in the median.", figure(m.Last.Median), figure(m.Floor.Median)), p, err)
	if err != nil {
		return nil, err
	}
	s.Figures = append(s.Figures, fig)
	p, err = m.progressPlot()
	fig, err = picture("Gateways that are done", "Of the publish with the median time: how many gateways had delivered to all of their sockets, over time. All of them share this machine’s CPUs, and are served one after the other: the last one’s time is the CPUs’, not a gateway’s.", p, err)
	if err != nil {
		return nil, err
	}
	s.Figures = append(s.Figures, fig)
	s.Tables = []report.Table{m.table()}
	return []report.Section{s}, nil
}

// verdict says whether the goal is reached.
func (m *MegaResult) verdict() string {
	is := "That is within"
	if !m.Reached {
		is = "That is NOT within"
	}
	return fmt.Sprintf("The last receipt comes after %s ms, the floor's after %s ms: %s times, median of %d pairs. %s %g times.", m.Last, m.Floor, m.Ratio, m.Publishes, is, m.Goal)
}

// extrapolation says what a gateway alone takes, and what follows.
func (m *MegaResult) extrapolation() string {
	is := "within"
	if m.Gateway.Max > gatewayGoal {
		is = "not always within"
		if m.Gateway.Median > gatewayGoal {
			is = "not within"
		}
	}
	return fmt.Sprintf("One gateway by itself, while the other %d have nothing to do: %s ms from the publish to the last of its %d sockets (its floor: %s ms), %s %d ms. "+
		"EXTRAPOLATED, not measured: were each gateway a machine of its own, all %d would be done in about that time, and the network's way in addition (see the simulation geo).",
		m.Edges-1, m.Gateway, m.SocketsPerEdge, m.GatewayFloor, is, gatewayGoal, m.Edges)
}

// progressPlot is how many gateways are done when.
func (m *MegaResult) progressPlot() (*report.Plot, error) {
	p := report.NewPlot("ms", "gateways", 260)
	p.Grid()
	p.X.Min, p.Y.Min = 0, 0
	for i, line := range []struct {
		name string
		done []float64
	}{{"Selvedge", m.Done}, {"the bare writer", m.FloorDone}} {
		points := []report.Point{{X: 0, Y: 0}}
		for k, ms := range line.done {
			points = append(points, report.Point{X: ms, Y: float64(k)}, report.Point{X: ms, Y: float64(k + 1)})
		}
		if err := p.Line(line.name, 1-i, i == 1, points); err != nil {
			return nil, err
		}
	}
	p.Legend.Left = true
	return p, nil
}

func (m *MegaResult) table() report.Table {
	const mib = 1 << 20
	row := func(what, ours, floor string) []string { return []string{what, ours, floor} }
	return report.Table{
		Caption: "The mega-channel in figures: median [least to most]",
		Head:    []string{"what", "Selvedge", "the bare writer"},
		Rows: [][]string{
			row(fmt.Sprintf("last of %d receipts, ms", m.Sockets), m.Last.String(), m.Floor.String()),
			row("the same before there was a fleet, ms", "", m.FloorAlone.String()),
			row("times the floor", m.Ratio.String(), "1"),
			row(fmt.Sprintf("one gateway alone, %d receipts, ms", m.SocketsPerEdge), m.Gateway.String(), m.GatewayFloor.String()),
			row("CPU of edges or floors per delivery, us", figure(m.EdgeCPU), figure(m.FloorCPU)),
			row("CPU of clients per delivery, us", figure(m.ClientCPU), ""),
			row("CPU of the core per publish, us", figure(m.CoreCPU), ""),
			row("frames out of the core per publish", short(m.CoreFrames), ""),
			row("bytes out of the core per publish", figure(m.CoreBytes), ""),
			row("edges that take a log from the core (relays)", fmt.Sprint(m.Relays), ""),
			row("lost, came twice", fmt.Sprintf("%d, %d", m.Lost, m.Doubled), "0, 0"),
			row("core and edges started, s; all welcome after, s", figure(m.Start)+"; "+figure(m.Connect), ""),
			row("an edge with its sockets: resident, anonymous, MiB", figure(float64(m.EdgeResident)/mib)+", "+figure(float64(m.EdgeAnonymous)/mib), ""),
			row("at rest, of all CPUs", figure(m.Idle.Machine)+" %", ""),
		},
	}
}

// picture draws one.
func picture(title, alt string, p *report.Plot, err error) (report.Figure, error) {
	if err != nil {
		return report.Figure{}, fmt.Errorf("%s: %w", title, err)
	}
	svg, err := p.SVG(title + ". " + alt)
	return report.Figure{Title: title, Alt: alt, SVG: svg}, err
}
