package fanout

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"gonum.org/v1/plot"

	"selvedge/internal/config"
	"selvedge/simulations/report"
)

const shows = `How long it takes until the last of N gateways has one message, and what that costs the place that it comes from, when the fan-out is done by Redis
pub/sub, by links from one core, and by relays and edges. Real servers, real connections and real messages, all on this machine: every receipt is counted, and none was lost or came
twice unless it says so. Then the two large cases: one channel with members on a hundred real edges, beside a bare writer of the same bytes, and one room against a channel for each of its members.`

const cannot = `Show a network: everything is loopback, without distance or loss, and where 1 or 10 Gbit/s are full is computed. The gateways share the CPUs with what feeds them, so
the times of large N are those of a machine that does both; CPU of the centre is apart from that. Each tier is measured with one hot channel, and with gateways that keep up.`

const hostNote = `real processes on this machine, in real time. All of them share its CPUs.`

// newReport is all but how it was made.
func newReport(s *Scenario, res *Result, took time.Duration) (*report.Report, error) {
	r := &report.Report{
		Name: "fanout", Title: "One message, N gateways: where a fan-out ends",
		Build: config.ReadBuild(), Machine: report.ThisMachine(), Made: time.Now(),
		Scenario: s.String(), Shows: shows, Cannot: cannot, Sources: "Nothing but this machine.", HostNote: hostNote,
		Host: res, Key: res.keys(),
	}
	for _, section := range []func(*Scenario, *Result) (report.Section, error){judged, lasts, centre, shards, networks, details} {
		if !s.does(partTiers) {
			continue
		}
		part, err := section(s, res)
		if err != nil {
			return nil, err
		}
		if len(part.Text)+len(part.Figures)+len(part.Tables) > 0 {
			r.HostSections = append(r.HostSections, part)
		}
	}
	if err := res.report(r); err != nil {
		return nil, err
	}
	r.HostSections[0].Text = append(r.HostSections[0].Text, fmt.Sprintf("The whole run took %v.", took.Round(time.Second)))
	return r, nil
}

// tiers are those that were measured, in the order of a report.
func (res *Result) tiers() (out []string) {
	for _, t := range allTiers {
		if slices.ContainsFunc(res.Rows, func(r Row) bool { return r.Tier == t }) {
			out = append(out, t)
		}
	}
	return out
}

// modes are those that were measured.
func (res *Result) modes() (out []string) {
	for _, row := range res.Rows {
		if !slices.Contains(out, row.Mode) {
			out = append(out, row.Mode)
		}
	}
	return out
}

// largest is a tier's single row of the most gateways; nil = none.
func (res *Result) largest(tier string) *Row {
	rows := res.of(tier, "single")
	if len(rows) == 0 {
		return nil
	}
	return &rows[len(rows)-1]
}

// keys are the figures to begin with.
func (res *Result) keys() (out []report.Key) {
	for _, t := range []string{tierRedis, tierDirect, tierRelays, tierSockets} {
		if row := res.largest(t); row != nil {
			out = append(out, report.Key{
				Value: num(row.Last.P50), Unit: fmt.Sprintf("ms, p99 %s", num(row.Last.P99)),
				Text: fmt.Sprintf("until the last of %d gateways has a message: %s; %s ms of the centre’s CPU", row.N, label(t), num(row.CentreCPU/1000)),
			})
		}
	}
	return out
}

