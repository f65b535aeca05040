package report

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Heat is a matrix as colours with its numbers: a row of values for each name, from
// the top, a column for each name. What is not known is NaN, a dash without a colour.
func Heat(x, y string, names []string, values [][]float64) (*Plot, error) {
	n := len(names)
	if n == 0 || len(values) != n {
		return nil, fmt.Errorf("a matrix of %d rows has %d names", len(values), n)
	}
	p := NewPlot(x, y, 500)
	var most float64
	for _, row := range values {
		for _, v := range row {
			if !math.IsNaN(v) {
				most = max(most, v)
			}
		}
	}
	p.Add(&cells{values, most})
	var at []Point
	var texts []string
	var colours []color.Color
	for i, row := range values {
		for j, v := range row {
			at = append(at, Point{float64(j), float64(n - 1 - i)})
			if math.IsNaN(v) {
				texts, colours = append(texts, "–"), append(colours, ink)
				continue
			}
			texts = append(texts, fmt.Sprintf("%.0f", v))
			colours = append(colours, on(shade(v/most)))
		}
	}
	size := vg.Length(fontSize)
	if n > 16 {
		size = fontSize * 16 / vg.Length(n)
	}
	err := p.Text(at, texts, func(i int, s *draw.TextStyle) {
		s.Color, s.XAlign, s.YAlign, s.Font.Size = colours[i], draw.XCenter, draw.YCenter, size
	})
	if err != nil {
		return nil, err
	}
	below, beside := make([]plot.Tick, n), make([]plot.Tick, n)
	for i, name := range names {
		below[i] = plot.Tick{Value: float64(i), Label: name}
		beside[n-1-i] = plot.Tick{Value: float64(n - 1 - i), Label: name}
	}
	p.X.Tick.Marker, p.Y.Tick.Marker = plot.ConstantTicks(below), plot.ConstantTicks(beside)
	p.X.Tick.Label.Rotation, p.X.Tick.Label.XAlign, p.X.Tick.Label.YAlign = math.Pi/5, draw.XRight, draw.YTop
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Width, axis.Tick.Width, axis.Tick.Length, axis.Padding = 0, 0, 0, 4
		axis.Min, axis.Max = -0.5, float64(n)-0.5
	}
	return p, nil
}

// cells are the colours of a Heat. The library's own heat map leaves seams between
// its cells.
type cells struct {
	values [][]float64
	most   float64
}

// Plot is plot.Plotter's.
func (c *cells) Plot(canvas draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&canvas)
	for i, row := range c.values {
		top := float64(len(c.values)-1-i) + 0.5
		for j, v := range row {
			if math.IsNaN(v) {
				continue
			}
			left := float64(j) - 0.5
			canvas.FillPolygon(shade(v/c.most), []vg.Point{
				{X: x(left), Y: y(top - 1)},
				{X: x(left) + gap(x, left), Y: y(top - 1)},
				{X: x(left) + gap(x, left), Y: y(top) - 1},
				{X: x(left), Y: y(top) - 1},
			})
		}
	}
}

// gap is the width of a cell, less the line between two.
func gap(x func(float64) vg.Length, left float64) vg.Length { return x(left+1) - x(left) - 1 }
