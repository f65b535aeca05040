package storm

import (
	"math"
	"slices"
	"time"
)

// Spread is when parts of all were done, in seconds.
type Spread struct {
	N   int     `json:"n"`
	P50 float64 `json:"p50_s"`
	P90 float64 `json:"p90_s"`
	P99 float64 `json:"p99_s"`
	All float64 `json:"all_s"`
}

// spread sorts times, and tells them; of none, all is zero.
func spread(times []time.Duration) Spread {
	slices.Sort(times)
	if len(times) == 0 {
		return Spread{}
	}
	// By the nearest rank: the least time that at least this part doesn't exceed.
	at := func(q float64) float64 { return seconds(times[int(math.Ceil(q*float64(len(times))))-1]) }
	return Spread{len(times), at(0.5), at(0.9), at(0.99), at(1)}
}

// seconds are those of d, to the millisecond.
func seconds(d time.Duration) float64 { return math.Round(float64(d)/1e6) / 1e3 }

// median is that of some values; of none it is zero.
func median(values []float64) float64 {
	v := slices.Sorted(slices.Values(values))
	n := len(v)
	switch {
	case n == 0:
		return 0
	case n%2 == 1:
		return v[n/2]
	}
	return (v[n/2-1] + v[n/2]) / 2
}

// pace is how many of sorted times there are in a second, from the first to 90 % of them,
// and ten times how many are in the busiest tenth of a second.
func pace(times []time.Duration) (mean float64, peak int) {
	n := len(times)
	if n == 0 {
		return 0, 0
	}
	if most := (n*9 + 9) / 10; times[most-1] > times[0] {
		mean = math.Round(float64(most) / (times[most-1] - times[0]).Seconds())
	}
	return mean, 10 * slices.Max(perStep(times, times[n-1]+1, 100*time.Millisecond))
}

// perStep counts times in steps of a time line up to to: element i is how many are
// in the step that ends at (i+1)*step.
func perStep(times []time.Duration, to, step time.Duration) []int {
	out := make([]int, max(1, int((to+step-1)/step)))
	for _, t := range times {
		if t >= 0 && t < to {
			out[t/step]++
		}
	}
	return out
}
