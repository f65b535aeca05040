package report

import (
	"fmt"
	"math"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Bars are values by name, a bar for each of several series beside each other.
func Bars(y string, names []string, series []string, values [][]float64) (*Plot, error) {
	p := NewPlot("", y, 300)
	p.Y.Min = 0
	g := plotter.NewGrid()
	g.Vertical.Width = 0
	g.Horizontal.Color, g.Horizontal.Width = faint, thin
	p.Add(g)
	width := min(vg.Length(560)/vg.Length(len(names)*(len(series)+1)), 60)
	var most float64
	for i, name := range series {
		if len(values[i]) != len(names) {
			return nil, fmt.Errorf("%s has %d values for %d names", name, len(values[i]), len(names))
		}
		bars, err := plotter.NewBarChart(plotter.Values(values[i]), width)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		bars.Color, bars.LineStyle.Width = Colours[i%len(Colours)], 0
		bars.Offset = width * (vg.Length(i) - vg.Length(len(series)-1)/2)
		p.Add(bars)
		if len(series) > 1 {
			p.Legend.Add(name, bars)
		}
		for _, v := range values[i] {
			most = max(most, v)
		}
	}
	p.Y.Max = most * 1.15 // for the legend
	p.NominalX(names...)
	p.X.Width, p.X.Padding, p.X.Min, p.X.Max = thin, 0, -0.7, float64(len(names))-0.3
	if len(names) > 6 {
		p.X.Tick.Label.Rotation, p.X.Tick.Label.XAlign, p.X.Tick.Label.YAlign = math.Pi/5, draw.XRight, draw.YTop
	}
	return p, nil
}
