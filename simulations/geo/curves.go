package geo

import (
	"slices"
	"time"

	"gonum.org/v1/plot"

	"selvedge/simulations/report"
)

// curve is a distribution in a picture.
type curve struct {
	name   string
	colour int
	dashed bool
	sorted []time.Duration
}

// cumulative draws distributions over a logarithmic axis, that begins at a part of
// their least time.
func cumulative(p *report.Plot, from float64, curves []curve) error {
	low, high := 1e9, 1.0
	for _, c := range curves {
		if len(c.sorted) > 0 {
			low, high = min(low, max(0.5, ms(at(c.sorted, 0.001)))), max(high, ms(at(c.sorted, 0.9995)))
		}
	}
	low = min(low, high) // of no times at all, an empty picture
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = low*from, high*1.1, 0, 1
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, report.Decades{}
	p.Y.Tick.Marker = report.Every{Step: 0.25, Label: func(v float64) string {
		return map[float64]string{0: "0", 0.25: "25 %", 0.5: "50 %", 0.75: "75 %", 1: "100 %"}[v]
	}}
	p.Legend.Left = true
	p.Grid()
	for _, c := range curves {
		if len(c.sorted) == 0 {
			continue
		}
		const steps = 400
		var points []report.Point
		for i := range steps + 1 {
			part := float64(i) / steps
			if v := ms(at(c.sorted, part)); v >= p.X.Min && v <= p.X.Max {
				points = append(points, report.Point{X: v, Y: part})
			}
		}
		if err := p.Line(c.name, c.colour, c.dashed, points); err != nil {
			return err
		}
	}
	return nil
}

// together are the times of all regions, sorted.
func (o *Outcome) together(times [][]time.Duration) []time.Duration {
	all := slices.Concat(times...)
	slices.Sort(all)
	return all
}

// distribution is that of some regions: the core's, one halfway, the farthest.
func distribution(o *Outcome, a *atlas, farthest int) (*report.Plot, error) {
	halfway, wanted := 0, o.Regions[farthest].CoreToEdge.P50/2
	for i, r := range o.Regions {
		if off(r.CoreToEdge.P50, wanted) < off(o.Regions[halfway].CoreToEdge.P50, wanted) {
			halfway = i
		}
	}
	p := report.NewPlot("ms from the core", "part of messages", 300)
	var curves []curve
	shown := []int{a.core, halfway, farthest}
	for i, at := range slices.Compact(shown) {
		curves = append(curves,
			curve{a.names[at] + ", edge", i, true, o.edgeAt[at]},
			curve{a.names[at] + ", clients", i, false, o.coreTo[at]})
	}
	return p, cumulative(p, 0.2, curves)
}

func off(a, b float64) float64 { return max(a-b, b-a) }
