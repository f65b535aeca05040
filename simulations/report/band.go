package report

import (
	"fmt"
	"image/color"
	"slices"

	"gonum.org/v1/plot/plotter"
)

// Band shades what lies between two lines, in one of Colours, below what is added
// later.
func (p *Plot) Band(colour int, low, high []Point) error {
	if len(low) == 0 || len(high) == 0 {
		return nil
	}
	back := slices.Clone(high)
	slices.Reverse(back)
	area, err := plotter.NewPolygon(xys(slices.Concat(low, back)))
	if err != nil {
		return fmt.Errorf("a band: %w", err)
	}
	r, g, b, _ := Colours[colour%len(Colours)].RGBA()
	area.Color, area.Width = color.NRGBA{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8), 50}, 0
	p.Add(area)
	return nil
}
