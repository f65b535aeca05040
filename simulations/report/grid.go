package report

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Cell is one of a Grid: its colour by kind, and stronger the more there is of it.
type Cell struct {
	Kind int     // one of Colours
	Part float64 // 0 to 1: how strong
	Text []string
}

// Grid is a table of colours with words: a row of cells for each of rows, from the top,
// a cell for each of columns.
func Grid(x, y string, columns, rows []string, cells [][]Cell) (*Plot, error) {
	if len(rows) == 0 || len(columns) == 0 || len(cells) != len(rows) {
		return nil, fmt.Errorf("a grid of %d rows has %d names", len(cells), len(rows))
	}
	for i, row := range cells {
		if len(row) != len(columns) {
			return nil, fmt.Errorf("row %s has %d cells for %d columns", rows[i], len(row), len(columns))
		}
	}
	p := NewPlot(x, y, 90+46*float64(len(rows)))
	p.Add(&grid{cells})
	for i, row := range cells {
		for j, c := range row {
			if err := p.cellText(float64(j), float64(len(rows)-1-i), c); err != nil {
				return nil, err
			}
		}
	}
	ticks := func(axis *plot.Axis, names []string, last int) {
		var out []plot.Tick
		for i, name := range names {
			out = append(out, plot.Tick{Value: math.Abs(float64(last - i)), Label: name})
		}
		axis.Tick.Marker = plot.ConstantTicks(out)
		axis.Width, axis.Tick.Width, axis.Tick.Length, axis.Padding = 0, 0, 0, 4
		axis.Min, axis.Max = -0.5, float64(len(names))-0.5
	}
	ticks(&p.X, columns, 0)
	ticks(&p.Y, rows, len(rows)-1)
	return p, nil
}

// cellText puts the lines of a cell below each other.
func (p *Plot) cellText(x, y float64, c Cell) error {
	var at []Point
	for i := range c.Text {
		at = append(at, Point{x, y + 0.26*(float64(len(c.Text)-1)/2-float64(i))})
	}
	return p.Text(at, c.Text, func(_ int, s *draw.TextStyle) {
		s.Color, s.XAlign, s.YAlign = on(c.shade()), draw.XCenter, draw.YCenter
	})
}

// shade mixes the colour with white: what is not there is nearly white.
func (c Cell) shade() color.NRGBA {
	r, g, b, _ := Colours[c.Kind%len(Colours)].RGBA()
	strong := 0.15 + 0.85*min(max(c.Part, 0), 1)
	mix := func(v uint32) uint8 { return uint8(255 - strong*(255-float64(v>>8))) }
	return color.NRGBA{mix(r), mix(g), mix(b), 0xff}
}

// grid draws the cells.
type grid struct{ cells [][]Cell }

// Plot is plot.Plotter's.
func (g *grid) Plot(canvas draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&canvas)
	for i, row := range g.cells {
		top := float64(len(g.cells)-1-i) + 0.5
		for j, c := range row {
			left := float64(j) - 0.5
			right := x(left) + gap(x, left)
			canvas.FillPolygon(c.shade(), []vg.Point{{X: x(left), Y: y(top - 1)}, {X: right, Y: y(top - 1)}, {X: right, Y: y(top) - 1}, {X: x(left), Y: y(top) - 1}})
		}
	}
}
