package report

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"image/color"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"gonum.org/v1/plot/vg"
)

// whole is a report with one of each.
func whole(t *testing.T) *Report {
	t.Helper()
	r := &Report{
		Name: "try", Title: "A <try> & more", Command: "selvedge simulate try", Seed: 18446744073709551615, Machine: ThisMachine(), Made: time.Unix(0, 0),
		Scenario: "a: <b>\n", Shows: "This & that.", Cannot: "All else.", Network: map[string]int{"p50": 1}, Host: map[string]int{"wall": 2}, Quick: true,
		Key: []Key{{"84", "ms", "to somewhere"}},
	}
	lines := NewPlot("x", "y", 200)
	lines.Grid()
	if err := errors.Join(lines.Line("one", 0, false, []Point{{1, 2}, {3, 4}}), lines.Line("two", 1, true, []Point{{1, 1}, {3, 2}}), lines.Span("span", 1, 2, 4)); err != nil {
		t.Fatal(err)
	}
	steep := NewPlot("x", "y", 200)
	steep.Log(true, true)
	if err := errors.Join(steep.Points("one", 0, []Point{{1, 0.02}, {100, 3}, {5000, 70000}}), steep.Points("none", 1, nil), steep.Level("level", 200)); err != nil {
		t.Fatal(err)
	}
	heat, err1 := Heat("to", "from", []string{"A & B", "C"}, [][]float64{{1, 2}, {3, 400}})
	world, err2 := Map([]Place{{Name: "Home", Lat: 37, Lon: -80, Home: true}, {Name: "Away", Lat: -33, Lon: 151, Value: 101}, {Name: "Pole", Lat: 80, Lon: 100, Value: 3}}, "ms")
	bars, err3 := Bars("y", []string{"a", "b"}, []string{"one", "two"}, [][]float64{{1, 2}, {3, 4}})
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	s := Section{Title: "S", Text: []string{"Text."}, Tables: []Table{{Caption: "T", Head: []string{"name", "ms"}, Rows: [][]string{{"a", "1"}}}, {Caption: "F", Head: []string{"n"}, Folded: true}}}
	for _, p := range []*Plot{lines, steep, heat, world, bars} {
		svg, err := p.SVG(`what "it" shows & more`)
		if err != nil {
			t.Fatal(err)
		}
		s.Figures = append(s.Figures, Figure{Title: "P", Alt: "Alt.", SVG: svg})
	}
	r.NetworkSections, r.HostSections = []Section{s}, []Section{{Title: "H"}}
	return r
}

func TestAReportStandsForItself(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "folder")
	if err := Prepare(dir); err != nil {
		t.Fatal(err)
	}
	r := whole(t)
	if err := r.Save(dir); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(dir, HTML))
	if err != nil {
		t.Fatal(err)
	}
	text := string(page)
	for _, want := range []string{"A &lt;try&gt; &amp; more", "18446744073709551615", "This &amp; that.", "a: &lt;b&gt;", "A quick run", r.Machine.String(), `aria-label="what &#34;it&#34; shows &amp; more"`} {
		if !strings.Contains(text, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	if refs := regexp.MustCompile(`(src|href|@import|url\()`).FindString(text); refs != "" {
		t.Errorf("the page wants something from elsewhere: %s", refs)
	}
	data, err := os.ReadFile(filepath.Join(dir, JSON))
	if err != nil {
		t.Fatal(err)
	}
	var back Report
	if err := json.Unmarshal(data, &back); err != nil || back.Seed != r.Seed || back.Scenario != r.Scenario {
		t.Errorf("%v: %+v", err, back)
	}
	for _, want := range []string{`"network_time"`, `"host_time"`} {
		if strings.Count(string(data), want) != 1 {
			t.Errorf("the two kinds of time are not apart: no %s", want)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("%v in the folder (%v), two should be", entries, err)
	}
}

// A picture is well-formed, follows the page's colour, and says how wide its texts are.
func TestPictures(t *testing.T) {
	for _, f := range whole(t).NetworkSections[0].Figures {
		svg := string(f.SVG)
		for d := xml.NewDecoder(strings.NewReader(svg)); ; {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%v in %s", err, svg)
			}
		}
		if strings.Contains(svg, "#000000") || !strings.Contains(svg, "currentColor") {
			t.Error("a picture is black on any ground")
		}
		if texts := strings.Count(svg, "<text "); texts == 0 || texts != strings.Count(svg, "textLength=") {
			t.Errorf("%d texts, and not each says how wide it is", texts)
		}
		if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
			t.Error("a picture has points that are nowhere")
		}
	}
}

// A half of the page without a section is left out, with its heading.
func TestHalvesOfAReport(t *testing.T) {
	for _, want := range []struct{ network, host bool }{{true, true}, {true, false}, {false, true}} {
		r := whole(t)
		if !want.network {
			r.NetworkSections, r.HostNote = nil, "real time."
		}
		if !want.host {
			r.HostSections = nil
		}
		page, err := r.render()
		if err != nil {
			t.Fatal(err)
		}
		text := string(page)
		if strings.Contains(text, "Virtual and exact") != want.network || strings.Contains(text, "Host time") != want.host || strings.Contains(text, "Measured: real time.") != (r.HostNote != "") {
			t.Errorf("%+v: %s", want, text)
		}
	}
}

