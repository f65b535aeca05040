package storm

import (
	"fmt"
	"time"

	"selvedge/simulations/report"
	"selvedge/wire"
)

// picture draws one.
func picture(title, alt string, p *report.Plot, err error) (report.Figure, error) {
	if err != nil {
		return report.Figure{}, fmt.Errorf("%s: %w", title, err)
	}
	svg, err := p.SVG(title + ". " + alt)
	return report.Figure{Title: title, Alt: alt, SVG: svg}, err
}

// officeSection is the virtual part.
func officeSection(s *Office, all []*Outcome) (report.Section, error) {
	out := report.Section{
		Title: "An office loses its network, and returns",
		Text: []string{
			fmt.Sprintf("%d clients behind one access of %s are without a network for %v, while %g messages per second are published to %d rooms. Each edge of %d takes %g new sockets per second.",
				s.Clients, speed(s.Access.Megabits), s.Outage, s.PublishesPerSecond, s.Rooms, s.Edges, s.AcceptRate),
			"Nothing tells a client that its network is gone: it finds out when a ping has no answer. Then it tries again, after any moment of a window that doubles up to 15 s.",
			"Code takes no time here. A hello costs an edge some 80 us of CPU (docs/performance.md), which the rate of admission is chosen by.",
		},
	}
	for _, f := range []func(*Office, []*Outcome) (report.Figure, error){comeBack, welcomeLine, triesLine, busyEdges} {
		fig, err := f(s, all)
		if err != nil {
			return out, err
		}
		out.Figures = append(out.Figures, fig)
	}
	worlds := report.Table{Caption: "The worlds, and what clients knew: seconds from the loss until they did, and tries before the network was back", Words: true, Head: []string{"world", "what it has", "half knew", "all", "tries in vain"}}
	t := report.Table{
		Caption: "From the network's return until clients are back, in seconds; and what it took",
		Head:    []string{"world", "50 %", "90 %", "99 %", "all", "accepted/s to 90 %", "in the busiest tenth of a second, /s", "tries each", "most in all", "told to come later", "closed at accept", "longest line", "longest wait for the access, ms", "core requests"},
	}
	kept := report.Table{Caption: "Every message, from before the outage to after the return", Head: []string{"world", "acknowledged", "to be delivered", "delivered", "lost", "doubled", "out of order", "told to start afresh"}}
	for _, o := range all {
		worlds.Rows = append(worlds.Rows, []string{o.Variant.Name, o.Variant.words(), num(o.Noticed.P50), num(o.Noticed.All), fmt.Sprint(o.InVain)})
		t.Rows = append(t.Rows, []string{
			o.Variant.Name, num(o.Back.P50), num(o.Back.P90), num(o.Back.P99), num(o.Back.All), fmt.Sprintf("%.0f", o.Rate), fmt.Sprint(o.Peak), num(o.Tries), fmt.Sprint(o.MostTries),
			fmt.Sprint(o.Accepts["rate"]), fmt.Sprint(o.Accepts["shed"]), fmt.Sprint(o.LongestLine),
			num(max(o.Up.Longest, o.Down.Longest)), told(o.CoreRequests),
		})
		l := o.Ledger
		kept.Rows = append(kept.Rows, []string{o.Variant.Name, fmt.Sprint(l.Acknowledged), fmt.Sprint(l.Expected), fmt.Sprint(l.Delivered), fmt.Sprint(l.Lost), fmt.Sprint(l.Duplicated), fmt.Sprint(l.OutOfOrder), fmt.Sprint(o.Afresh)})
	}
	out.Tables = []report.Table{worlds, t, kept}
	out.Text = append(out.Text, fmt.Sprintf("The core is asked about those who come together: one question for many, %d at most, the longer a storm lasts the more. At less than %d per second and edge, as in a small run, each is a question of its own. Rooms and edges are %d.",
		wire.MaxHellos, slowRate, s.Rooms+s.Edges))
	return out, nil
}

// speed is a rate in words.
func speed(megabits float64) string {
	if megabits == 0 {
		return "any speed"
	}
	return fmt.Sprintf("%g Mbit/s", megabits)
}

// words say what a world has.
func (v Variant) words() string {
	text := "Packets vanish far away: TCP’s own repetitions of what opens a connection spread the return."
	if v.Unreachable {
		text = "The office’s own network is down: a connection fails at once, and the clients’ jitter spreads the return."
	}
	if v.Told {
		text += " But every client is told in one moment that the network is back, as operating systems do: what it waits for ends, and the edges’ admission is left."
	}
	if v.CoreAway > 0 {
		text += fmt.Sprintf(" The core is away for %v longer than the network.", v.CoreAway)
	}
	if v.Megabits > 0 {
		text += fmt.Sprintf(" The access has %s.", speed(v.Megabits))
	}
	return text
}

