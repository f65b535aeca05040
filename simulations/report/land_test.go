package report

import (
	"strings"
	"testing"
)

// Each city lies within a coast, and the middle of each sea within none, or within one
// that runs the other way round, too.
func TestLandIsWhereItIs(t *testing.T) {
	rings := coasts()
	points := 0
	for _, ring := range rings {
		points += len(ring)
		if len(ring) < 3 {
			t.Errorf("a coast of %d points", len(ring))
		}
	}
	if len(rings) < 100 || 2*points < len(strings.Fields(land)) {
		t.Errorf("%d coasts of %d points, of %d numbers", len(rings), points, len(strings.Fields(land)))
	}
	for name, c := range map[string]struct {
		lon, lat float64
		land     bool
	}{
		"Denver": {-105, 39.7, true}, "Berlin": {13.4, 52.5, true}, "Nagpur": {79.1, 21.1, true}, "Alice Springs": {133.9, -23.7, true},
		"Pretoria": {28.2, -25.7, true}, "Brasilia": {-47.9, -15.8, true}, "Markovo": {170, 64.7, true}, "Uelen's hills": {-172, 66.5, true},
		"Atlantic": {-40, 30, false}, "Pacific": {-150, 10, false}, "Indian Ocean": {80, -20, false}, "Caspian Sea": {50.5, 42, false}, "Mediterranean": {18, 35, false},
	} {
		if got := around(rings, c.lon, c.lat) != 0; got != c.land {
			t.Errorf("%s is on land: %v", name, got)
		}
	}
}

// around is how often the coasts run around a point: what a fill by the rule "nonzero"
// goes by.
func around(rings [][]Point, x, y float64) (n int) {
	for _, ring := range rings {
		for i, b := range ring {
			a := ring[(i+len(ring)-1)%len(ring)]
			if (a.Y > y) == (b.Y > y) || x > a.X+(y-a.Y)/(b.Y-a.Y)*(b.X-a.X) {
				continue
			}
			if b.Y > a.Y {
				n++
			} else {
				n--
			}
		}
	}
	return n
}
