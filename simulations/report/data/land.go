//go:build ignore

// Makes land.txt of world-atlas' land-110m.json (see README.md):
//
//	npm pack world-atlas@2.0.2 && tar xzf world-atlas-2.0.2.tgz
//	go run land.go package/land-110m.json > land.txt
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log"
	"math"
	"os"
	"slices"
)

const (
	south = -60  // degrees: what lies below is on no map of ours
	off   = 0.12 // degrees that a point may be off, to be left out
)

type point [2]float64

func main() {
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	var atlas struct {
		Transform struct{ Scale, Translate point }
		Arcs      [][]point // the first of each absolute, the others relative to the one before
		Objects   struct {
			Land struct{ Geometries []struct{ Arcs [][][]int } } // polygons of rings of arcs, ^n = n backwards
		}
	}
	if err := json.Unmarshal(text, &atlas); err != nil {
		log.Fatal(err)
	}
	arcs := make([][]point, len(atlas.Arcs))
	for i, arc := range atlas.Arcs {
		var at point
		for _, step := range arc {
			at = point{at[0] + step[0], at[1] + step[1]}
			arcs[i] = append(arcs[i], point{
				at[0]*atlas.Transform.Scale[0] + atlas.Transform.Translate[0],
				at[1]*atlas.Transform.Scale[1] + atlas.Transform.Translate[1],
			})
		}
	}
	out := bufio.NewWriter(os.Stdout)
	for _, geometry := range atlas.Objects.Land.Geometries {
		for _, polygon := range geometry.Arcs {
			for _, ring := range polygon {
				var points []point
				for _, n := range ring {
					arc := arcs[max(n, ^n)]
					if n < 0 {
						arc = slices.Clone(arc)
						slices.Reverse(arc)
					}
					points = append(points, arc...)
				}
				unwrap(points)
				write(out, points)
			}
		}
	}
	if err := out.Flush(); err != nil {
		log.Fatal(err)
	}
}

// unwrap lets a ring that crosses the date line go on beyond it.
func unwrap(ring []point) {
	for i := 1; i < len(ring); i++ {
		ring[i][0] -= 360 * math.Round((ring[i][0]-ring[i-1][0])/360)
	}
}

// write writes a ring as a line: longitude and latitude, in tenths of a degree.
func write(out *bufio.Writer, ring []point) {
	if !slices.ContainsFunc(ring, func(p point) bool { return p[1] > south }) {
		return
	}
	half := len(ring) / 2 // both ends of a ring are the same: it is simplified in two parts
	ring = append(simple(ring[:half+1]), simple(ring[half:])[1:]...)
	var line []int
	for _, p := range ring {
		x, y := int(math.Round(10*p[0])), int(math.Round(10*p[1]))
		if n := len(line); n == 0 || line[n-2] != x || line[n-1] != y {
			line = append(line, x, y)
		}
	}
	if len(line) < 8 { // no area, with the first point once more at the end
		return
	}
	for i, v := range line[:len(line)-2] {
		if i > 0 {
			fmt.Fprint(out, " ")
		}
		fmt.Fprint(out, v)
	}
	fmt.Fprintln(out)
}

// simple leaves out points that are hardly off the line without them (Ramer, Douglas,
// Peucker).
func simple(line []point) []point {
	if len(line) < 3 {
		return line
	}
	a, b := line[0], line[len(line)-1]
	length := math.Hypot(b[0]-a[0], b[1]-a[1])
	worst, at := 0.0, 0
	for i, p := range line[1 : len(line)-1] {
		away := math.Hypot(p[0]-a[0], p[1]-a[1])
		if length > 0 {
			away = math.Abs((b[0]-a[0])*(a[1]-p[1])-(a[0]-p[0])*(b[1]-a[1])) / length
		}
		if away > worst {
			worst, at = away, i+1
		}
	}
	if worst <= off {
		return []point{a, b}
	}
	return append(simple(line[:at+1]), simple(line[at:])[1:]...)
}
