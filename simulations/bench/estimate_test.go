package bench

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// The ranks and their confidence are those of the tables in the literature,
// for example Hahn and Meeker, table A.15.
func TestIntervals(t *testing.T) {
	tests := []struct {
		n          int
		low, high  float64 // of the values 1 to n
		confidence float64
	}{
		{1, 1, 1, 0},
		{3, 1, 3, 0.75},
		{5, 1, 5, 0.9375},
		{6, 1, 6, 0.96875},
		{9, 2, 8, 0.9609},
		{10, 2, 9, 0.9785},
		{12, 3, 10, 0.9614},
		{15, 4, 12, 0.9648},
		{20, 6, 15, 0.9586},
		{25, 8, 18, 0.9567},
	}
	for _, tt := range tests {
		values := make([]float64, tt.n)
		for i := range values {
			values[i] = float64(i + 1)
		}
		rand.Shuffle(tt.n, func(i, j int) { values[i], values[j] = values[j], values[i] })
		order := slices.Clone(values)
		e := estimate(values)
		if e.Low != tt.low || e.High != tt.high || math.Abs(e.Confidence-tt.confidence) > 0.0001 || e.Median != float64(tt.n+1)/2 {
			t.Errorf("%d values: %v to %v at %.4f, median %v; want %v to %v at %.4f", tt.n, e.Low, e.High, e.Confidence, e.Median, tt.low, tt.high, tt.confidence)
		}
		if !slices.Equal(e.Values, order) {
			t.Errorf("%d values are not in the order in which they were measured", tt.n)
		}
	}
	if e := estimate(nil); e.Median != 0 || e.Values != nil {
		t.Errorf("of nothing: %+v", e)
	}
}

// The interval has the true median as often as it says.
func TestIntervalsHoldWhatTheySay(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	const runs = 20_000
	hit := 0
	var sure float64
	for range runs {
		values := make([]float64, 9)
		for i := range values {
			values[i] = random.ExpFloat64() // its median is ln 2, and it is far from symmetric
		}
		e := estimate(values)
		if sure = e.Confidence; e.Low <= math.Ln2 && math.Ln2 <= e.High {
			hit++
		}
	}
	if got := float64(hit) / runs; math.Abs(got-sure) > 0.006 {
		t.Errorf("the median was within in %.4f of the runs, want %.4f", got, sure)
	}
}

func TestRatiosArePaired(t *testing.T) {
	if got := ratios([]float64{2, 9}, []float64{1, 3}); !slices.Equal(got, []float64{2, 3}) {
		t.Errorf("%v", got)
	}
}

func TestQuantile(t *testing.T) {
	values := make([]float64, 100)
	for i := range values {
		values[i] = float64(i)
	}
	if p50, p99, all := quantile(values, 0.5), quantile(values, 0.99), quantile(values, 1); p50 != 50 || p99 != 99 || all != 99 {
		t.Errorf("p50 %v, p99 %v, p100 %v", p50, p99, all)
	}
	if got := quantile[float64](nil, 0.5); got != 0 {
		t.Errorf("of nothing: %v", got)
	}
}
