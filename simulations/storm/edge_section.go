package storm

import (
	"fmt"
	"time"

	"selvedge/simulations/report"
)

// edgeSection is the real part.
func edgeSection(s *Edge, kills []*Kill) (report.Section, error) {
	m := medianKill(kills)
	out := report.Section{
		Title: "An edge is killed",
		Text: []string{
			fmt.Sprintf("%d edges of one region, of which one with %d sockets is killed (kill -9) while %g messages per second go to %d rooms, each client in %d of them. "+
				"Its clients, of the Go SDK, know the siblings and resume there with their cursors; %d others are at each sibling before, and stay. Clients, edges and core share this machine’s CPUs.",
				1+s.Siblings, s.Sockets, s.PublishesPerSecond, s.Rooms, min(s.RoomsEach, s.Rooms), s.Residents),
			fmt.Sprintf("Medians of %d runs, each with a cluster of its own. Pictures are of the first.", len(kills)),
			fmt.Sprintf("The core was asked %.0f times; what it may be asked is once per room and edge, or once for 48 clients if that is more (a question takes 64 at most): %d.", m.CoreRequests, m.Bound),
		},
	}
	k := kills[0]
	for _, f := range []func(*Kill) (report.Figure, error){acceptLine, outstanding, socketLine, requestLine, cpuLine, lateLine} {
		fig, err := f(k)
		if err != nil {
			return out, err
		}
		out.Figures = append(out.Figures, fig)
	}
	out.Tables = []report.Table{
		{
			Caption: "Seconds from the kill until clients are back", Head: []string{"run", "50 %", "90 %", "99 %", "all", "accepted/s to 90 %", "in the busiest tenth of a second, /s", "tries each", "core requests", "told to come later", "closed at accept"},
		},
		{Caption: "CPU per client that came back, us, less what as much time took before the kill; and how late messages are at the siblings’ own sockets, ms", Head: []string{"run", "edges", "core", "clients", "before: p50", "p99", "max", "in the storm: p50", "p99", "max"}},
		{Caption: "Every message", Head: []string{"run", "acknowledged", "tries to publish that failed", "to be delivered", "delivered", "lost", "doubled", "out of order", "told to start afresh"}},
	}
	for i, k := range kills {
		run := fmt.Sprint(i + 1)
		add := func(t int, cells ...string) {
			out.Tables[t].Rows = append(out.Tables[t].Rows, append([]string{run}, cells...))
		}
		add(0, num(k.Back.P50), num(k.Back.P90), num(k.Back.P99), num(k.Back.All), fmt.Sprintf("%.0f", k.Rate), fmt.Sprint(k.Busy), num(k.Tries), told(k.CoreRequests), fmt.Sprint(k.Accepts["rate"]), fmt.Sprint(k.Accepts["shed"]))
		add(1, num(k.EdgeCPU), num(k.CoreCPU), num(k.ClientCPU), num(k.Calm.P50), num(k.Calm.P99), num(k.Calm.Max), num(k.Storm.P50), num(k.Storm.P99), num(k.Storm.Max))
		l := k.Ledger
		add(2, fmt.Sprint(l.Acknowledged), fmt.Sprint(k.Failed), fmt.Sprint(l.Expected), fmt.Sprint(l.Delivered), fmt.Sprint(l.Lost), fmt.Sprint(l.Duplicated), fmt.Sprint(l.OutOfOrder), fmt.Sprint(k.Afresh))
	}
	out.Tables[0].Rows = append(out.Tables[0].Rows, []string{"median", num(m.Back50), num(m.Back90), num(m.Back99), num(m.BackAll), fmt.Sprintf("%.0f", m.Rate), fmt.Sprintf("%.0f", m.Peak), num(m.Tries), fmt.Sprintf("%.0f", m.CoreRequests), "", ""})
	out.Tables[1].Rows = append(out.Tables[1].Rows, []string{"median", num(m.EdgeCPU), num(m.CoreCPU), num(m.ClientCPU), num(m.CalmP50), num(m.CalmP99), "", num(m.StormP50), num(m.StormP99), ""})
	return out, nil
}

// killed is a plot over the time since the kill.
func killed(k *Kill, y string, height, most float64) *report.Plot {
	p := report.NewPlot("seconds since the kill", y, height)
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, k.took.Seconds()+1, 0, max(1, most*1.25)
	p.Grid()
	return p
}