// cumulative is a line of how many of sorted times were there, in percent.
func cumulative(sorted []time.Duration, points int) (out []report.Point) {
	out = append(out, report.Point{})
	for i := range points {
		at := (i + 1) * len(sorted) / points
		if at == 0 {
			continue
		}
		out = append(out, report.Point{X: sorted[at-1].Seconds(), Y: 100 * float64(at) / float64(len(sorted))})
	}
	return out
}

// comeBack is who is back when.
func comeBack(_ *Office, all []*Outcome) (report.Figure, error) {
	p := report.NewPlot("seconds since the network is back", "clients that are back, %", 280)
	last := 1.0
	for _, o := range all {
		last = max(last, o.Back.All)
	}
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, last*1.02, 0, 100
	p.Grid()
	p.Legend.Top = false
	for i, o := range all {
		if len(o.returns) == 0 {
			continue
		}
		if err := p.Line(o.Variant.Name, i, false, cumulative(o.returns, 200)); err != nil {
			return report.Figure{}, err
		}
	}
	return picture("Who is back when", "The part of clients that are welcome again, with all that they missed on its way.", p, nil)
}

// stepped are counts per step as a line, per second.
func stepped(counts []int, step time.Duration, most float64) (out []report.Point) {
	for i, n := range counts {
		v := min(float64(n)/step.Seconds(), most)
		from := time.Duration(i) * step
		out = append(out, report.Point{X: from.Seconds(), Y: v}, report.Point{X: (from + step).Seconds(), Y: v})
	}
	return out
}

// welcomeLine is how many are taken in.
func welcomeLine(_ *Office, all []*Outcome) (report.Figure, error) {
	const step = 500 * time.Millisecond
	p := report.NewPlot("seconds since the network is back", "clients welcomed, per second", 240)
	last, most := time.Second, 1.0
	for _, o := range all {
		if n := len(o.returns); n > 0 {
			last = max(last, o.returns[n-1]+step)
		}
		for _, n := range perStep(o.returns, last, step) {
			most = max(most, float64(n)/step.Seconds())
		}
	}
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, last.Seconds(), 0, most*1.3
	p.Grid()
	for i, o := range all {
		if err := p.Line(o.Variant.Name, i, false, stepped(perStep(o.returns, last, step), step, most)); err != nil {
			return report.Figure{}, err
		}
	}
	return picture("Accepted per second", "Clients that are welcome again, of all edges, in steps of half a second.", p, nil)
}

// triesLine is how many try to connect.
func triesLine(s *Office, all []*Outcome) (report.Figure, error) {
	const step = 500 * time.Millisecond
	p := report.NewPlot("seconds since the network was lost", "attempts to connect, per second", 280)
	var last time.Duration
	most := 10.0
	for _, o := range all {
		if n := len(o.tries); n > 0 {
			last = max(last, o.tries[n-1]+step)
		}
		for _, n := range perStep(o.tries, last, step) {
			most = max(most, float64(n)/step.Seconds())
		}
	}
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, last.Seconds(), 1, most*3
	p.Log(false, true)
	p.Grid()
	if err := p.Span("no network", 0, s.Outage.Seconds(), most*3); err != nil {
		return report.Figure{}, err
	}
	for i, o := range all {
		line := stepped(perStep(o.tries, last, step), step, most)
		for k := range line {
			line[k].Y = max(line[k].Y, 1)
		}
		if err := p.Line(o.Variant.Name, i, false, line); err != nil {
			return report.Figure{}, err
		}
	}
	return picture("How often clients try", "Attempts of all clients, in steps of half a second, on a logarithmic scale. Jitter spreads them over the window of the backoff; clients that are told that the network is back come in one moment.", p, nil)
}

// busyEdges is who waits at the edges.
func busyEdges(s *Office, all []*Outcome) (report.Figure, error) {
	p := report.NewPlot("seconds since the network was lost", "clients", 240)
	last, most := 1.0, 1.0
	for _, o := range all {
		for _, m := range o.Line {
			last, most = max(last, m.At), max(most, float64(m.Waiting), float64(m.Refused))
		}
	}
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = s.Outage.Seconds()-2, last, 0, most*1.3
	p.Grid()
	for i, o := range all {
		var waiting, refused []report.Point
		for _, m := range o.Line {
			if m.At >= s.Outage.Seconds()-2 {
				waiting = append(waiting, report.Point{X: m.At, Y: float64(m.Waiting)})
				refused = append(refused, report.Point{X: m.At, Y: float64(m.Refused)})
			}
		}
		if err := p.Line(o.Variant.Name, i, false, waiting); err != nil {
			return report.Figure{}, err
		}
		if err := p.Line("", i, true, refused); err != nil {
			return report.Figure{}, err
		}
	}
	return picture("At the edges' doors", "Clients that wait in line at all edges (solid), and how many were refused so far (dashed): told when to come, or closed at accept. Looked at each half second.", p, nil)
}
