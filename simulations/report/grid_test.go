package report

import (
	"strings"
	"testing"
)

func TestAGridSaysWhatItsColoursMean(t *testing.T) {
	p, err := Grid("edges", "users", []string{"20", "200"}, []string{"many", "few"}, [][]Cell{
		{{Kind: 0, Part: 3, Text: []string{"core CPU", "3 times"}}, {Kind: 1, Part: 0.5, Text: []string{"sockets", "50 %"}}},
		{{Kind: 0}, {Kind: 1, Part: 0.1}},
	})
	if err != nil {
		t.Fatal(err)
	}
	svg, err := p.SVG("a grid")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"core CPU", "3 times", "50 %", ">many<", ">200<"} {
		if !strings.Contains(string(svg), want) {
			t.Errorf("the picture has no %q", want)
		}
	}
	if strong, weak := (Cell{Kind: 1, Part: 1}).shade(), (Cell{Kind: 1}).shade(); strong == weak || strong.R > weak.R || weak.B < 200 {
		t.Errorf("much is %v, nothing %v", strong, weak)
	}
	for name, cells := range map[string][][]Cell{"no rows": nil, "too few cells": {{{}, {}}, {{}}}} {
		if _, err := Grid("", "", []string{"a", "b"}, []string{"c", "d"}, cells); err == nil {
			t.Errorf("%s: drawn", name)
		}
	}
}

func TestABandIsBetweenItsLines(t *testing.T) {
	p := NewPlot("", "", 200)
	if err := p.Band(0, []Point{{0, 1}, {1, 2}}, []Point{{0, 3}, {1, 4}}); err != nil {
		t.Fatal(err)
	}
	svg, err := p.SVG("a band")
	if err != nil || strings.Count(string(svg), "<path") < 1 {
		t.Errorf("%v: %s", err, svg)
	}
	if err := p.Band(0, nil, nil); err != nil {
		t.Errorf("no band: %v", err)
	}
}

// Figures that were computed stand apart, and a report without them has no such part.
func TestComputedFiguresStandApart(t *testing.T) {
	r := &Report{Title: "x", Model: map[string]int{"users": 7}, ModelSections: []Section{{Title: "What if"}}}
	page, err := r.render()
	if err != nil || !strings.Contains(string(page), ">Computed<") || !strings.Contains(string(page), "What if") {
		t.Errorf("%v: %s", err, page)
	}
	page, err = (&Report{Title: "x"}).render()
	if err != nil || strings.Contains(string(page), ">Computed<") {
		t.Errorf("%v: a report that computes nothing says it does", err)
	}
}
