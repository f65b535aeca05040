package storm

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSpread(t *testing.T) {
	var times []time.Duration
	for i := range 200 {
		times = append(times, time.Duration(200-i)*time.Millisecond)
	}
	if diff := cmp.Diff(Spread{200, 0.1, 0.18, 0.198, 0.2}, spread(times)); diff != "" {
		t.Error(diff)
	}
	if spread(nil) != (Spread{}) || spread([]time.Duration{time.Second}) != (Spread{1, 1, 1, 1, 1}) {
		t.Error("of none or one")
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		of   []float64
		want float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{3, 1}, 2}, {[]float64{9, 1, 5}, 5}} {
		if got := median(c.of); got != c.want {
			t.Errorf("of %v: %v", c.of, got)
		}
	}
}

func TestPerStep(t *testing.T) {
	got := perStep([]time.Duration{-1, 0, 9, 10, 24, 25, 30}, 25, 10)
	if !slices.Equal(got, []int{2, 1, 1}) {
		t.Errorf("%v", got)
	}
}

func TestPace(t *testing.T) {
	var times []time.Duration
	for i := range 10 {
		times = append(times, time.Second+time.Duration(i)*50*time.Millisecond)
	}
	if mean, peak := pace(times); mean != 23 || peak != 20 { // 9 in 0.4 s
		t.Errorf("%v/s, %d/s", mean, peak)
	}
	for _, none := range [][]time.Duration{nil, {time.Second}} {
		if mean, peak := pace(none); mean != 0 || peak != 10*len(none) {
			t.Errorf("of %d: %v/s, %d/s", len(none), mean, peak)
		}
	}
}

// A client that lost its connection twice is back with the last of its trips.
func TestTheLastTripCounts(t *testing.T) {
	out := &Outcome{}
	out.travelled([]Trip{
		{Member: 1, Lost: 12 * time.Second, Back: 61 * time.Second, Tries: 3},
		{Member: 2, Lost: 13 * time.Second, Back: 62 * time.Second, Tries: 9},
		{Member: 1, Lost: 70 * time.Second, Back: 75 * time.Second, Tries: 1, Afresh: true},
	}, []time.Duration{20 * time.Second, 61 * time.Second, 62 * time.Second, 74 * time.Second}, 10*time.Second, 60*time.Second)
	if out.Noticed.N != 2 || out.Noticed.All != 3 || out.Back != (Spread{2, 2, 15, 15, 15}) || out.Afresh != 1 || out.MostTries != 9 || out.InVain != 1 || out.Tries != 1.5 {
		t.Errorf("%+v", out)
	}
}