// A logarithmic axis has a tick at each decade, and a level stands where it is said to.
func TestDecades(t *testing.T) {
	var labels []string
	for _, tick := range (Decades{}).Ticks(0.02, 70000) {
		labels = append(labels, tick.Label)
	}
	if got := strings.Join(labels, " "); got != "0.1 1 10 100 1000 10000" {
		t.Error(got)
	}
	p := NewPlot("", "", 100)
	if err := errors.Join(p.Points("", 0, []Point{{1, 10}, {9, 20}}), p.Level("limit", 200)); err != nil {
		t.Fatal(err)
	}
	if p.Y.Max != 200 || p.X.Min != 1 || p.X.Max != 9 {
		t.Errorf("the picture shows %v to %v, up to %v", p.X.Min, p.X.Max, p.Y.Max)
	}
}

func TestWrongPicturesAreRefused(t *testing.T) {
	if _, err := Heat("", "", []string{"a"}, nil); err == nil {
		t.Error("a matrix without rows")
	}
	if _, err := Map([]Place{{Name: "x", Lat: 91}}, "ms"); err == nil {
		t.Error("a place beyond the pole")
	}
	if _, err := Bars("", []string{"a"}, []string{"s"}, [][]float64{{1, 2}}); err == nil {
		t.Error("two values for one name")
	}
	if err := NewPlot("", "", 100).Points("lost", 0, []Point{{math.Inf(1), 1}}); err == nil {
		t.Error("a point nowhere")
	}
	if err := NewPlot("", "", 100).Line("lost", 0, false, []Point{{math.NaN(), 1}}); err == nil {
		t.Error("a line through nowhere")
	}
}

func TestAFolderThatCannotBeWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Prepare(filepath.Join(file, "report")); err == nil || errors.Is(err, fs.ErrExist) || !strings.HasPrefix(err.Error(), "--out: ") {
		t.Errorf("below a file: %v", err)
	}
}

// The colours of a scale grow darker step by step, and text on them can be read.
func TestTheRampGrowsDarker(t *testing.T) {
	light := func(c color.Color) float64 {
		r, g, b, _ := c.RGBA()
		return (0.299*float64(r) + 0.587*float64(g) + 0.114*float64(b)) / 257
	}
	before := 256.0
	for i := range 101 {
		c := shade(float64(i) / 100)
		if now := light(c); now >= before {
			t.Fatalf("at %d %% it is not darker than before", i)
		} else {
			before = now
		}
		if d := light(on(c)) - light(c); d > -60 && d < 60 {
			t.Errorf("at %d %% the text has the ground's lightness", i)
		}
	}
	if shade(math.NaN()) != shade(0) {
		t.Error("a part of nothing is not nothing")
	}
	if shade(-1) != shade(0) || shade(2) != shade(1) {
		t.Error("beyond its ends the scale goes on")
	}
}

func TestLabelsCoverNothing(t *testing.T) {
	within := box(0, 0, 200, 100)
	var taken []vg.Rectangle
	first := label(vg.Point{X: 50, Y: 50}, 40, within, &taken)
	second := label(vg.Point{X: 52, Y: 50}, 40, within, &taken)
	if first.X <= 50 || len(taken) != 2 || second == first {
		t.Errorf("%v, then %v", first, second)
	}
	a, b := taken[0], taken[1]
	if a.Min.X < b.Max.X && b.Min.X < a.Max.X && a.Min.Y < b.Max.Y && b.Min.Y < a.Max.Y {
		t.Errorf("%v covers %v", b, a)
	}
	if at := label(vg.Point{X: 195, Y: 50}, 40, within, &taken); at.X > 195 {
		t.Errorf("at the edge a text leaves the picture: %v", at)
	}
}

// Where nothing is known a matrix has a dash and no colour, and a map of zeros is one.
func TestPicturesOfNothing(t *testing.T) {
	heat, err := Heat("to", "from", []string{"A", "B"}, [][]float64{{math.NaN(), 20}, {0, math.NaN()}})
	if err != nil {
		t.Fatal(err)
	}
	svg, err := heat.SVG("")
	if err != nil {
		t.Fatal(err)
	}
	// The most that is known is the darkest.
	if text := string(svg); strings.Count(text, ">–</text>") != 2 || strings.Count(text, "<path") != 2 || strings.Contains(text, "NaN") || !strings.Contains(text, "#4B2A7B") {
		t.Error(text)
	}
	world, err := Map([]Place{{Name: "Home", Home: true}, {Name: "Away", Lon: 90}}, "ms")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := world.SVG(""); err != nil {
		t.Error(err)
	}
}