// acceptLine is who is welcome and who tries.
func acceptLine(k *Kill) (report.Figure, error) {
	step := max(50*time.Millisecond, (k.took / 100).Round(50*time.Millisecond))
	end := k.took + time.Second
	back, tries := perStep(k.returns, end, step), perStep(k.tries, end, step)
	most := 0.0
	for i := range back {
		most = max(most, float64(back[i])/step.Seconds(), float64(tries[i])/step.Seconds())
	}
	p := killed(k, "per second", 260, most)
	if err := p.Line("welcomed", 0, false, stepped(back, step, most)); err != nil {
		return report.Figure{}, err
	}
	err := p.Line("attempts", 1, true, stepped(tries, step, most))
	return picture("Accepted per second", fmt.Sprintf("Clients that are welcome at a sibling, and attempts to connect, in steps of %v.", step), p, err)
}

// outstanding is who is not back.
func outstanding(k *Kill) (report.Figure, error) {
	p := killed(k, "clients that are not back", 220, float64(k.Movers)/1.25)
	n := float64(k.Movers)
	points := []report.Point{{X: 0, Y: n}}
	for _, c := range cumulative(k.returns, 200)[1:] {
		points = append(points, report.Point{X: c.X, Y: n - c.Y/100*float64(len(k.returns))})
	}
	return picture("Resumes that are outstanding", "Clients of the killed edge that are not welcome anywhere yet.", p, p.Line("", 0, false, points))
}

// socketLine is who has the sockets.
func socketLine(k *Kill) (report.Figure, error) {
	most := 0
	for _, m := range k.Line {
		for _, n := range m.Sockets {
			most = max(most, n)
		}
	}
	p := killed(k, "sockets", 220, float64(most))
	for i := 1; len(k.Line) > 0 && i < len(k.Line[0].Sockets); i++ {
		var points []report.Point
		for _, m := range k.Line {
			points = append(points, report.Point{X: m.At, Y: float64(m.Sockets[i])})
		}
		if err := p.Line(fmt.Sprintf("sibling %d", i), i-1, false, points); err != nil {
			return report.Figure{}, err
		}
	}
	return picture("Sockets of each sibling", fmt.Sprintf("As the siblings' metrics have it, each %v. The killed edge had %d.", killLookTime, k.Movers), p, nil)
}

// requestLine is what the core is asked.
func requestLine(k *Kill) (report.Figure, error) {
	var points []report.Point
	most := 1.0
	for i := 1; i < len(k.Line); i++ {
		a, b := k.Line[i-1], k.Line[i]
		if b.At <= a.At {
			continue
		}
		v := float64(b.Requests-a.Requests) / (b.At - a.At)
		most = max(most, v)
		points = append(points, report.Point{X: a.At, Y: v}, report.Point{X: b.At, Y: v})
	}
	p := killed(k, "questions per second", 200, most)
	return picture("What the core is asked", fmt.Sprintf("Questions of edges per second, of all kinds: %s in all, for %d clients.", told(k.CoreRequests), k.Movers), p, p.Line("", 0, false, points))
}

// cpuLine is who uses the CPUs.
func cpuLine(k *Kill) (report.Figure, error) {
	var lines [3][]report.Point
	most := 0.0
	for _, c := range k.CPU {
		for i, v := range []float64{c.Edges, c.Core, c.Clients} {
			lines[i] = append(lines[i], report.Point{X: c.At, Y: v})
			most = max(most, v)
		}
	}
	p := killed(k, "CPUs", 220, max(most, 1/1.25))
	for i, name := range []string{"siblings", "core", "clients' processes"} {
		if err := p.Line(name, i, false, lines[i]); err != nil {
			return report.Figure{}, err
		}
	}
	return picture("CPU", "What the siblings, the core and the clients' processes use, in CPUs.", p, nil)
}

// lateLine is what those notice who stay.
func lateLine(k *Kill) (report.Figure, error) {
	const step = 200 * time.Millisecond
	worst := map[time.Duration]time.Duration{}
	for _, l := range k.late {
		if at := l.At.Truncate(step); l.At >= -calmTime && l.At < k.took+time.Second {
			worst[at] = max(worst[at], l.Took)
		}
	}
	var points []report.Point
	most := 1.0
	for at := (-calmTime).Truncate(step); at < k.took+time.Second; at += step {
		if w, ok := worst[at]; ok {
			points = append(points, report.Point{X: at.Seconds(), Y: float64(w) / 1e6})
			most = max(most, float64(w)/1e6)
		}
	}
	p := killed(k, "ms (slowest)", 220, most)
	p.X.Min = -calmTime.Seconds()
	return picture("What the others notice", fmt.Sprintf("The slowest delivery of every %v to sockets that were at the siblings before, from the publisher's send: p50 %s ms before and %s in the storm, p99 %s and %s.",
		step, num(k.Calm.P50), num(k.Storm.P50), num(k.Calm.P99), num(k.Storm.P99)), p, p.Line("", 0, false, points))
}
