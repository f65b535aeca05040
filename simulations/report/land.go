package report

import (
	_ "embed"
	"image/color"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// land has a coast a line: longitude, latitude, in tenths of a degree. One that crosses
// the date line goes on beyond it; a sea within land runs the other way round.
// data/README.md says where it is from.
//
//go:embed data/land.txt
var land string

// earth is the colour of land: on dark and on light ground.
var earth = color.NRGBA{128, 138, 150, 70}

// continents draws the land of the earth on a map's axes.
type continents struct{}

// Plot is plot.Plotter's.
func (continents) Plot(canvas draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&canvas)
	var path vg.Path
	for _, coast := range coasts() {
		var points []vg.Point
		for _, at := range coast {
			points = append(points, vg.Point{X: x(at.X), Y: y(at.Y)})
		}
		points = canvas.ClipPolygonXY(points)
		for i, at := range points {
			if i == 0 {
				path.Move(at)
			} else {
				path.Line(at)
			}
		}
		if len(points) > 0 {
			path.Close()
		}
	}
	canvas.SetColor(earth)
	canvas.Fill(path)
}

// coasts are the rings of land, in degrees: X is the longitude. What goes on beyond the
// date line is there once more on its other side. A test has it that all of it can be
// read.
func coasts() (rings [][]Point) {
	for line := range strings.Lines(land) {
		var ring []Point
		words := strings.Fields(line)
		for i := 1; i < len(words); i += 2 {
			lon, err1 := strconv.Atoi(words[i-1])
			lat, err2 := strconv.Atoi(words[i])
			if err1 == nil && err2 == nil {
				ring = append(ring, Point{float64(lon) / 10, float64(lat) / 10})
			}
		}
		rings = append(rings, ring)
		west, east := extent(ring)
		if east > 180 {
			rings = append(rings, shifted(ring, -360))
		}
		if west < -180 {
			rings = append(rings, shifted(ring, 360))
		}
	}
	return rings
}

// extent is how far west and east a ring goes.
func extent(ring []Point) (west, east float64) {
	for _, at := range ring {
		west, east = min(west, at.X), max(east, at.X)
	}
	return west, east
}

// shifted is a ring so many degrees to the east.
func shifted(ring []Point, degrees float64) []Point {
	out := make([]Point, len(ring))
	for i, at := range ring {
		out[i] = Point{at.X + degrees, at.Y}
	}
	return out
}
