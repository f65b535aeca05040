package report

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Place is a point of a map, with a value that is its colour.
type Place struct {
	Name     string
	Lat, Lon float64
	Value    float64
	Home     bool // where all ways begin: a ring, and no colour
}

// Map shows places on the globe, in equal steps of latitude and longitude, with the
// great circles from home. unit is of the values.
func Map(places []Place, unit string) (*Plot, error) {
	p := NewPlot("", "", 400)
	p.halo = true
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = -180, 180, south, north
	p.X.Tick.Marker = Every{30, degrees("E", "W")}
	p.Y.Tick.Marker = Every{30, degrees("N", "S")}
	p.X.Width, p.Y.Width = 0, 0
	p.X.Tick.Length, p.Y.Tick.Length, p.X.Padding, p.Y.Padding = 0, 0, 3, 3
	p.Add(continents{})
	p.Grid()
	m := &atlasMap{unit: unit}
	for _, place := range places {
		if math.Abs(place.Lat) > 90 || math.Abs(place.Lon) > 180 || math.IsNaN(place.Value) {
			return nil, fmt.Errorf("%s is nowhere: %+v", place.Name, place)
		}
		m.places = append(m.places, place)
		m.most = max(m.most, place.Value)
	}
	p.Add(m)
	return p, nil
}

func degrees(positive, negative string) func(float64) string {
	return func(v float64) string {
		switch {
		case v > 0:
			return fmt.Sprintf("%.0f° %s", v, positive)
		case v < 0:
			return fmt.Sprintf("%.0f° %s", -v, negative)
		}
		return "0°"
	}
}

// atlasMap draws the places of a Map.
type atlasMap struct {
	places []Place
	most   float64
	unit   string
}

// The part of the globe that is shown, in degrees.
const south, north = -50.0, 84.0

// short is a number with a digit behind the point where it is small.
func short(v float64) string {
	if v < 9.95 {
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

const dotRadius = vg.Length(5)

// casing lies below a way.
var casing = color.NRGBA{160, 170, 182, 150}

// Plot is plot.Plotter's.
func (m *atlasMap) Plot(canvas draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&canvas)
	spot := func(lat, lon float64) vg.Point { return vg.Point{X: x(lon), Y: y(lat)} }
	for _, home := range m.places {
		if !home.Home {
			continue
		}
		for _, to := range m.places {
			m.arc(&canvas, spot, home, to)
		}
	}
	var taken []vg.Rectangle
	for _, place := range m.places {
		at := spot(place.Lat, place.Lon)
		taken = append(taken, box(at.X-dotRadius, at.Y-dotRadius, 2*dotRadius, 2*dotRadius))
		if place.Home {
			canvas.SetColor(ink)
			canvas.SetLineWidth(2)
			canvas.Stroke(circle(at, dotRadius))
			continue
		}
		canvas.SetColor(shade(place.Value / m.most))
		canvas.Fill(circle(at, dotRadius))
		canvas.SetColor(ink)
		canvas.SetLineWidth(thin)
		canvas.Stroke(circle(at, dotRadius))
	}
	style := draw.TextStyle{Color: ink, Font: sans(fontSize), Handler: plot.DefaultTextHandler}
	for _, place := range m.places {
		text := fmt.Sprintf("%s %s %s", place.Name, short(place.Value), m.unit)
		at := label(spot(place.Lat, place.Lon), style.Width(text), canvas.Rectangle, &taken)
		canvas.FillText(style, at, text)
	}
}

// arc draws the great circle between two places, in the colour of the second.
func (m *atlasMap) arc(canvas *draw.Canvas, spot func(lat, lon float64) vg.Point, from, to Place) {
	const steps = 256
	a, b := vector(from), vector(to)
	angle := math.Acos(min(1, max(-1, a[0]*b[0]+a[1]*b[1]+a[2]*b[2])))
	if angle < 1e-6 {
		return
	}
	var path vg.Path
	var before float64
	for i := range steps + 1 {
		part := float64(i) / steps
		u, v := math.Sin((1-part)*angle)/math.Sin(angle), math.Sin(part*angle)/math.Sin(angle)
		lat := math.Asin(u*a[2]+v*b[2]) * 180 / math.Pi
		lon := math.Atan2(u*a[1]+v*b[1], u*a[0]+v*b[0]) * 180 / math.Pi
		switch {
		case lat > north: // near the pole the way leaves the picture
			before = math.Inf(1)
			continue
		case i == 0 || math.Abs(lon-before) > 180: // over the date line
			path.Move(spot(lat, lon))
		default:
			path.Line(spot(lat, lon))
		}
		before = lon
	}
	canvas.SetColor(casing) // what is dark is seen on dark ground, too
	canvas.SetLineWidth(2.6)
	canvas.Stroke(path)
	canvas.SetColor(shade(to.Value / m.most))
	canvas.SetLineWidth(1.3)
	canvas.Stroke(path)
}

func vector(p Place) [3]float64 {
	lat, lon := p.Lat*math.Pi/180, p.Lon*math.Pi/180
	return [3]float64{math.Cos(lat) * math.Cos(lon), math.Cos(lat) * math.Sin(lon), math.Sin(lat)}
}

func circle(at vg.Point, r vg.Length) vg.Path {
	var path vg.Path
	path.Move(vg.Point{X: at.X + r, Y: at.Y})
	path.Arc(at, r, 0, 2*math.Pi)
	path.Close()
	return path
}

func box(x, y, w, h vg.Length) vg.Rectangle {
	return vg.Rectangle{Min: vg.Point{X: x, Y: y}, Max: vg.Point{X: x + w, Y: y + h}}
}

// label finds a place for a text beside a dot, where it covers nothing that was put
// there before: right, left, below, above, and in the corners; else right.
func label(dot vg.Point, width vg.Length, within vg.Rectangle, taken *[]vg.Rectangle) vg.Point {
	const height, away = vg.Length(fontSize), dotRadius + 3
	middle, low := dot.Y-height/2+1, dot.Y-away-height
	candidates := []vg.Point{
		{X: dot.X + away, Y: middle},
		{X: dot.X - away - width, Y: middle},
		{X: dot.X - width/2, Y: low},
		{X: dot.X - width/2, Y: dot.Y + away},
		{X: dot.X + away/2, Y: low},
		{X: dot.X + away/2, Y: dot.Y + away},
		{X: dot.X - away/2 - width, Y: low},
		{X: dot.X - away/2 - width, Y: dot.Y + away},
	}
	free := func(r vg.Rectangle) bool {
		for _, t := range *taken {
			if r.Min.X < t.Max.X && t.Min.X < r.Max.X && r.Min.Y < t.Max.Y && t.Min.Y < r.Max.Y {
				return false
			}
		}
		return r.Min.X >= within.Min.X && r.Max.X <= within.Max.X && r.Min.Y >= within.Min.Y && r.Max.Y <= within.Max.Y
	}
	for _, at := range candidates {
		if r := box(at.X, at.Y, width, height); free(r) {
			*taken = append(*taken, r)
			return at
		}
	}
	*taken = append(*taken, box(candidates[0].X, candidates[0].Y, width, height))
	return candidates[0]
}
