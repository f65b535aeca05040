package geo

import (
	"fmt"
	"math"
	"slices"
	"time"

	"selvedge/simulations/report"
)

// working is a working day.
func working(a *atlas, all results) (report.Section, error) {
	o := all[workday]
	d := &o.plan.scenario.Day
	per := d.minutes()
	s := report.Section{
		Title: "A working day",
		Text: []string{
			fmt.Sprintf("Each region publishes as its own working day goes: little at night, most at 11:00 and 14:00 by the sun, and %.3g times as much right at the full hour, which fades in two minutes. "+
				"The day's clock goes %.3g times as fast as the network's, so %g hours of it are %s; per %s of the day %d messages were published at most, and %d on the mean.",
				1+d.Spike, d.Lapse, d.For.Hours(), clock(o.plan.last), minutes(per), o.busiest(per), o.mean(per)),
			o.plan.probing(),
			"Latencies stay as they are all day: nothing here depends on how much there is to do, since code takes no time and links have no bandwidth. What a busy hour costs is machines' time, which is measured elsewhere (selvedge bench).",
		},
	}
	sent := report.NewPlot("hour of the day, UTC", "publishes per "+minutes(per), 260)
	took := report.NewPlot("hour of the day, UTC", "core to client, ms", 240)
	var counts, p50, p99 []report.Point
	var most float64 // of p99
	for _, part := range o.line(-1, time.Duration(float64(per)/d.Lapse)) {
		x := d.hour(part.at)
		counts = append(counts, report.Point{X: x, Y: float64(part.count)})
		if part.took.N == 0 {
			continue
		}
		most = max(most, part.took.P99)
		p50, p99 = append(p50, report.Point{X: x, Y: part.took.P50}), append(p99, report.Point{X: x, Y: part.took.P99})
	}
	for _, p := range []*report.Plot{sent, took} {
		p.X.Min, p.X.Max, p.Y.Min = d.From, d.From+d.For.Hours(), 0
		p.X.Tick.Marker = report.Every{Step: hours(d.For), Label: func(v float64) string {
			return fmt.Sprintf("%02.0f:%02.0f", math.Floor(math.Mod(v, 24)), 60*(v-math.Floor(v)))
		}}
	}
	sent.Y.Max, took.Y.Max = float64(o.busiest(per))*1.2, most*1.25
	sent.Grid()
	took.Grid()
	if err := sent.Line("all regions", 0, false, counts); err != nil {
		return s, err
	}
	for i, r := range o.loudest(a) {
		var line []report.Point
		for _, part := range o.counts(r, time.Duration(float64(per)/d.Lapse)) {
			line = append(line, report.Point{X: d.hour(part.at), Y: float64(part.count)})
		}
		if err := sent.Line(a.names[r], i+1, true, line); err != nil {
			return s, err
		}
	}
	if err := took.Line("p50", 0, false, p50); err != nil {
		return s, err
	}
	if err := took.Line("p99", 1, false, p99); err != nil {
		return s, err
	}
	fig, err := picture("What is published", "All regions together, with the full hours' spikes, and three regions apart: the sun takes the peaks around the globe.", sent, nil)
	if err != nil {
		return s, err
	}
	s.Figures = append(s.Figures, fig)
	fig, err = picture("How long it takes", "To all clients, from the core: the same at any hour.", took, nil)
	s.Figures = append(s.Figures, fig)
	return s, err
}

// probing says what gossip does in this world.
func (p *plan) probing() string {
	if p.probe == 0 {
		return "Gossip is as in all worlds."
	}
	return fmt.Sprintf("In this world alone, nodes probe each other every %s (--gossip-probe-interval) instead of twice a second: nobody dies here, and probes are half of what a silent world sends.", clock(p.probe))
}

// minutes is how much of the day is one point of its line.
func (d *Day) minutes() time.Duration {
	if d.For > 6*time.Hour {
		return 10 * time.Minute
	}
	return 2 * time.Minute
}

func minutes(d time.Duration) string { return fmt.Sprintf("%g minutes", d.Minutes()) }

// hours is the step of the axis.
func hours(d time.Duration) float64 {
	if d > 6*time.Hour {
		return 3
	}
	return 0.5
}

func (o *Outcome) busiest(per time.Duration) (most int) {
	for _, part := range o.line(-1, time.Duration(float64(per)/o.plan.scenario.Day.Lapse)) {
		most = max(most, part.count)
	}
	return most
}

func (o *Outcome) mean(per time.Duration) int {
	return int(float64(o.Published) * per.Hours() / o.plan.scenario.Day.For.Hours())
}

// loudest are three regions around the globe: the westernmost, the one nearest to
// Greenwich, the easternmost.
func (o *Outcome) loudest(a *atlas) []int {
	west, middle, east := 0, 0, 0
	for i, r := range a.regions {
		if r.Lon < a.regions[west].Lon {
			west = i
		}
		if math.Abs(r.Lon) < math.Abs(a.regions[middle].Lon) {
			middle = i
		}
		if r.Lon > a.regions[east].Lon {
			east = i
		}
	}
	three := []int{west, middle, east}
	slices.Sort(three)
	return slices.Compact(three)
}

// counts is how many messages a region published, in steps.
func (o *Outcome) counts(region int, step time.Duration) (out []spent) {
	sent := make([]int, int(o.plan.last/step)+1) // the last is the rest
	for _, m := range o.messages {
		if int(m.region) == region {
			sent[min(int((m.sent-o.begin)/step), len(sent)-1)]++
		}
	}
	for i, n := range sent[:len(sent)-1] {
		out = append(out, spent{at: time.Duration(i)*step + step/2, count: n})
	}
	return out
}
