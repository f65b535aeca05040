package geo

import (
	"math"
	"slices"
	"time"
)

// Quantiles are what times are told by, in milliseconds; of none, all is zero.
type Quantiles struct {
	N    int     `json:"n"`
	P50  float64 `json:"p50_ms"`
	P95  float64 `json:"p95_ms"`
	P99  float64 `json:"p99_ms"`
	P999 float64 `json:"p99_9_ms"`
	Max  float64 `json:"max_ms"`
}

// quantiles sorts the times, and tells them.
func quantiles(times []time.Duration) Quantiles {
	slices.Sort(times)
	if len(times) == 0 {
		return Quantiles{}
	}
	return Quantiles{len(times), ms(at(times, 0.5)), ms(at(times, 0.95)), ms(at(times, 0.99)), ms(at(times, 0.999)), ms(times[len(times)-1])}
}

// at is a quantile of sorted times by the nearest rank: the least time that at least
// this part of all doesn't exceed.
func at(sorted []time.Duration, q float64) time.Duration {
	rank := int(math.Ceil(q*float64(len(sorted)))) - 1
	return sorted[min(max(rank, 0), len(sorted)-1)]
}

func ms(d time.Duration) float64 {
	return math.Round(float64(d)/float64(time.Microsecond)) / 1000
}
