package report

import (
	"fmt"
	"html"
	"html/template"
	"image/color"
	"math"
	"regexp"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Plot is a picture in the making, in the style of the page: without background, ink
// in the colour of the page's text, whether that is dark or light.
type Plot struct {
	*plot.Plot
	width, height vg.Length
	halo          bool // texts stand on paper of their own, over lines
}

const (
	fontSize  = 9
	thin      = vg.Length(0.6)
	lineWidth = vg.Length(1.8)
	dotSize   = vg.Length(3)
	// full is the width of a picture: the page scales it.
	full = vg.Length(720)
)

// ink is what vgsvg leaves out of its styles, so that the page's own colour holds; for
// strokes SVG takes its place.
var ink = color.Black

// faint is for grids: on dark and on light ground.
var faint = color.NRGBA{128, 138, 150, 90}

// Colours tell lines apart, on dark and on light ground.
var Colours = []color.Color{
	color.NRGBA{0x2f, 0x81, 0xd6, 0xff},
	color.NRGBA{0xe0, 0x7b, 0x39, 0xff},
	color.NRGBA{0x2a, 0x9d, 0x78, 0xff},
	color.NRGBA{0xc8, 0x55, 0x95, 0xff},
	color.NRGBA{0x8b, 0x72, 0xd4, 0xff},
	color.NRGBA{0xb0, 0x96, 0x1e, 0xff},
}

// NewPlot is an empty picture with titles at its axes ("" = none), height in points,
// where 720 is its width.
func NewPlot(x, y string, height float64) *Plot {
	p := plot.New()
	p.BackgroundColor = nil
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Color, axis.Width = ink, thin
		axis.Tick.Color, axis.Tick.Width = ink, thin
		axis.Label.TextStyle.Font, axis.Tick.Label.Font = sans(fontSize), sans(fontSize)
		axis.Label.Padding, axis.Tick.Marker = 4, plain{}
	}
	p.X.Label.Text, p.Y.Label.Text = x, y
	p.Legend.TextStyle.Font = sans(fontSize)
	p.Legend.Top, p.Legend.Padding, p.Legend.YOffs = true, 3, -2
	return &Plot{Plot: p, width: full, height: vg.Length(height)}
}

func sans(size vg.Length) font.Font {
	return font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
}

// Grid draws lines behind all that is added later.
func (p *Plot) Grid() {
	g := plotter.NewGrid()
	g.Horizontal.Color, g.Vertical.Color = faint, faint
	g.Horizontal.Width, g.Vertical.Width = thin, thin
	p.Add(g)
}

// Point is one of a line.
type Point struct{ X, Y float64 }

// Line adds one, with a name in the legend ("" = none), in one of Colours; dashed
// ones are thinner. One without points is left out.
func (p *Plot) Line(name string, colour int, dashed bool, points []Point) error {
	if len(points) == 0 {
		return nil
	}
	l, err := plotter.NewLine(xys(points))
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	l.Color, l.Width = Colours[colour%len(Colours)], lineWidth
	if dashed {
		l.Width, l.Dashes = lineWidth*2/3, []vg.Length{4, 3}
	}
	p.Add(l)
	if name != "" {
		p.Legend.Add(name, l)
	}
	return nil
}

// shapes tell series apart, whatever one sees of Colours.
var shapes = []draw.GlyphDrawer{draw.CircleGlyph{}, draw.SquareGlyph{}, draw.TriangleGlyph{}, draw.RingGlyph{}, draw.PyramidGlyph{}, draw.CrossGlyph{}}

// Points adds dots, in one of Colours and with a shape of its own, with a name in the
// legend ("" = none). With none of them it adds nothing.
func (p *Plot) Points(name string, colour int, points []Point) error {
	if len(points) == 0 {
		return nil
	}
	dots, err := plotter.NewScatter(xys(points))
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	dots.Color, dots.Shape, dots.Radius = Colours[colour%len(Colours)], shapes[colour%len(shapes)], dotSize
	p.Add(dots)
	if name != "" {
		p.Legend.Add(name, dots)
	}
	return nil
}

// Log makes axes logarithmic, with ticks at decades. Nothing that is added may be zero
// or less there.
func (p *Plot) Log(x, y bool) {
	if x {
		p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, Decades{}
	}
	if y {
		p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, Decades{}
	}
}

// Level draws a line across at y, over all that was added before, and names it.
func (p *Plot) Level(name string, y float64) error {
	l, err := plotter.NewLine(plotter.XYs{{X: p.X.Min, Y: y}, {X: p.X.Max, Y: y}})
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	l.Color, l.Width, l.Dashes = ink, thin, []vg.Length{2, 3}
	p.Add(l)
	return p.Text([]Point{{p.X.Max, y}}, []string{name}, func(_ int, s *draw.TextStyle) { s.XAlign, s.YAlign = draw.XRight, draw.YBottom })
}

func xys(points []Point) plotter.XYs {
	out := make(plotter.XYs, len(points))
	for i, pt := range points {
		out[i] = plotter.XY(pt)
	}
	return out
}

