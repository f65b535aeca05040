package planet

import (
	"math"
	"math/rand/v2"
	"testing"
)

func near(a, b, part float64) bool { return math.Abs(a-b) <= part*math.Abs(b) }

// From points that follow a law, the fit must find the law again.
func TestAFitFindsTheLaw(t *testing.T) {
	for _, want := range []Law{{Fixed: 1.5, Per: 0.02}, {Fixed: 0, Per: 50}, {Fixed: 300, Per: 0}, {Fixed: 1e-3, Per: 1e3}} {
		var points []point
		for _, n := range []int{10, 100, 500, 1000} {
			points = append(points, point{n, want.at(n)})
		}
		got, err := fit(points)
		if err != nil || math.Abs(got.Fixed-want.Fixed) > 1e-6*want.at(10) || math.Abs(got.Per-want.Per) > 1e-6*want.at(1000)/1000 || got.Off > 1e-6 {
			t.Errorf("%+v, %v: the points are of %+v", got, err, want)
		}
	}
}

// With points that are off by up to a tenth, it still tells what five times as many
// cost.
func TestAFitForgivesNoise(t *testing.T) {
	dice := rand.New(rand.NewPCG(1, 1))
	want := Law{Fixed: 2, Per: 0.012}
	for range 200 {
		var points []point
		for _, n := range []int{10, 100, 500, 1000} {
			points = append(points, point{n, want.at(n) * (0.95 + 0.1*dice.Float64())})
		}
		got, err := fit(points)
		if err != nil || !near(got.at(5000), want.at(5000), 0.12) || !near(got.at(10), want.at(10), 0.08) {
			t.Fatalf("%+v, %v: 10 and 5,000 cost %v and %v by the law, and %v and %v by the fit", points, err, want.at(10), want.at(5000), got.at(10), got.at(5000))
		}
	}
}

func TestAFitCostsNothingNegative(t *testing.T) {
	for name, points := range map[string][]point{
		"falling":               {{10, 5}, {1000, 4}},
		"steeper than a line":   {{10, 1}, {1000, 1000}},
		"one":                   {{100, 7}},
		"the same size twice":   {{100, 7}, {100, 8}},
		"some of them are zero": {{10, 0}, {100, 0}, {1000, 3}},
	} {
		l, err := fit(points)
		if err != nil || !finite(l.Fixed) || !finite(l.Per) || l.at(1000) <= 0 {
			t.Errorf("%s: %+v, %v", name, l, err)
		}
	}
	if l, err := fit([]point{{10, 0}, {100, 0}}); err != nil || l != (Law{}) {
		t.Errorf("of nothing: %+v, %v", l, err)
	}
	for _, points := range [][]point{nil, {{0, 1}}, {{-1, 1}}, {{1, math.NaN()}}, {{1, math.Inf(1)}}, {{1, -1}}} {
		if l, err := fit(points); err == nil {
			t.Errorf("%v: %+v", points, l)
		}
	}
}

// What is slower than the machine waits in a backlog, and never gets shorter with more to do.
func TestAQueueGrows(t *testing.T) {
	tier := Tier{At: 1000, Last: Law{Fixed: 1, Per: 0.01}, Centre: Law{Per: 10}, Clients: Law{Per: 10}}
	before := 0.0
	for n := 10; n <= 20_000; n += 10 {
		ms, busy := tier.paced(n, 10, 10, 2)
		if ms < before || n <= tier.At && ms < tier.Last.at(n) || math.IsInf(ms, 0) {
			t.Fatalf("%d gateways, %v busy: %v ms, and %v with fewer", n, busy, ms, before)
		}
		before = ms
	}
	// 20,000 of them: 400 ms of CPU each, four at a time in two CPUs' second.
	if ms, busy := tier.paced(20_000, 10, 10, 2); !near(busy, 2, 1e-9) || ms < 5000 {
		t.Errorf("busy %v, %v ms: half of ten seconds' work is left at the middle, 5 s", busy, ms)
	}
	if ms, busy := tier.paced(10, 0.1, 10, 2); busy > 0.001 || !near(ms, tier.Last.at(10), 0.001) {
		t.Errorf("busy %v, %v ms: alone it takes %v", busy, ms, tier.Last.at(10))
	}
}