func num(v float64) string {
	switch {
	case v >= 99.95:
		return fmt.Sprintf("%.0f", v)
	case v >= 9.995:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// judged is the answer.
func judged(_ *Scenario, res *Result) (report.Section, error) {
	s := report.Section{
		Title: "The hypothesis: 100 to 500 gateways easily, saturation at about 2,000",
		Text: append([]string{
			fmt.Sprintf("A tier is called saturated at the first number of gateways at which the last receipt of a publish takes more than %d ms for more than 1 in 100 publishes, on this machine.", kneeMillis),
		}, res.verdict()...),
	}
	for _, u := range slices.Concat(res.Unavailable, res.Failed) {
		s.Text = append(s.Text, "Not measured: "+u+".")
	}
	t := report.Table{Caption: fmt.Sprintf("The first number of gateways whose p99 of the last receipt passes %d ms", kneeMillis), Head: append([]string{"tier"}, res.modes()...)}
	for _, tier := range res.tiers() {
		row := []string{label(tier)}
		for _, m := range res.modes() {
			if n := res.knee(tier, m); n > 0 {
				row = append(row, fmt.Sprint(n))
			} else {
				row = append(row, "none")
			}
		}
		t.Rows = append(t.Rows, row)
	}
	s.Tables = []report.Table{t}
	return s, nil
}

// picture draws one.
func picture(title, alt string, p *report.Plot) (report.Figure, error) {
	svg, err := p.SVG(title + ". " + alt)
	return report.Figure{Title: title, Alt: alt, SVG: svg}, err
}

// overN draws a figure of each tier over the number of gateways; nil = there are
// none, or it is zero everywhere, which no logarithmic axis has.
func (res *Result) overN(y, mode string, of func(*Row) float64) (*report.Plot, error) {
	if len(res.tiers()) == 0 {
		return nil, nil
	}
	p := report.NewPlot("gateways", y, 330)
	p.Log(true, true)
	var at plot.ConstantTicks
	for _, row := range res.of(res.tiers()[0], mode) {
		at = append(at, plot.Tick{Value: float64(row.N), Label: fmt.Sprint(row.N)})
	}
	p.X.Tick.Marker = at
	p.Grid()
	p.Legend.Left = true
	some := false
	for i, t := range res.tiers() {
		var line []report.Point
		for _, row := range res.of(t, mode) {
			if v := of(&row); v > 0 {
				line = append(line, report.Point{X: float64(row.N), Y: v})
			}
		}
		some = some || len(line) > 0
		if err := errors.Join(p.Line("", i, false, line), p.Points(label(t), i, line)); err != nil {
			return nil, err
		}
	}
	if !some {
		return nil, nil
	}
	// Also a picture of one number has a width, and the legend a place above the lines.
	p.X.Min, p.X.Max, p.Y.Min = p.X.Min*0.9, p.X.Max*1.1, p.Y.Min*0.8
	p.Y.Max *= 1.2 * math.Pow(p.Y.Max/p.Y.Min, 0.4)
	return p, nil
}

// lasts is how long it takes until all have it.
func lasts(s *Scenario, res *Result) (report.Section, error) {
	out := report.Section{
		Title: "Until the last gateway has it",
		Text: []string{
			fmt.Sprintf("Payloads of %d bytes. Single publishes come one at a time, the next when all have the last; at a rate they come when they are due, whether the last one is through or not, and "+
				"the time counts from when they were due. The gateways are in %d processes; an edge of the tier of relays is there as its links, %d in a process at the most.",
				s.PayloadBytes, s.Processes, (s.most()+s.Processes-1)/s.Processes),
			fmt.Sprintf("“Links to relays”: %d regions with %d real edges each; the core feeds one edge of each region, and that one feeds the gateways, as the edges of its region would be. “Sockets at edges”: the gateways are WebSockets, evenly at these %d edges.",
				len(s.Regions), s.EdgesPerRegion, len(s.Regions)*s.EdgesPerRegion),
		},
	}
	for _, m := range res.modes() {
		p, err := res.overN("ms, p99", m, func(r *Row) float64 { return r.Last.P99 })
		if err != nil {
			return out, err
		}
		if p == nil {
			continue
		}
		if p.Y.Max > kneeMillis {
			if err := p.Level(fmt.Sprintf("%d ms", kneeMillis), kneeMillis); err != nil {
				return out, err
			}
		}
		what := "publishes at " + m
		if m == "single" {
			what = "single publishes"
		}
		f, err := picture("The last receipt, "+what, "p99 over publishes of the time from a publish to the last gateway’s receipt, by the number of gateways. Both axes are logarithmic.", p)
		if err != nil {
			return out, err
		}
		out.Figures = append(out.Figures, f)
	}
	t := report.Table{
		Caption: "The last receipt of each publish, in ms; p99 of few publishes is the worst of them",
		Head:    []string{"tier", "gateways", "mode", "publishes", "p50", "p95", "p99", "worst", "receipts lost", "late", "twice", "links made anew", "links at the core instead of a relay"},
	}
	for _, row := range res.Rows {
		n := fmt.Sprint(row.Publishes)
		if row.CutShort {
			n += ", a burst"
		}
		t.Rows = append(t.Rows, []string{
			label(row.Tier), fmt.Sprint(row.N), row.Mode, n, num(row.Last.P50), num(row.Last.P95), num(row.Last.P99), num(row.Last.Max),
			fmt.Sprint(row.Lost), fmt.Sprint(row.Late), fmt.Sprint(row.Doubled), fmt.Sprint(row.Relinked), fmt.Sprint(row.Astray),
		})
	}
	out.Tables = []report.Table{t}
	if slices.ContainsFunc(res.Rows, func(r Row) bool { return r.CutShort }) {
		out.Text = append(out.Text, fmt.Sprintf("“A burst”: at this rate the machine can't keep up, or not for long; so no more were published than single ones would take %g s for.", s.MaxWork))
	}
	if slices.ContainsFunc(res.Rows, func(r Row) bool { return r.Late > 0 }) {
		out.Text = append(out.Text, "“Late”: they came after nothing had come at their process for as long as the patience; they are among the receipts, and their times among the times.")
	}
	if slices.ContainsFunc(res.Rows, func(r Row) bool { return r.Astray > 0 }) {
		out.Text = append(out.Text, "“Links at the core instead of a relay”: the most of them when a publish was through. A link that breaks is made anew at the other of the two, and tries its relay again before the next mode; what the core does in such a row is not what relays leave to it.")
	}
	return out, nil
}