// Span shades a part of the x axis, and names it at its top.
func (p *Plot) Span(name string, from, to, top float64) error {
	area, err := plotter.NewPolygon(plotter.XYs{{X: from, Y: p.Y.Min}, {X: from, Y: top}, {X: to, Y: top}, {X: to, Y: p.Y.Min}})
	if err != nil {
		return err
	}
	area.Color, area.Width = color.NRGBA{0xe0, 0x7b, 0x39, 40}, 0
	p.Add(area)
	p.Legend.YOffs = -14 // below the name
	return p.Text([]Point{{(from + to) / 2, top}}, []string{name}, func(i int, s *draw.TextStyle) { s.YAlign, s.XAlign = draw.YTop, draw.XCenter })
}

// Text adds texts, each at its point; style may change how one stands there.
func (p *Plot) Text(at []Point, texts []string, style func(i int, s *draw.TextStyle)) error {
	labels, err := plotter.NewLabels(plotter.XYLabels{XYs: xys(at), Labels: texts})
	if err != nil {
		return err
	}
	for i := range labels.TextStyle {
		labels.TextStyle[i].Font = sans(fontSize)
		labels.TextStyle[i].Color = ink
		if style != nil {
			style(i, &labels.TextStyle[i])
		}
	}
	p.Add(labels)
	return nil
}

// Decades are ticks of a logarithmic axis, from a thousandth on.
type Decades struct{}

// Ticks is plot.Ticker's.
func (Decades) Ticks(low, high float64) (out []plot.Tick) {
	steps := []float64{1, 2, 5}
	if high > 2000*low {
		steps = steps[:1]
	}
	for ten := -3; ten < 9; ten++ {
		for _, k := range steps {
			if v := k * math.Pow10(ten); v >= low*0.999 && v <= high*1.001 {
				out = append(out, plot.Tick{Value: v, Label: strconv.FormatFloat(v, 'g', 6, 64)})
			}
		}
	}
	return out
}

// plain are ticks as the library finds them, with numbers as people write them.
type plain struct{}

// Ticks is plot.Ticker's.
func (plain) Ticks(low, high float64) []plot.Tick {
	ticks := plot.DefaultTicks{}.Ticks(low, high)
	for i := range ticks {
		if !ticks[i].IsMinor() {
			ticks[i].Label = strconv.FormatFloat(math.Round(ticks[i].Value*1e6)/1e6, 'f', -1, 64)
		}
	}
	return ticks
}

// Every are ticks at multiples of a step, that say what Label makes of them.
type Every struct {
	Step  float64
	Label func(float64) string
}

// Ticks is plot.Ticker's.
func (e Every) Ticks(low, high float64) (out []plot.Tick) {
	for v := math.Ceil(low/e.Step) * e.Step; v <= high+e.Step/1e6; v += e.Step {
		out = append(out, plot.Tick{Value: v, Label: e.Label(v)})
	}
	return out
}

// SVG draws the picture as an element of the page. alt says in words what it shows.
func (p *Plot) SVG(alt string) (template.HTML, error) {
	canvas := vgsvg.New(p.width, p.height)
	// A margin for what stands out: the last tick's text, half a bar.
	p.Draw(draw.Crop(draw.New(canvas), 0, -16, 2, -4))
	var out strings.Builder
	if _, err := canvas.WriteTo(&out); err != nil {
		return "", err
	}
	_, inner, found := strings.Cut(out.String(), "xmlns:xlink=\"http://www.w3.org/1999/xlink\">")
	if !found {
		return "", fmt.Errorf("the plotting library wrote another beginning than it used to: %.200s", out.String())
	}
	inner = strings.NewReplacer("stroke:#000000", "stroke:currentColor", "fill:#000000", "fill:currentColor").Replace(inner)
	inner = fitTexts(inner)
	class := "plot"
	if p.halo {
		class += " halo"
	}
	head := fmt.Sprintf(`<svg class="%s" fill="currentColor" role="img" aria-label="%s" viewBox="0 0 %.0f %.0f" xmlns="http://www.w3.org/2000/svg">`,
		class, html.EscapeString(alt), p.width.Points(), p.height.Points())
	return template.HTML(head + inner), nil
}

// textElement is a text as vgsvg writes it.
var textElement = regexp.MustCompile(`(?s)<text ([^>]*font-size:([0-9.]+)px[^>]*)>([^<]*)</text>`)

// fitTexts says how wide each text is, in the font that the picture was laid out
// with: another one that the reader has instead is made to fit.
func fitTexts(svg string) string {
	return textElement.ReplaceAllStringFunc(svg, func(element string) string {
		m := textElement.FindStringSubmatch(element)
		size, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			return element
		}
		face := font.DefaultCache.Lookup(sans(vg.Length(size)), vg.Length(size))
		width := face.Width(html.UnescapeString(m[3])).Points()
		return fmt.Sprintf(`<text %s textLength="%.2f" lengthAdjust="spacingAndGlyphs">%s</text>`, m[1], width, m[3])
	})
}
